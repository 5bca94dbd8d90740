import assert from "node:assert/strict";
import { connect } from "node:net";
import { AcceptProbe } from "../../routes/accept_probe.ts";

const TIMES = { everyMs: 1000, urgentMs: 100, withinMs: 10, giveUpMs: 5000 };

/** A probe whose server and clock the test moves. */
function probe({ reached, relisten, isShort = false, isPaused = () => false }: {
  reached: () => boolean;
  relisten?: () => void;
  isShort?: boolean;
  isPaused?: () => boolean;
}) {
  const clock = { nowMs: 0 };
  const deaf: { error?: unknown; giveUp: boolean }[] = [];
  let looks = 0;
  const made = new AcceptProbe({
    isShort,
    get isPaused() {
      return isPaused();
    },
    reaches: () => {
      looks++;
      return Promise.resolve(reached());
    },
    relisten: async () => await relisten?.(),
  }, { times: TIMES, onDeaf: (failed) => deaf.push(failed), nowMs: () => clock.nowMs });
  return { made, clock, deaf, looks: () => looks };
}

Deno.test("AcceptProbe.look() does not connect where one was accepted lately", async () => {
  const { made, clock, deaf, looks } = probe({ reached: () => true });
  clock.nowMs = 5000;
  made.accepted();
  clock.nowMs = 5999;
  await made.look();
  assert.equal(looks(), 0);
  clock.nowMs = 6000;
  await made.look();
  assert.deepEqual([looks(), deaf], [1, []]);
  made.stop();
});

Deno.test("AcceptProbe.look() gives up so long after the last connection", async () => {
  const { made, clock, deaf } = probe({ reached: () => false });
  clock.nowMs = 2000;
  made.accepted();
  for (clock.nowMs of [6999, 7000]) await made.look();
  assert.deepEqual(deaf.map(({ giveUp }) => giveUp), [false, true]);
  made.stop();
});

Deno.test("AcceptProbe.look() listens anew where none is accepted, then gives up", async () => {
  const { made, clock, deaf } = probe({
    reached: () => false,
    relisten: () => {
      if (clock.nowMs >= 2000) throw new Error("no descriptors");
    },
  });
  clock.nowMs = 1000;
  await made.look();
  assert.deepEqual(deaf, [{ error: undefined, giveUp: false }]);
  clock.nowMs = 2000;
  await made.look();
  assert.match(String(deaf[1]?.error), /no descriptors/);
  assert.equal(deaf[1]?.giveUp, false);
  clock.nowMs = 5000;
  await made.look();
  assert.equal(deaf[2]?.giveUp, true);
  made.stop();
});

Deno.test("AcceptProbe.look() takes a server that misses one connection for busy", async () => {
  let asked = 0;
  const { made, clock, deaf, looks } = probe({ reached: () => ++asked % 2 === 0 });
  for (clock.nowMs = 1000; clock.nowMs < 4000; clock.nowMs += 1000) await made.look();
  assert.deepEqual([looks(), deaf], [6, []]);
  made.stop();
});

Deno.test("AcceptProbe looks by itself, again and again, until it is stopped", async () => {
  let looks = 0;
  const enough = Promise.withResolvers<void>();
  const made = new AcceptProbe({
    isShort: false,
    isPaused: false,
    reaches() {
      if (++looks === 3) enough.resolve();
      return Promise.resolve(true);
    },
    relisten: () => Promise.reject(new Error("it was reached")),
  }, {
    times: { ...TIMES, everyMs: 0, urgentMs: 1 },
    onDeaf: ({ error }) => assert.fail(`${error}`),
  });
  await enough.promise;
  made.stop();
  await made.look(); // whoever looks by hand plans no more
});

Deno.test("AcceptProbe.stop() ends a look that is under way: it listens no more", async () => {
  let listened = 0;
  const { made, clock, deaf } = probe({
    reached() {
      made.stop();
      return false;
    },
    relisten: () => void listened++,
  });
  clock.nowMs = 1000;
  await made.look();
  assert.deepEqual([listened, deaf], [0, []]);
});

Deno.test("AcceptProbe.look() leaves a server alone that does not listen on purpose", async () => {
  let paused = true;
  const { made, clock, deaf, looks } = probe({
    isPaused: () => paused,
    reached() {
      paused = true; // while the probe connects
      return false;
    },
  });
  clock.nowMs = 1000;
  await made.look();
  assert.equal(looks(), 0);
  paused = false;
  await made.look();
  assert.deepEqual([looks(), deaf], [1, []]);
  made.stop();
});

/** The first answer that comes: what is asked while the server is deaf gets none. */
async function firstAnswer(url: string): Promise<string> {
  for (let tries = 0; tries < 20; tries++) {
    try {
      return await (await fetch(url, { signal: AbortSignal.timeout(1000) })).text();
    } catch {
      // not yet
    }
  }
  throw new Error("no answer in 20 tries");
}

Deno.test("AcceptProbe.look() connects sooner to a server that is short of sockets", async () => {
  const { made, clock, looks } = probe({ reached: () => true, isShort: true });
  clock.nowMs = 99;
  await made.look();
  assert.equal(looks(), 0);
  clock.nowMs = 100;
  await made.look();
  assert.equal(looks(), 1);
  made.stop();
});

/** A server that may open 200 files. */
function startStarved({ sockets }: { sockets: number }) {
  const program = new URL("../support/starved_server.ts", import.meta.url).pathname;
  const child = new Deno.Command("sh", {
    args: [
      "-c",
      'ulimit -n 200; exec "$0" run --quiet --no-check --allow-net --allow-read --allow-env "$@"',
      Deno.execPath(),
      program,
      String(sockets),
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = child.stdin.getWriter();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  const say = (line: string) => input.write(new TextEncoder().encode(`${line}\n`));
  return {
    say,
    /** What it has said, once that matches. */
    async heard(pattern: RegExp): Promise<string> {
      for (;;) {
        const found = pattern.exec(said);
        if (found) return found[0];
        const { value, done } = await lines.read();
        if (done) throw new Error(`the server ended after saying ${said}`);
        said += value;
      }
    },
    /** Ends it; returns all that it has said. */
    async end(): Promise<string> {
      await say("end");
      await input.close();
      for (let line; !(line = await lines.read()).done;) said += line.value;
      await child.status;
      return said;
    },
  };
}

Deno.test("listen() accepts again after the process had no file descriptor left", async () => {
  const server = startStarved({ sockets: 1000 });
  try {
    const url = await server.heard(/http:\S+(?=\n)/);
    await server.say("starve");
    await server.heard(/starved/);
    const waiting = connect(Number(new URL(url).port), "127.0.0.1"); // its accept fails
    waiting.on("error", () => {});
    await server.heard(/fed/);
    await server.heard(/listens anew/);
    assert.equal(await firstAnswer(url), "here");
    waiting.destroy();
  } finally {
    await server.end();
  }
});

Deno.test("listen() outlives more sockets at once than the process may open files", async () => {
  const server = startStarved({ sockets: 60 });
  const url = await server.heard(/http:\S+(?=\n)/);
  const silent = Array.from({ length: 600 }, () => connect(Number(new URL(url).port), "127.0.0.1"));
  const ended = silent.map((socket) =>
    new Promise<void>((resolve) => {
      socket.on("error", () => {});
      socket.once("connect", resolve);
      socket.once("close", () => resolve());
    })
  );
  await Promise.all(ended);
  assert.equal(await firstAnswer(url), "here");
  for (const socket of silent) socket.destroy();
  assert.doesNotMatch(await server.end(), /listens anew|failed/, "its listener had died");
});
