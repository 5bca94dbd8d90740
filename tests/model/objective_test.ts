import assert from "node:assert/strict";
import fc from "fast-check";
import { CpcError } from "../../errors.ts";
import { chooseFrame, figuresOf } from "../../model/objective.ts";
import { seeded } from "../../model/seeded.ts";

const refusal = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof CpcError && error.code === code && message.test(error.message);

Deno.test("chooseFrame() refuses a t out of range and windows too short, with the numbers", () => {
  const frames = { frames: 20, steps: 12 };
  for (const t of [-1, 8, 2.5]) {
    assert.throws(
      () => chooseFrame(frames, { t, random: seeded(1) }),
      refusal("invalid_option", /0 to 7 .* got/),
    );
  }
  assert.equal(chooseFrame(frames, { t: 0, random: seeded(1) }), 0);
  assert.equal(chooseFrame(frames, { t: 7, random: seeded(1) }), 7);
  assert.throws(
    () => chooseFrame({ frames: 12, steps: 12 }, { random: seeded(1) }),
    refusal("audio_too_short", /at least 13; it has 12/),
  );
});

Deno.test("chooseFrame() draws every frame, and the same by the same seed", () => {
  const drawn = new Set<number>();
  for (let seed = 0; seed < 300; seed++) {
    const draw = () => chooseFrame({ frames: 20, steps: 12 }, { random: seeded(seed) });
    assert.equal(draw(), draw());
    drawn.add(draw());
  }
  assert.deepEqual([...drawn].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("figuresOf() takes the first of equals, as torch.argmax does", () => {
  const { nce, accuracy } = figuresOf(new Float64Array(16), 1);
  assert.ok(Math.abs(nce - Math.log(4)) < 1e-12);
  assert.equal(accuracy, 1 / 4);
});

Deno.test("figuresOf() stays finite for huge scores; a row's constant changes nothing", () => {
  fc.assert(fc.property(
    fc.integer({ min: 2, max: 6 }).chain((n) =>
      fc.array(fc.double({ min: -1e4, max: 1e4, noNaN: true }), {
        minLength: n * n,
        maxLength: n * n,
      })
    ),
    (values) => {
      const figures = figuresOf(Float64Array.from(values), 1);
      assert.ok(Number.isFinite(figures.nce) && figures.nce >= 0);
      const n = Math.sqrt(values.length);
      const moved = figuresOf(Float64Array.from(values, (x, i) => i < n ? x + 100 : x), 1);
      assert.ok(Math.abs(moved.nce - figures.nce) < 1e-6);
    },
  ));
});
