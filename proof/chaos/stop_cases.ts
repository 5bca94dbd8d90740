/** Cases in which the server is stopped, and what its clients notice of that. */
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { judged, LeftOut, type Outcome, type Scene } from "./case.ts";
import { besideHealthy, type Met } from "./healthy.ts";
import { startChild, stopChild } from "./server.ts";
import { stopped, threadsOf } from "./threads.ts";

/** SIGTERM at a random moment, beside a client that floods; then once more with a second one. */
export async function sigterm({ model, clips, random }: Scene): Promise<Outcome> {
  const broken: string[] = [];
  const met: Met[] = [];
  for (const second of [false, true]) {
    const child = await startChild(model, { flags: ["--drain-timeout", "10"] });
    const flood = connect(child.port, "127.0.0.1");
    flood.on("error", () => {});
    flood.resume();
    try {
      met.push(
        await besideHealthy(clips, { url: () => child.url, patienceMs: 1 }, async () => {
          flood.write(
            "GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n" +
              "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
              "Sec-WebSocket-Version: 13\r\n\r\n",
          );
          const frame = new Uint8Array(4 + 4 + 60_000);
          frame.set([0x82, 0xfe, 60_000 >> 8, 60_000 & 255]);
          const pump = () => {
            while (!flood.destroyed && flood.write(frame));
            flood.once("drain", pump);
          };
          await wait(500);
          pump();
          await wait(clips[0].seconds * 1000 + 2000 + random() * 3000);
          const before = performance.now();
          child.kill("SIGTERM");
          if (second) {
            await wait(300);
            child.kill("SIGTERM");
          }
          const bound = second ? 3000 : 15_000;
          const ended = await Promise.race([child.ended, wait(bound, undefined, { ref: false })]);
          const took = ((performance.now() - before) / 1000).toFixed(1);
          if (!ended) broken.push(`${took} s after SIGTERM it still ran (second: ${second})`);
          else if (!second && ended.code !== 0) broken.push(`it ended with ${ended.code}`);
        }),
      );
    } finally {
      flood.destroy();
      await stopChild(child);
    }
  }
  // afterwards nobody listens: 1006
  return judged(joined(met), broken, [1001, 1006, 1013]);
}

/** SIGTERM while ptrace holds a model worker; then once more with a second one. */
export async function sigtermHung({ model, clips }: Scene): Promise<Outcome> {
  const broken: string[] = [];
  const met: Met[] = [];
  for (const second of [false, true]) {
    const child = await startChild(model, { flags: ["--drain-timeout", "10", "--workers", "2"] });
    let release = () => {};
    try {
      met.push(
        await besideHealthy(clips, { url: () => child.url, patienceMs: 1 }, async () => {
          await wait(clips[0].seconds * 1000 + 2000);
          const worker = (await threadsOf(child.pid)).find(({ name }) =>
            name.startsWith("worker-")
          );
          if (!worker) throw new LeftOut("no thread is named worker-N here");
          release = stopped(worker.tid);
          const before = performance.now();
          child.kill("SIGTERM");
          if (second) {
            await wait(300);
            child.kill("SIGTERM");
          }
          const boundMs = second ? 3000 : 15_000;
          while (!await isGone(child.pid) && performance.now() - before < boundMs) await wait(50);
          const took = ((performance.now() - before) / 1000).toFixed(1);
          if (!await isGone(child.pid)) broken.push(`${took} s after SIGTERM it still ran`);
          release(); // until then the system keeps what is left of a process that ended
        }),
      );
      const { code } = await child.ended;
      if (code !== 0) broken.push(`it ended with ${code}`);
    } finally {
      release();
      await stopChild(child);
    }
  }
  return judged(joined(met), broken, [1001, 1006, 1013]);
}

/** Whether nothing of a process runs any more: its threads are gone, or dead and held by ptrace. */
async function isGone(pid: number): Promise<boolean> {
  const { stdout } = await new Deno.Command("ps", { args: ["-L", "-o", "stat=", "-p", `${pid}`] })
    .output();
  return !/^[^Z\s]/m.test(new TextDecoder().decode(stdout));
}

/** SIGKILL at random moments, and a new server on the same port. */
export async function sigkill({ model, clips, random }: Scene): Promise<Outcome> {
  let child = await startChild(model);
  const { port } = child;
  try {
    const met = await besideHealthy(clips, { url: () => child.url }, async () => {
      for (let i = 0; i < 2; i++) {
        await wait(2000 + random() * 3000);
        await stopChild(child);
        child = await startChild(model, { port });
      }
      await wait((clips[0].seconds + 4) * 1000);
    });
    return judged(met, [], [4404, 1006]);
  } finally {
    await stopChild(child);
  }
}

function joined(all: readonly Met[]): Met {
  const lost = new Map<number, number>();
  for (const [code, times] of all.flatMap((one) => [...one.lost])) {
    lost.set(code, (lost.get(code) ?? 0) + times);
  }
  return {
    finished: all.reduce((sum, { finished }) => sum + finished, 0),
    resumed: all.reduce((sum, { resumed }) => sum + resumed, 0),
    lost,
    wrong: all.flatMap(({ wrong }) => wrong),
    p50: Math.max(...all.map(({ p50 }) => p50)),
    p99: Math.max(...all.map(({ p99 }) => p99)),
    longestMs: Math.max(...all.map(({ longestMs }) => longestMs)),
  };
}
