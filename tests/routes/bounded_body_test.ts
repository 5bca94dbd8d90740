import assert from "node:assert/strict";
import { clearImmediate, setImmediate } from "node:timers";
import { Hono } from "hono";
import { CpcError } from "../../errors.ts";
import { type BodyBounds, bodyPieces } from "../../routes/bounded_body.ts";

/** Reads a body; gives the lengths of its pieces, or the code of its fault. */
async function read(
  body: BodyInit | null,
  { headers = {}, ...changes }: Partial<BodyBounds> & { headers?: Record<string, string> } = {},
) {
  const bounds = { maxBytes: 1e6, stallMs: 60_000, bytesPerS: 1, ...changes };
  const app = new Hono();
  const lengths: number[] = [];
  app.post("/", async (c) => {
    try {
      for await (const piece of bodyPieces(c, bounds)) lengths.push(piece.length);
      return c.text("whole");
    } catch (error) {
      return c.text(error instanceof CpcError ? error.code : String(error));
    }
  });
  const answer = await app.request("/", { method: "POST", body, headers });
  return { ended: await answer.text(), lengths };
}

/** A body that goes on until it is cancelled, a piece every few milliseconds. */
function endless(bytes: number, everyMs: number) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const state = { cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise<void>((resolve) => timer = setTimeout(resolve, everyMs));
      if (!state.cancelled) controller.enqueue(new Uint8Array(bytes));
    },
    cancel() {
      state.cancelled = true;
      clearTimeout(timer);
    },
  });
  return { body, state };
}

Deno.test("bodyPieces() hands a body on in pieces of 64 KiB at the most", async () => {
  const { ended, lengths } = await read(new Uint8Array(150_000));
  assert.deepEqual([ended, lengths], ["whole", [65_536, 65_536, 150_000 - 131_072]]);
});

Deno.test("bodyPieces() ends a body that is too large, announced or not", async () => {
  const announced = await read("x", { headers: { "content-length": "1000001" } });
  assert.deepEqual(announced, { ended: "too_large", lengths: [] });
  const { body, state } = endless(300_000, 0);
  assert.equal((await read(body)).ended, "too_large");
  assert.ok(state.cancelled);
});

Deno.test("bodyPieces() takes what is just as large as allowed, and no body at all", async () => {
  const body = new Uint8Array(1000);
  const announcements: Record<string, string>[] = [
    {},
    { "content-length": "1000" },
    { "content-length": "x" },
  ];
  for (const headers of announcements) {
    assert.deepEqual(await read(body, { headers, maxBytes: 1000 }), {
      ended: "whole",
      lengths: [1000],
    });
    assert.equal((await read(body, { headers, maxBytes: 999 })).ended, "too_large");
  }
  assert.deepEqual(await read(null), { ended: "whole", lengths: [] });
});

Deno.test("bodyPieces() reads nothing of a body whose time was up before", async () => {
  const signal = AbortSignal.abort(new CpcError("overloaded", "enough"));
  assert.deepEqual(await read(new Uint8Array(10), { signal }), {
    ended: "overloaded",
    lengths: [],
  });
});

Deno.test("bodyPieces() ends a body whose sender is silent or too slow", async () => {
  let isCancelled = false;
  const never = new ReadableStream({ cancel: () => void (isCancelled = true) });
  assert.equal((await read(never, { stallMs: 5 })).ended, "slow_sender");
  assert.ok(isCancelled);
  const slow = endless(1, 5);
  const { ended, lengths } = await read(slow.body, { stallMs: 60, bytesPerS: 1e6 });
  assert.equal(ended, "slow_sender");
  assert.ok(lengths.length > 0);
  assert.ok(slow.state.cancelled);
});

Deno.test("bodyPieces() ends with its signal while the sender says nothing", async () => {
  const controller = new AbortController();
  const body = new ReadableStream({
    pull: () => controller.abort(new CpcError("overloaded", "enough")),
  }, { highWaterMark: 0 });
  assert.equal((await read(body, { signal: controller.signal })).ended, "overloaded");
});

Deno.test("bodyPieces() gives others their turn while a body is worked on", async () => {
  let turns = 0;
  let immediate = setImmediate(function turn() {
    turns++;
    immediate = setImmediate(turn);
  });
  const app = new Hono();
  app.post("/", async (c) => {
    turns = 0;
    for await (const _ of bodyPieces(c, { maxBytes: 1e7, stallMs: 60_000, bytesPerS: 1 })) {
      const startedMs = performance.now();
      while (performance.now() - startedMs < 1);
    }
    return c.text(String(turns));
  });
  const body = new Uint8Array(20 * 65_536);
  const answer = await app.request("/", { method: "POST", body });
  clearImmediate(immediate);
  assert.ok(Number(await answer.text()) >= 32, `${turns} turns of the event loop`);
});
