import assert from "node:assert/strict";
import { maxDifference, readNpy } from "../support/golden.ts";
import { random } from "../support/stream.ts";
import { wav as madeWav } from "../support/server.ts";
import { flacRate, npy, readWav, wav } from "../../web/files.ts";
import { OnlinePca } from "../../web/pca.ts";
import { explain } from "../../web/words.ts";

Deno.test("npy() writes what NumPy reads, its data aligned", () => {
  for (const count of [0, 1, 12, 12345]) {
    const rows = Array.from({ length: count }, (_, i) => Float32Array.of(i, -i, 0.5));
    const bytes = npy(rows, 3);
    const { shape, data } = readNpy(bytes);
    assert.deepEqual(shape, [count, 3]);
    assert.deepEqual([...data], rows.flatMap((row) => [...row]));
    assert.equal((bytes.length - data.byteLength) % 64, 0);
  }
});

Deno.test("readWav() reads what wav() wrote and integers as the server does; leaves other files to the browser", () => {
  const written = wav([Float32Array.of(1, 2), Float32Array.of(3)], 44_100);
  assert.deepEqual(readWav(written.buffer), {
    sampleRate: 44_100,
    samples: Float32Array.of(1, 2, 3),
  });
  const stereo = madeWav([0.5, -0.25, -1, -0.5], {
    rate: 8_000,
    channels: 2,
    extensible: true,
    claimed: 0xffffffff,
  });
  assert.deepEqual(readWav(stereo.buffer), {
    sampleRate: 8_000,
    samples: Float32Array.of(0.125, -0.75),
  });
  assert.equal(readWav(madeWav([0, 0], { bits: 24 }).buffer), undefined);
  for (let length = 0; length < 44; length++) {
    assert.equal(readWav(written.buffer.slice(0, length)), undefined);
  }
});

Deno.test("flacRate() reads the rate of a FLAC file", () => {
  const flac = new Uint8Array(64);
  flac.set([0x66, 0x4c, 0x61, 0x43, 0, 0, 0, 34]);
  flac.set([96_000 >> 12, 96_000 >> 4 & 255, (96_000 & 15) << 4], 18);
  assert.equal(flacRate(flac.buffer), 96_000);
  assert.equal(flacRate(new ArrayBuffer(100)), undefined);
  assert.equal(flacRate(new ArrayBuffer(3)), undefined);
});

Deno.test("OnlinePca finds the plane that vectors lie in", () => {
  const next = random(5);
  const bell = () => next() + next() + next() + next() - 2;
  const axes = [[0.6, 0.8, 0, 0, 0], [0, 0, 1, 0, 0]];
  const pca = new OnlinePca(5);
  const draw = () => {
    const [a, b] = [bell() * 6, bell() * 2];
    return { a, b, vector: axes[0].map((x, i) => 10 + a * x + b * axes[1][i] + bell() * 0.05) };
  };
  for (let i = 0; i < 3000; i++) pca.add(draw().vector);
  const probes = Array.from({ length: 50 }, draw);
  for (const [k, name] of (["a", "b"] as const).entries()) {
    const places = probes.map(({ vector }) => pca.project(vector)[k]);
    const sign = Math.sign(places.reduce((sum, x, i) => sum + x * probes[i][name], 0));
    assert.ok(maxDifference(places.map((x) => sign * x), probes.map((probe) => probe[name])) < 1);
  }
});

Deno.test("explain() has words for codes of the server and names of the browser, and passes others on", () => {
  assert.match(explain({ code: "overloaded", message: "x", retryAfterMs: 2000 }), /busy.*2 s/);
  assert.match(explain(new DOMException("x", "NotFoundError")), /No microphone/);
  assert.match(explain(new Error("quite new")), /quite new/);
});
