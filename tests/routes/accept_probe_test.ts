import assert from "node:assert/strict";
import { connect } from "node:net";
import { AcceptProbe } from "../../routes/accept_probe.ts";

const TIMES = { everyMs: 1000, withinMs: 10, giveUpMs: 5000 };

/** A probe whose server and clock the test moves. */
function probe({ reached, relisten }: { reached: () => boolean; relisten?: () => void }) {
  const clock = { nowMs: 0 };
  const deaf: { error?: unknown; giveUp: boolean }[] = [];
  let looks = 0;
  const made = new AcceptProbe({
    reaches: () => {
      looks++;
      return Promise.resolve(reached());
    },
    relisten: async () => await relisten?.(),
  }, { times: TIMES, onDeaf: (failed) => deaf.push(failed), nowMs: () => clock.nowMs });
  return { made, clock, deaf, looks: () => looks };
}

Deno.test("AcceptProbe.look() does not connect where connections were accepted lately", async () => {
  const { made, clock, looks } = probe({ reached: () => true });
  clock.nowMs = 5000;
  made.accepted();
  clock.nowMs = 5999;
  await made.look();
  assert.equal(looks(), 0);
  clock.nowMs = 6000;
  await made.look();
  assert.equal(looks(), 1);
  made.stop();
});

Deno.test("AcceptProbe.look() listens anew where nothing is accepted, and gives up in the end", async () => {
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

Deno.test("listen() accepts again after the process had no file descriptor left", async () => {
  const program = new URL("../support/starved_server.ts", import.meta.url).pathname;
  const child = new Deno.Command("sh", {
    args: [
      "-c",
      'ulimit -n 200; exec "$0" run --quiet --no-check --allow-net --allow-read --allow-env "$1"',
      Deno.execPath(),
      program,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = child.stdin.getWriter();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  const heard = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(said);
      if (found) return found[0];
      const { value, done } = await lines.read();
      if (done) throw new Error(`the server ended after saying ${said}`);
      said += value;
    }
  };
  try {
    const url = await heard(/http:\S+(?=\n)/);
    await input.write(new TextEncoder().encode("starve\n"));
    await heard(/starved/);
    const waiting = connect(Number(new URL(url).port), "127.0.0.1"); // its accept fails
    waiting.on("error", () => {});
    await heard(/fed/);
    await heard(/listens anew/);
    assert.equal(await firstAnswer(url), "here");
    waiting.destroy();
  } finally {
    await input.write(new TextEncoder().encode("end\n"));
    await input.close();
    while (!(await lines.read()).done);
    await child.status;
  }
});
