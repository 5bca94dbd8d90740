import assert from "node:assert/strict";
import { LIMITS } from "../support/stream_server.ts";
import { type Verdict, Watch, type Watched } from "../../streaming/watch.ts";

const QUIET: Watched = { openedAtMs: 0, busy: false, paused: false, waitingBytes: 0 };

/** A watch whose other clocks never strike, from 0 s on. */
function watchOf(limits: Partial<typeof LIMITS>) {
  const never = { idleTimeoutS: 1e9, sessionLimitS: 1e9, pingS: 1e9 };
  const watch = new Watch({ ...LIMITS, ...never, ...limits }, 0);
  const look = (seconds: number, watched: Partial<Watched> = {}) =>
    watch.look(seconds * 1000, { ...QUIET, ...watched }).map(told);
  return { watch, look };
}

function told(verdict: Verdict): string {
  switch (verdict.act) {
    case "warn":
      return `warn ${verdict.code}`;
    case "end":
      return `end ${verdict.error.code}`;
    default:
      return verdict.act;
  }
}

Deno.test("Watch.look() pings, and cuts a client that has not answered by the next ping", () => {
  const { watch, look } = watchOf({ pingS: 20 });
  assert.deepEqual([look(19), look(20), look(39)], [[], ["ping"], []]);
  watch.answered();
  assert.deepEqual(look(40), ["ping"]);
  watch.heard(50_000); // a message is an answer too
  assert.deepEqual([look(60), look(79), look(80)], [["ping"], [], ["cut"]]);
});

Deno.test("Watch.look() asks for no answer while the socket is not read", () => {
  const { look } = watchOf({ pingS: 20 });
  assert.deepEqual(look(20), ["ping"]);
  assert.deepEqual(look(100, { paused: true }), []);
  assert.deepEqual([look(119), look(120)], [[], ["ping"]]);
});

Deno.test("Watch.look() warns once per blockade of a slow reader, and ends one that lasts", () => {
  const { look } = watchOf({ slowReaderWarningS: 5, slowReaderTimeoutS: 30 });
  const seen: [seconds: number, blocked: boolean, expected: string[]][] = [
    [0, true, []],
    [4, true, []],
    [5, true, ["warn slow_reader"]],
    [29, true, []],
    [29.5, false, []],
    [30, true, []],
    [36, true, ["warn slow_reader"]],
    [59, true, []],
    [60, true, ["end slow_reader"]],
  ];
  for (const [seconds, blocked, expected] of seen) {
    const waitingBytes = LIMITS.maxOutputBytes + (blocked ? 1 : 0);
    assert.deepEqual(look(seconds, { waitingBytes }), expected, `${seconds} s`);
  }
});

Deno.test("Watch.look() warns an idle client once, and ends it; work restarts the clock", () => {
  const { watch, look } = watchOf({ idleTimeoutS: 60 });
  assert.deepEqual([look(44), look(45), look(46)], [[], ["warn idle"], []]);
  watch.heard(50_000);
  assert.deepEqual([look(94), look(95)], [[], ["warn idle"]]);
  assert.deepEqual(look(110, { busy: true }), []);
  watch.caughtUp(120_000);
  assert.deepEqual([look(179), look(180)], [[], ["end idle_timeout"]]);
});

Deno.test("Watch.look() ends a session at its limit; before ready it has no age", () => {
  const { watch, look } = watchOf({ sessionLimitS: 100 });
  watch.heard(99_000);
  assert.deepEqual(look(100, { openedAtMs: undefined }), []);
  assert.deepEqual(look(99, { busy: true }), []);
  assert.deepEqual(look(100, { busy: true }), ["end session_limit"]);
});

Deno.test("Watch.lateS() blames the server for a backlog at the pace of speech", () => {
  const { watch } = watchOf({});
  for (let ms = 0; ms <= 10_000; ms += 20) watch.heardAudio(0.02, ms);
  assert.equal(watch.lateS(3, 10_000), 3);
  assert.equal(watch.lateS(9.5, 10_000), 0, "it has not been heard for long enough");
});

Deno.test("Watch.lateS() blames nobody for a backlog that the client may have made", () => {
  const { watch } = watchOf({});
  for (let ms = 0; ms < 1_000; ms += 20) watch.heardAudio(2, ms); // 100 s in a second
  assert.equal(watch.lateS(50, 1_000), 0);
  for (let ms = 1_000; ms <= 40_000; ms += 20) watch.heardAudio(0.02, ms);
  assert.equal(watch.lateS(45, 40_000), 0, "part of it may be from before");
  assert.equal(watch.lateS(2, 40_000), 2);
});
