import assert from "node:assert/strict";
import fc from "fast-check";
import { StreamingResampler } from "../../audio/resample.ts";
import { CpcError } from "../../errors.ts";
import { concat, cut, decibels, noise, tone } from "./signals.ts";

/**
 * Usual rates, and ratios that fit no table: 44101 and 95999 Hz are interpolated between phases.
 */
const RATES = [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 44_101, 48_000, 95_999, 96_000];

function resample(samples: Float32Array<ArrayBuffer>, fromRate: number): Float32Array<ArrayBuffer> {
  const resampler = new StreamingResampler({ fromRate });
  return concat([resampler.push(samples), resampler.flush()]);
}

for (const rate of RATES) {
  const nyquist = Math.min(rate, 16_000) / 2;

  Deno.test(`StreamingResampler ${rate} Hz: flat to 0.91 Nyquist, images below −100 dB`, () => {
    const ripples = [];
    for (let hertz = 40; hertz <= 0.91 * nyquist; hertz += nyquist / 33.1) {
      const expected = tone({ rate: 16_000, hertz, seconds: 0.3 });
      const got = resample(tone({ rate, hertz, seconds: 0.3 }), rate).subarray(0, expected.length);
      ripples.push(Math.abs(decibels(got, expected)));
      const error = decibels(got.map((sample, i) => sample - expected[i]), expected);
      assert.ok(error <= -100, `${hertz} Hz differs by ${error} dB from the same tone at 16 kHz`);
    }
    assert.ok(
      ripples.length >= 30 && Math.max(...ripples) <= 0.01,
      `ripple ${Math.max(...ripples)} dB`,
    );
  });

  if (rate > 16_000) {
    Deno.test(`StreamingResampler ${rate} Hz: what lies above 8 kHz is down by 100 dB`, () => {
      const unit = tone({ rate: 16_000, hertz: 1000, seconds: 0.3 });
      for (let hertz = 8_001; hertz < rate / 2; hertz += (rate / 2 - 8_000) / 24.7) {
        const alias = decibels(
          resample(tone({ rate, hertz, seconds: 0.3 }), rate).subarray(0, unit.length),
          unit,
        );
        assert.ok(alias <= -100, `${hertz} Hz leaves ${alias} dB`);
      }
    });
  }
}

Deno.test("StreamingResampler gives bit-identical samples however the input is cut", () => {
  const cases = fc.record({
    fromRate: fc.oneof(fc.constantFrom(...RATES, 16_000), fc.integer({ min: 8_000, max: 96_000 })),
    samples: fc.integer({ min: 0, max: 3_000 }),
    cuts: fc.array(fc.nat(), { maxLength: 12 }),
  });
  fc.assert(
    fc.property(cases, ({ fromRate, samples, cuts }) => {
      const input = noise(samples);
      const resampler = new StreamingResampler({ fromRate });
      const pieces = cut(input, cuts).map((piece) => resampler.push(piece));
      assert.deepEqual(concat([...pieces, resampler.flush()]), resample(input, fromRate));
    }),
    { numRuns: 60 },
  );
});

Deno.test("StreamingResampler gives the same for long blocks as sample by sample", () => {
  for (const rate of [8_000, 44_100, 48_000]) {
    const input = noise(40_000);
    const resampler = new StreamingResampler({ fromRate: rate });
    const single = Array.from(input, (_, i) => resampler.push(input.subarray(i, i + 1)));
    assert.deepEqual(concat([...single, resampler.flush()]), resample(input, rate));
  }
});

Deno.test("StreamingResampler turns N samples into ceil(N · 16000 / rate)", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 8_000, max: 96_000 }),
      fc.integer({ min: 0, max: 2_000 }),
      (fromRate, samples) => {
        assert.equal(
          resample(noise(samples), fromRate).length,
          Math.ceil((samples * 16_000) / fromRate),
        );
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("outputsReady() says what push() will emit, each output as soon as it can be", () => {
  for (const fromRate of [...RATES, 16_000]) {
    const resampler = new StreamingResampler({ fromRate });
    const needed = (output: number) =>
      Math.floor((output - 1) * fromRate / 16_000) + resampler.latencySamples + 1;
    for (let inputs = 0; inputs < 2 * resampler.latencySamples + 50; inputs++) {
      assert.equal(resampler.outputs, resampler.outputsReady(inputs));
      const emitted = resampler.push(new Float32Array(1)).length;
      for (let output = resampler.outputs - emitted + 1; output <= resampler.outputs; output++) {
        assert.equal(needed(output), inputs + 1, `output ${output} of ${fromRate} Hz`);
      }
    }
  }
});

Deno.test("StreamingResampler.latencySamples is what an output waits for past its instant", () => {
  const latency = (fromRate: number) => new StreamingResampler({ fromRate }).latencySamples;
  assert.deepEqual([16_000, 48_000, 8_000].map(latency), [0, 231, 77]);
  for (const rate of RATES) assert.ok(latency(rate) / rate < 0.0097, `${rate} Hz`);
});

Deno.test("StreamingResampler puts an impulse where it was", () => {
  for (
    const [fromRate, at, expected] of [[48_000, 3_000, 1_000], [8_000, 500, 1_000], [
      32_000,
      2_000,
      1_000,
    ]]
  ) {
    const impulse = new Float32Array(2 * at);
    impulse[at] = 1;
    const output = resample(impulse, fromRate);
    assert.equal(output.indexOf(Math.max(...output)), expected);
  }
});

Deno.test("StreamingResampler.push() at 16 kHz hands back the very array", () => {
  const samples = noise(10);
  const resampler = new StreamingResampler({ fromRate: 16_000 });
  assert.equal(resampler.push(samples), samples);
  assert.equal(resampler.flush().length, 0);
});

Deno.test("StreamingResampler.snapshot() and restore() continue bit for bit", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...RATES, 16_000),
      fc.integer({ min: 0, max: 1_500 }),
      (fromRate, at) => {
        const input = noise(1_500);
        const first = new StreamingResampler({ fromRate });
        const head = first.push(input.subarray(0, at));
        const second = new StreamingResampler({ fromRate });
        second.push(noise(100, 2));
        second.restore(structuredClone(first.snapshot()));
        assert.equal(second.outputs, head.length);
        assert.deepEqual(
          concat([head, second.push(input.subarray(at)), second.flush()]),
          resample(input, fromRate),
        );
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("StreamingResampler.restore() refuses a snapshot of other rates", () => {
  const snapshot = new StreamingResampler({ fromRate: 8_000 }).snapshot();
  assert.throws(() => new StreamingResampler({ fromRate: 48_000 }).restore(snapshot), RangeError);
});

Deno.test("StreamingResampler.reset() and flush() begin anew", () => {
  const input = noise(2_000);
  const resampler = new StreamingResampler({ fromRate: 44_100 });
  resampler.push(noise(777, 3));
  resampler.reset();
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(concat([resampler.push(input), resampler.flush()]), resample(input, 44_100));
  }
});

Deno.test("StreamingResampler refuses rates that are no whole number of Hz in range", () => {
  for (const fromRate of [0, 999, 768_001, 44_100.5, NaN]) {
    assert.throws(
      () => new StreamingResampler({ fromRate }),
      (error: unknown) =>
        error instanceof CpcError && error.param === "sample_rate" &&
        error.message.includes(String(fromRate)),
    );
  }
});
