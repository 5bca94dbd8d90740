import assert from "node:assert/strict";
import { eventFigures } from "../../../evaluation/metrics/events.ts";
import { headSpecSchema } from "../../../model/heads/spec.ts";

const spec = headSpecSchema.parse({
  input: "context",
  every: 10,
  features: "0".repeat(64),
  outputs: [{ name: "label", shape: [2] }],
  events: [
    { event: "a", output: "label", index: 0, on: 0.5, off: 0.5, min_on_s: 0.2, min_off_s: 0.2 },
    { event: "b", output: "label", index: 1, on: 0.5, off: 0.5, min_on_s: 0.2, min_off_s: 0.2 },
  ],
});

/** Rows of 0.1 s, as the labels `a`, `b`, and `-` for none; what is said, likewise. */
function rows(labels: string, said: string) {
  return {
    labels: Int32Array.from(labels, (label) => "ab".indexOf(label)),
    values: Float32Array.from(
      [...said].flatMap((one) => [one === "a" ? 1 : 0, one === "b" ? 1 : 0]),
    ),
  };
}

Deno.test("eventFigures() counts spans found, false alarms, and the delay to the decision", () => {
  const [a, b] = eventFigures(
    [
      rows("bbbbb--aaaaaaaa--bbbbbbbbbbbbbbbbbbbb", "bbbbbbbbbaaaaaabbbbbbbbbbbaaaabbbbbbb"),
      rows("bbbbbbaaaaaabbbbbb", "bbbbbbbbbbbbbbbbbb"),
    ],
    spec,
    { hopSamples: 160 },
  );
  assert.deepEqual([a.event, a.spans, a.found, a.falseAlarms], ["a", 2, 1, 1]);
  assert.ok(Math.abs(a.delayS - 0.4) < 1e-9, `${a.delayS}`);
  assert.ok(Math.abs(a.hours - 5.5 / 3600) < 1e-9);
  assert.deepEqual([b.spans, b.found, b.falseAlarms], [4, 3, 0]);
});

Deno.test("eventFigures() takes an event around its span or up to 0.5 s late", () => {
  const of = (labels: string, said: string) => {
    const [{ found, falseAlarms }] = eventFigures([rows(labels, said)], spec, { hopSamples: 160 });
    return [found, falseAlarms];
  };
  assert.deepEqual(of("bb--aaabbbbbbbb", "b-aa-----------"), [1, 0], "where no label is");
  assert.deepEqual(of("bbaaabbbbbbbbb", "b------aa-----"), [1, 0], "late");
  assert.deepEqual(of("bbaaabbbbbbbbbbbb", "b------------aa--"), [0, 1], "too late");
});
