/**
 * Prints when speech begins and ends in raw audio (16 kHz, 16 bits, mono) on standard input:
 * `arecord -q -t raw -f S16_LE -r 16000 | deno run --allow-net voice_activity.ts [URL]`
 */
import { connect } from "../../client/mod.ts"; // elsewhere: npm:@cpc-stream/client

const url = Deno.args[0] ?? "http://127.0.0.1:8000";
const stream = await connect(url, { encoding: "s16le", output: ["head.speech"] });

let heardSeconds = 0;
stream.on("head", ({ time, rows }) => heardSeconds = time + (rows.length - 1) / 100);
stream.on("event", ({ state, time }) => {
  const later = (heardSeconds - time).toFixed(2);
  console.log(`${time.toFixed(2)}\tspeech ${state}\t(sure ${later} s later)`);
});

for await (const bytes of Deno.stdin.readable) await stream.send(bytes);
await stream.finish();
