import assert from "node:assert/strict";
import { pitchShifted } from "../../training/pitch.ts";

/** A buzz whose first harmonic is the strongest, with a click a second. */
const voice = (hz: number) =>
  Float32Array.from(
    { length: 16_000 },
    (_, i) =>
      [1, 2, 3].reduce((sum, n) => sum + Math.sin(2 * Math.PI * n * hz * i / 16_000) / n ** 2, 0) /
      4,
  );

/** How much of a frequency is in the middle of a signal, 0 to 1. */
function share(samples: Float32Array, hz: number): number {
  const middle = samples.subarray(4000, 12_000);
  let [re, im, energy] = [0, 0, 0];
  middle.forEach((x, i) => {
    re += x * Math.cos(2 * Math.PI * hz * i / 16_000);
    im += x * Math.sin(2 * Math.PI * hz * i / 16_000);
    energy += x * x;
  });
  return 2 * (re * re + im * im) / (middle.length * energy);
}

Deno.test("pitchShifted() moves the pitch, and keeps length, level and tempo", () => {
  for (const [semitones, ratio] of [[7, 1.5], [3, 1.2], [-3, 0.85], [-7, 0.675]]) {
    const shifted = pitchShifted(voice(200), semitones);
    assert.equal(shifted.length, 16_000);
    assert.ok(
      share(shifted, 200 * ratio) > 0.8,
      `${semitones} semitones: ${share(shifted, 200 * ratio)} at ${200 * ratio} Hz`,
    );
    assert.ok(share(shifted, 200) < 0.05);
    const rms = (x: Float32Array) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
    assert.ok(Math.abs(20 * Math.log10(rms(shifted) / rms(voice(200)))) < 1);
  }
  for (const onset of [3000, 8000, 14_000]) {
    for (const semitones of [-7, -4, 4, 7]) {
      const burst = voice(200).map((x, i) => i >= onset && i < onset + 1600 ? x : 0);
      const at = pitchShifted(burst, semitones).findIndex((x) => Math.abs(x) > 0.05);
      assert.ok(
        Math.abs(at - onset) < 250,
        `${semitones} semitones: a burst at ${onset} begins at ${at}`,
      ); // half a piece and 5 ms
    }
  }
});

Deno.test("pitchShifted() leaves 0 and silence alone, and refuses short windows", () => {
  const window = voice(150);
  assert.equal(pitchShifted(window, 0.1), window);
  assert.ok(pitchShifted(new Float32Array(1000), 5).every((x) => x === 0));
  assert.equal(pitchShifted(voice(150).slice(0, 400), -12).length, 400);
  assert.throws(() => pitchShifted(new Float32Array(399), 5), /at least 400 samples, got 399/);
});
