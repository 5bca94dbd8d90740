import assert from "node:assert/strict";
import { referenceForward } from "../../../model/reference.ts";
import { maxDifference } from "../../support/golden.ts";
import { random } from "../../support/stream.ts";
import {
  type Answers,
  featureRows,
  OUTPUTS,
  runVap,
  TOLERANCE,
  VAP_FIXTURES,
  vapFixture,
} from "../../support/vap.ts";

for (const name of VAP_FIXTURES) {
  Deno.test(`vapGraph() of ${name}: every row is the original's`, async () => {
    const fixture = vapFixture(name);
    const { network: { sizes: { channels } }, expected } = fixture;
    await using vap = await runVap(fixture.network, fixture.windowRows);
    const states = vap.begin(1);
    const rows = featureRows(fixture);
    const wanted = OUTPUTS.map((output) => expected.get(output)!);
    const count = wanted[0].shape[0];
    assert.ok(count > fixture.windowRows || name === "vap_20hz"); // old rows leave the window
    for (let r = 0; r < count; r++) {
      const answers = await vap.step(rows[r], { from: states, to: states });
      wanted.forEach(({ data }, i) => {
        const theirs = Array.from(data, Number).slice(r * channels, (r + 1) * channels);
        const difference = maxDifference(answers[OUTPUTS[i]], theirs);
        assert.ok(difference <= TOLERANCE, `row ${r}, ${OUTPUTS[i]}: ${difference}`);
      });
    }
  });

  Deno.test(`featuresOf() the CPC file of ${name}: the original's first LSTM layer`, () => {
    const { weights, samples, expected } = vapFixture(name);
    const { data, shape: [, frames, width] } = expected.get("c")!;
    samples.forEach((one, c) => {
      const { context } = referenceForward(weights, one.subarray(0, 160 * frames + 312));
      const theirs = Array.from(data, Number).slice(c * frames * width, (c + 1) * frames * width);
      assert.ok(maxDifference(context.data.slice(0, frames * width), theirs) <= TOLERANCE);
    });
  });

  Deno.test(`vapGraph() of ${name}: 8 dialogues of different ages answer as alone`, async () => {
    const { network, windowRows } = vapFixture(name);
    const { channels, every, features } = network.sizes;
    await using vap = await runVap(network, windowRows);
    const next = random(5);
    const noise = () =>
      Float32Array.from({ length: channels * every * features }, () => 2 * next() - 1);
    const alone = Array.from({ length: 8 }, () => vap.begin(1));
    for (const [b, states] of alone.entries()) { // one is new, one is beyond its window
      const age = b === 7 ? Math.min(2 * windowRows + 3, 160) : 3 * b;
      for (let r = 0; r < age; r++) await vap.step(noise(), { from: states, to: states });
    }
    const together = vap.begin(8);
    for (const [state, all] of Object.entries(together)) {
      alone.forEach((states, b) => all.set(states[state], b * states[state].length));
    }
    for (let r = 0; r < 4; r++) {
      const inputs = alone.map(noise);
      const all = Float32Array.from(inputs.flatMap((input) => [...input]));
      const answers = await vap.step(all, { from: together, to: together });
      for (const [b, input] of inputs.entries()) {
        const own: Answers = await vap.step(input, { from: alone[b], to: alone[b] });
        for (const output of OUTPUTS) {
          const row = answers[output].subarray(b * channels, (b + 1) * channels);
          assert.deepEqual(row, own[output], `row ${r} of dialogue ${b}, ${output}`);
        }
      }
    }
  });
}

Deno.test("vapGraph() writes its state over the old one: both may be the same memory", async () => {
  const { network, windowRows } = vapFixture("vap_mono_10hz");
  const { every, features } = network.sizes;
  await using vap = await runVap(network, windowRows);
  const next = random(6);
  const inPlace = vap.begin(1);
  let [from, to] = [vap.begin(1), vap.begin(1)];
  for (let r = 0; r < 3 * windowRows; r++) {
    const row = Float32Array.from({ length: every * features }, () => 2 * next() - 1);
    const answers = await vap.step(row, { from, to });
    assert.deepEqual(await vap.step(row, { from: inPlace, to: inPlace }), answers, `row ${r}`);
    [from, to] = [to, from];
  }
  assert.deepEqual(inPlace, from);
  assert.equal(from.position[0], windowRows); // of 3N rows: N, then N … 2N − 1 in turn
});
