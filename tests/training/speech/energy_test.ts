import assert from "node:assert/strict";
import { normal, seeded } from "../../../model/seeded.ts";
import { energySpans } from "../../../training/speech/energy.ts";
import { makeTracks, shuffled } from "../../../training/speech/tracks.ts";

/** Tones at these levels in dB, each for so many seconds, over faint noise. */
function tones(parts: readonly (readonly [db: number, seconds: number])[]): Float32Array {
  const random = seeded(1);
  return Float32Array.from(parts.flatMap(([db, seconds]) => {
    const level = 10 ** (db / 20);
    return Array.from(
      { length: seconds * 16_000 },
      (_, i) => level * Math.sin(i / 4) + 1e-5 * normal(random),
    );
  }));
}

const near = (a: number, b: number) => Math.abs(a - b) <= 0.02;

Deno.test("energySpans() labels loud and quiet, and leaves out what lies between", () => {
  const spans = energySpans(tones([[-90, 0.5], [-10, 0.6], [-39, 0.4], [-90, 0.5], [-12, 0.8]]))!;
  assert.deepEqual(spans.map(({ label }) => label), ["silence", "speech", "silence", "speech"]);
  const wanted = [[0, 0.5], [0.5, 1.1], [1.5, 2], [2, 2.8]];
  spans.forEach(({ start, end }, i) =>
    assert.ok(near(start, wanted[i][0]) && near(end, wanted[i][1]), `${start} … ${end}`)
  );
});

Deno.test("energySpans() bridges closures within words, and gives a click no label", () => {
  const closure = energySpans(tones([[-90, 0.5], [-10, 0.4], [-90, 0.1], [-10, 0.4], [-90, 0.5]]))!;
  assert.deepEqual(closure.map(({ label }) => label), ["silence", "speech", "silence"]);
  assert.ok(near(closure[1].end - closure[1].start, 0.9));
  const click = energySpans(tones([[-10, 0.6], [-90, 0.5], [-10, 0.03], [-90, 0.5]]))!;
  assert.deepEqual(click.map(({ label }) => label), ["speech", "silence", "silence"]);
});

Deno.test("energySpans() gives a recording with noise no labels at all", () => {
  const random = seeded(2);
  const noisy = tones([[-90, 0.5], [-20, 0.5]]).map((x) => x + 0.01 * normal(random));
  assert.equal(energySpans(noisy), undefined);
  assert.equal(energySpans(new Float32Array(16_000)), undefined);
  assert.equal(energySpans(new Float32Array(100)), undefined);
});

Deno.test("makeTracks() puts utterances between silences, with labels that fit, each once", () => {
  const utterances = Array.from({ length: 30 }, (_, i) => {
    const samples = tones([[-90, 0.3], [-20, 0.7], [-90, 0.3]]);
    return { speaker: `s${i}`, samples, spans: energySpans(samples)! };
  });
  const options = { seed: 1, seconds: 10, count: 5 };
  const tracks = makeTracks(utterances, options);
  assert.equal(tracks.length, 5);
  assert.deepEqual(makeTracks(utterances, options), tracks);
  const speakers = tracks.flatMap(({ speakers }) => speakers);
  assert.equal(new Set(speakers).size, speakers.length);
  for (const { samples, spans } of tracks) {
    assert.equal(samples.length, 160_000);
    for (const { start, end, label } of spans) {
      const part = samples.subarray(Math.round(start * 16_000), Math.round(end * 16_000));
      const rms = Math.sqrt(part.reduce((sum, x) => sum + x * x, 0) / part.length);
      if (label === "speech") assert.ok(rms > 0.01, `speech at ${start} has ${rms}`);
      else assert.ok(rms < 0.003, `silence at ${start} has ${rms}`);
    }
    assert.ok(spans.every(({ start }, i) => i === 0 || start >= spans[i - 1].end - 1e-9));
  }
  const few = makeTracks(utterances.slice(0, 8), options);
  assert.ok(few.length < 5, "utterances are not used again");
});

Deno.test("shuffled() keeps every item, in an order of the seed's", () => {
  const items = Array.from({ length: 50 }, (_, i) => i);
  assert.deepEqual(shuffled(items, 1).toSorted((a, b) => a - b), items);
  assert.deepEqual(shuffled(items, 1), shuffled(items, 1));
  assert.notDeepEqual(shuffled(items, 2), shuffled(items, 1));
});
