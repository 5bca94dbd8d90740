import assert from "node:assert/strict";
import { CpcError } from "../../errors.ts";
import { capacityUsed, checkAdmission, Overload } from "../../streaming/admission.ts";

const stream = (openedAtMs: number, lateS: number, audioMs = 0) => ({
  owner: "",
  streams: 1,
  model: "tiny",
  openedAtMs,
  lateS,
  audioMs,
});

Deno.test("Overload.look() ends the newest late stream after a second, one a second", () => {
  const overload = new Overload();
  const [old, newer, newest] = [stream(1, 2), stream(3, 2), stream(9, 0.2)];
  const streams = [newer, newest, old];
  assert.equal(overload.look(streams, 0), undefined);
  assert.equal(overload.look(streams, 999), undefined);
  assert.equal(overload.look(streams, 1000), newer, "the newest of all is not late");
  assert.equal(overload.look([old, newest], 1500), undefined, "the others get time to catch up");
  assert.equal(overload.look([old, newest], 1999), undefined);
});

Deno.test("Overload.look() forgets what caught up, and spares the last active stream", () => {
  const overload = new Overload();
  const [late, fine, silent] = [stream(2, 5), stream(1, 0), stream(3, 5, -10_000)];
  assert.equal(overload.look([late, fine], 0), undefined);
  assert.equal(overload.look([fine, fine], 500), undefined);
  assert.equal(overload.look([late, fine], 1200), undefined, "late again since now");
  assert.equal(overload.look([late, silent], 5000), undefined, "one speaks");
});

Deno.test("checkAdmission() takes no more streams while some are late", () => {
  const admit = (others: ReturnType<typeof stream>[]) =>
    checkAdmission({ owner: "", model: "tiny", streams: 1 }, others, {
      limits: { maxStreams: 8, maxStreamsOf: () => Infinity },
      workers: 1,
      loadOf: () => 0.01,
      nowMs: 0,
    });
  admit([stream(1, 0.9)]);
  assert.throws(
    () => admit([stream(1, 0), stream(2, 1.1)]),
    (error: unknown) => error instanceof CpcError && error.code === "overloaded",
  );
});

Deno.test("checkAdmission() fills the workers with what speaks, to the last", () => {
  const admit = (others: { model: string | undefined; audioMs: number }[]) =>
    checkAdmission(
      { owner: "", model: "tiny", streams: 1 },
      others.map((other) => ({ ...stream(1, 0), ...other })),
      {
        limits: { maxStreams: 8, maxStreamsOf: () => Infinity },
        workers: 2,
        loadOf: () => 0.5,
        nowMs: 10_000,
      },
    );
  const speaking = { model: "tiny", audioMs: 9_000 };
  const silent = { model: "tiny", audioMs: 0 };
  const opening = { model: undefined, audioMs: 9_000 };
  admit([speaking, speaking, speaking, silent, silent, opening]);
  assert.throws(() => admit([speaking, speaking, speaking, speaking]), {
    code: "overloaded",
    message: /4 streams are active, and this machine keeps about 4 live/,
  });
});

Deno.test("capacityUsed() is the larger share: of open streams, of workers' time", () => {
  const used = (others: ReturnType<typeof stream>[]) =>
    capacityUsed(others, {
      limits: { maxStreams: 8, maxStreamsOf: () => Infinity },
      workers: 2,
      loadOf: () => 0.5,
      nowMs: 0,
    });
  const [speaks, silent] = [stream(0, 0), stream(0, 0, -10_000)];
  assert.equal(used([]), 0);
  assert.equal(used([silent]), 1 / 8);
  assert.equal(used([speaks, speaks, speaks, silent]), 3 / 4);
});
