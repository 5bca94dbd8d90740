import assert from "node:assert/strict";
import { clearImmediate, setImmediate } from "node:timers";
import { CpcError } from "../../errors.ts";
import { answerStream } from "../../routes/answer_stream.ts";

/** A source that tells when it was closed. */
function counting(limit = Infinity) {
  const source = {
    made: 0,
    closed: false,
    async *read() {
      try {
        while (source.made < limit) yield await Promise.resolve(Uint8Array.of(source.made++));
      } finally {
        source.closed = true;
      }
    },
  };
  return source;
}

/** Options that remember how the body ended. */
function endings() {
  const ended: unknown[] = [];
  return {
    ended,
    options: { stallMs: 60_000, bytesPerS: 1, onEnd: (error?: unknown) => void ended.push(error) },
  };
}

Deno.test("answerStream() makes pieces as they are read and ends once", async () => {
  const { ended, options } = endings();
  const source = counting(3);
  const reader = answerStream(source.read(), options).getReader();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(source.made, 0, "nothing is made before it is asked for");
  for (let i = 0; i < 3; i++) assert.deepEqual((await reader.read()).value, Uint8Array.of(i));
  assert.deepEqual([(await reader.read()).done, ended, source.closed], [true, [undefined], true]);
});

Deno.test("answerStream() ends with its reader, its client or its source", async () => {
  const cancelled = endings();
  const source = counting();
  const body = answerStream(source.read(), cancelled.options);
  const reader = body.getReader();
  await reader.read();
  await reader.cancel();
  assert.deepEqual([cancelled.ended, source.closed], [[undefined], true]);

  const gone = endings();
  const controller = new AbortController();
  const unread = answerStream(counting().read(), { ...gone.options, signal: controller.signal });
  controller.abort();
  assert.deepEqual(gone.ended, [undefined]);
  // no error, which the adaptor would print
  assert.equal((await new Response(unread).arrayBuffer()).byteLength, 0);

  const before = endings();
  const already = { ...before.options, signal: AbortSignal.abort() };
  const never = answerStream(counting().read(), already);
  assert.deepEqual(before.ended, [undefined]);
  assert.equal((await new Response(never).arrayBuffer()).byteLength, 0);

  const late = endings();
  const deadline = new AbortController();
  const cut = answerStream(counting().read(), { ...late.options, signal: deadline.signal });
  const tooLate = new CpcError("overloaded", "it took too long");
  deadline.abort(tooLate);
  assert.deepEqual(late.ended, [tooLate]);
  await assert.rejects(new Response(cut).arrayBuffer(), { code: "overloaded" });

  const failed = endings();
  const failure = new RangeError("no more");
  const broken = answerStream(
    (async function* () {
      yield await Promise.resolve(Uint8Array.of(1));
      throw failure;
    })(),
    failed.options,
  );
  await assert.rejects(new Response(broken).arrayBuffer(), RangeError);
  assert.deepEqual(failed.ended, [failure]);
});

Deno.test("answerStream() breaks off when nobody reads", async () => {
  const ended = Promise.withResolvers<unknown>();
  const body = answerStream(counting().read(), { stallMs: 4, bytesPerS: 7, onEnd: ended.resolve });
  const { code, message } = await ended.promise as CpcError;
  assert.equal(code, "slow_reader");
  assert.match(message, /not read for 0\.004 s, or more slowly than 7 bytes a second/);
  await assert.rejects(new Response(body).arrayBuffer(), { code: "slow_reader" });
});

Deno.test("answerStream() breaks off when it is read more slowly than it must be", async () => {
  const ended = Promise.withResolvers<unknown>();
  const body = answerStream(counting().read(), {
    stallMs: 40,
    bytesPerS: 1e6, // a byte earns a microsecond
    onEnd: ended.resolve,
  });
  const reader = body.getReader();
  const read = async () => {
    for (;;) {
      await reader.read();
      await new Promise((resolve) => setTimeout(resolve, 5)); // far less than the longest pause
    }
  };
  await assert.rejects(read(), { code: "slow_reader" });
  assert.equal((await ended.promise as { code: string }).code, "slow_reader");
});

Deno.test("answerStream() waits for less the longer it has waited", async () => {
  const { setTimeout } = globalThis;
  const { now } = performance;
  const waits: number[] = [];
  let nowMs = 0;
  globalThis.setTimeout = ((work: () => void, ms: number) => {
    waits.push(ms);
    return setTimeout(work, 600_000);
  }) as typeof setTimeout;
  performance.now = () => nowMs;
  try {
    const body = answerStream(counting().read(), { stallMs: 40, bytesPerS: 200, onEnd: () => {} });
    const reader = body.getReader();
    for (const pauseMs of [0, 10, 20, 1]) {
      nowMs += pauseMs;
      await reader.read(); // a byte earns 5 ms
    }
    await reader.cancel();
  } finally {
    performance.now = now;
    globalThis.setTimeout = setTimeout;
  }
  assert.deepEqual(waits.filter((ms) => ms > 1), [40, 40, 35, 20, 24]);
});

Deno.test("answerStream() gives others their turn while pieces are read at once", async () => {
  let turns = 0;
  let immediate = setImmediate(function turn() {
    turns++;
    immediate = setImmediate(turn);
  });
  const busy = async function* () {
    for (let i = 0; i < 20; i++) {
      const startedMs = performance.now();
      while (performance.now() - startedMs < 1);
      yield await Promise.resolve(new Uint8Array(1));
    }
  };
  const body = answerStream(busy(), endings().options);
  assert.equal((await new Response(body).arrayBuffer()).byteLength, 20);
  clearImmediate(immediate);
  assert.ok(turns >= 32, `${turns} turns of the event loop`);
});
