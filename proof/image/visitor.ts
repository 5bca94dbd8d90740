/** Streams a clip to `URL` with `KEY`; prints the largest difference from the reference. */
import { connect } from "../../client/mod.ts";
import { loadWeights } from "../../model/weights.ts";
import { clipOf, differenceFrom } from "../clips.ts";

const [url = "", key = "", model = ""] = Deno.args;
const clip = clipOf(await loadWeights(model), { seconds: 2, seed: 22 });
const stream = await connect(url, { key, encoding: "s16le" });
const heard: number[] = [];
const hearing = (async () => {
  for await (const { context = [] } of stream) for (const row of context) heard.push(...row);
})();
await stream.send(clip.bytes);
await stream.finish();
await hearing;
console.log(differenceFrom(clip, heard));
