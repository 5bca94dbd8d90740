/** What goes wrong with machines, and what is promised then. */
import { connect, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { type Case, judged, LeftOut, type Outcome, type Scene } from "./case.ts";
import { besideHealthy } from "./healthy.ts";
import { halfOpen, packetLoss } from "./network_cases.ts";
import { type Child, type Start, startChild, stopChild } from "./server.ts";
import { sigkill, sigterm, sigtermHung } from "./stop_cases.ts";
import { stopped, threadsOf } from "./threads.ts";

/** Runs a server beside healthy clients, and checks that it still answers and ends well. */
async function withChild(
  { model, clips }: Scene,
  start: Start,
  hurt: (child: Child, broken: string[]) => Promise<void>,
  { mayLose = [] }: { mayLose?: readonly number[] } = {},
): Promise<Outcome> {
  const child = await startChild(model, start);
  const broken: string[] = [];
  try {
    const met = await besideHealthy(clips, { url: () => child.url }, async () => {
      await wait(2000);
      await hurt(child, broken);
      await wait(2000);
    });
    const health = await fetch(`${child.url}/healthz`, { signal: AbortSignal.timeout(5000) })
      .then(async (response) => {
        await response.body?.cancel();
        return response.status;
      }, String);
    if (health !== 200) broken.push(`/healthz gives ${health} afterwards`);
    child.kill("SIGTERM");
    const ended = await Promise.race([child.ended, wait(40_000, undefined, { ref: false })]);
    if (ended?.code !== 0) broken.push(`SIGTERM ended it with ${ended?.code ?? "nothing"}`);
    return judged(met, broken, mayLose);
  } finally {
    await stopChild(child);
  }
}

/** Connects, and never says a word. */
function silent(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", () => resolve(socket));
  });
}

/** All cases by name. */
export const CASES: Readonly<Record<string, Case>> = {
  none: {
    harm: "none, to compare with",
    promise: "every frame, equal to offline",
    run: (scene) => withChild(scene, {}, () => wait(scene.harmMs)),
  },
  "worker-hung": {
    harm: "a model worker is stopped by ptrace and stays so",
    promise: "its streams continue on another worker; clients notice a delay, no close",
    async run(scene) {
      const hungMs = Math.max(scene.harmMs, 20_000);
      const outcome = await withChild(scene, { flags: ["--workers", "2"] }, async ({ pid }) => {
        const worker = (await threadsOf(pid)).find(({ name }) => name.startsWith("worker-"));
        if (!worker) throw new LeftOut("no thread is named worker-N here");
        const release = stopped(worker.tid);
        await wait(hungMs);
        release();
      });
      if (outcome.longestMs < hungMs * 0.75) return outcome;
      return { ...outcome, broken: [...outcome.broken, "its streams waited until it went on"] };
    },
  },
  "loop-stalled": {
    harm: "the socket thread is stopped for 2 s, again and again",
    promise: "streams go on where they were, no frame lost",
    run: (scene) =>
      withChild(scene, {}, async ({ pid }) => {
        for (const until = performance.now() + scene.harmMs; performance.now() < until;) {
          const release = stopped(pid);
          await wait(2000);
          release();
          await wait(1000);
        }
      }),
  },
  "log-full": {
    harm: "the log goes to a full device, and every request is logged",
    promise: "lines are lost, nothing else",
    run: (scene) =>
      withChild(scene, { log: "/dev/full", flags: ["--log-level", "debug"] }, async ({ url }) => {
        for (const until = performance.now() + scene.harmMs; performance.now() < until;) {
          await fetch(`${url}/nowhere`).then((response) => response.body?.cancel());
        }
      }),
  },
  "disk-full": {
    harm: "the log goes to a file system of 64 KiB that is soon full",
    promise: "lines are lost, nothing else",
    async run(scene) {
      const folder = await Deno.makeTempDir();
      try {
        const mounted = `mount -t tmpfs -o size=64k none ${folder}`;
        const able = await new Deno.Command("unshare", { args: ["-m", "sh", "-c", mounted] })
          .output().then(({ success }) => success, () => false);
        if (!able) throw new LeftOut("it needs the right to mount in a namespace (unshare -m)");
        return await withChild(scene, {
          // the file system belongs to this process and its log alone
          prelude: `[ -n "$IN" ] || { IN=1; export IN; exec unshare -m sh -c '${mounted}; ` +
            `exec "$@" 2>"$0"' ${folder}/log "$@"; }`,
          flags: ["--log-level", "debug"],
        }, async ({ url }) => {
          for (const until = performance.now() + scene.harmMs; performance.now() < until;) {
            await fetch(`${url}/nowhere`).then((response) => response.body?.cancel());
          }
        });
      } finally {
        await Deno.remove(folder);
      }
    },
  },
  descriptors: {
    harm: "1,000 silent sockets come to a server that may open 400 files",
    promise: "streams go on, silent sockets are cut, new clients get in afterwards",
    run: (scene) =>
      withChild(
        scene,
        { prelude: "ulimit -n 400", flags: ["--max-streams", "100"] },
        async ({ port }) => {
          const sockets = await Promise.all(Array.from({ length: 1000 }, () => silent(port)));
          await wait(scene.harmMs);
          for (const socket of sockets) socket.destroy();
        },
        { mayLose: [1006, 1013] }, // new ones, while there are no sockets
      ),
  },
  clock: {
    harm: "the clock jumps by two hours, forward and back",
    promise: "no stream notices: everything is timed by a clock that only runs forward",
    async run(scene) {
      const library = await fakeTime();
      const file = await Deno.makeTempFile();
      try {
        await Deno.writeTextFile(file, "+0");
        return await withChild(scene, {
          environment: {
            LD_PRELOAD: library,
            FAKETIME_TIMESTAMP_FILE: file,
            FAKETIME_NO_CACHE: "1",
            DONT_FAKE_MONOTONIC: "1",
          },
        }, async () => {
          for (const jump of ["+7200", "-7200", "+0"]) {
            await Deno.writeTextFile(file, jump);
            await wait(scene.harmMs / 3);
          }
        });
      } finally {
        await Deno.remove(file);
      }
    },
  },
  "half-open": {
    harm: "the network carries nothing any more, then works again; nobody is told",
    promise: "streams go on, or are resumed: no frame lost, none twice",
    run: halfOpen,
  },
  "packet-loss": {
    harm: "the network loses 5 %, then 20 % of all packets at random, each way",
    promise: "streams go on, or are resumed: no frame lost, none twice",
    run: packetLoss,
  },
  sigterm: {
    harm: "SIGTERM at a random moment, beside a client that floods; then one more",
    promise: "1001 for every stream, exit 0 within --drain-timeout; a second one exits at once",
    run: sigterm,
  },
  "sigterm-hung": {
    harm: "SIGTERM while ptrace holds a model worker; then one more",
    promise: "exit 0 within --drain-timeout; a second one exits at once",
    run: sigtermHung,
  },
  sigkill: {
    harm: "SIGKILL at random moments, and a new server on the same port",
    promise: "no client hangs: a resume is answered 4404, a new stream is right",
    run: sigkill,
  },
};

async function fakeTime(): Promise<string> {
  const path = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
  const there = await Deno.stat(path).then(() => true, () => false);
  if (!there) throw new LeftOut("it needs libfaketime (Debian package faketime)");
  return path;
}
