import assert from "node:assert/strict";
import { keyOf } from "../../evaluation/listen.ts";
import {
  type Hearing,
  runAbx,
  runIdentification,
  runVerification,
} from "../../evaluation/tasks.ts";
import type { Segment } from "../../training/manifest.ts";
import { loopDotProducts } from "../support/products.ts";

const segment = (path: string, speaker: string, text = ""): Segment => ({
  path,
  startSample: 0,
  samples: 0,
  speaker,
  source: "made up",
  text,
  split: "test",
});
const heard = (...of: (readonly [Segment, readonly number[]])[]): Hearing =>
  new Map(of.map(([segment, mean]) => [
    keyOf(segment),
    {
      mean: Float32Array.from(mean),
      parts: Float32Array.from([...mean, ...mean, ...mean, ...mean, ...mean]),
      frames: { frames: 1, width: mean.length, data: Float32Array.from(mean) },
    },
  ]));

Deno.test("runVerification() and runIdentification() standardise by other recordings", () => {
  // Far from zero nothing tells the two apart by its angle; from the others' mean (100, 100) they
  // lie at right angles.
  const test = ["a1", "a2", "b1", "b2"].map((name) => segment(name, name[0]));
  const dev = ["c1", "c2"].map((name) => segment(name, "c"));
  const hearing = heard(
    [test[0], [101, 100]],
    [test[1], [103, 100]],
    [test[2], [100, 102]],
    [test[3], [100, 104]],
    [dev[0], [90, 90]],
    [dev[1], [110, 110]],
  );
  const verified = runVerification(hearing, { source: "made up", test, dev });
  assert.equal(verified.standardised.value, 0);
  assert.equal(verified.scaledBy, 2);
  assert.equal(runIdentification(hearing, { source: "made up", test, dev }).standardised.value, 1);

  // The same others around another place: seen from there all lie in one direction, the far ones of
  // both nearest to each other.
  const elsewhere = new Map([
    ...hearing,
    ...heard([dev[0], [-1e6, -1e6 - 10]], [dev[1], [-1e6, -1e6 + 10]]),
  ]);
  assert.ok(runVerification(elsewhere, { source: "made up", test, dev }).standardised.value > 0);
  // by their own, where there are no others
  assert.equal(runVerification(hearing, { source: "made up", test, dev: [] }).scaledBy, 4);
});

Deno.test("runAbx() standardises frames by the others' recordings", async () => {
  const words = ["yes", "no"].flatMap((text) =>
    ["a", "b"].map((speaker) => segment(`${text} ${speaker}`, speaker, text))
  );
  const again = words.map(({ path, speaker, text }) => segment(`${path} again`, speaker, text));
  const dev = ["c1", "c2"].map((name) => segment(name, "c"));
  const place = ({ text, path }: Segment) => {
    const size = path.length; // the louder of two is no other word
    return text === "yes" ? [1000 + size, 0] : [1000, size];
  };
  const tokens = [...words, ...again];
  const hearing = heard(...tokens.map((token) => [token, place(token)] as const), [dev[0], [
    990,
    -10,
  ]], [dev[1], [1010, 10]]);
  const { within, across } = await runAbx(
    hearing,
    { source: "made up", tokens, dev },
    loopDotProducts,
  );
  for (const { raw, standardised, scaledBy } of [within, across]) {
    assert.equal(standardised.value, 0);
    assert.ok(raw.value > 0, `${raw.value}`);
    assert.equal(scaledBy, 2);
  }
});
