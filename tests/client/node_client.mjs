// Reads 16-bit audio from standard input, streams it to the server of the first argument, prints
// the frames.
import process from "node:process";
import { connect } from "../../client/cpc_client.js";

const parts = [];
for await (const part of process.stdin) parts.push(part);
const stream = await connect(process.argv[2], { encoding: "s16le" });
await stream.send(new Uint8Array(Buffer.concat(parts)));
stream.finish();
const rows = [];
for await (const { first, context } of stream) {
  context.forEach((row, i) => rows.push({ index: first + i, context: [...row] }));
}
console.log(JSON.stringify(rows));
