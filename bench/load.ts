/** A server as a child process, and WebSocket clients that load it from this process. */
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { taskWords } from "./task_words.ts";

/** A running server. */
export interface ChildServer {
  /** `http://HOST:PORT` */
  readonly url: string;
  readonly pid: number;
  /** From spawn to the `listening` line. */
  readonly startMs: number;
  /** Stops it; gives its status, and what it printed meanwhile and since it listened. */
  stop(): Promise<Deno.CommandStatus & { printed: string }>;
}

/** What V8 is told instead of `deno task start`'s flags, which let garbage wait. */
const V8_FLAGS = {
  /** Its own plan. */
  soon: [],
  /** All of it, not only the young, each time that a megabyte has come: takes a lot of time. */
  atOnce: ["--v8-flags=--gc-global,--min-semi-space-size=1,--max-semi-space-size=1"],
};

/**
 * Starts `main.ts` with these flags, as `deno task start` does, on a free port.
 *
 * @param options `errorsTo`: a file for its standard error (default: this process's own);
 *   `cores`: how many of the machine's it may use (default: all); `collects`: when garbage goes, so
 *   that memory which grows is held by something (default: late, as it is served)
 */
export async function startServer(
  flags: readonly string[],
  { errorsTo, cores, collects }: {
    errorsTo?: string;
    cores?: number;
    collects?: keyof typeof V8_FLAGS;
  } = {},
): Promise<ChildServer> {
  const words = await taskWords("start");
  const args = words.flatMap((word) =>
    collects && word.startsWith("--v8-flags=") ? V8_FLAGS[collects] : [word]
  );
  const command = [Deno.execPath(), ...args, "--port", "0", "--log-level", "error", ...flags];
  const bound = cores === undefined ? [] : ["taskset", "-c", `0-${cores - 1}`];
  return await startProgram([...bound, ...command], { errorsTo });
}

/**
 * Starts a program that prints `listening on http://HOST:PORT` when it serves.
 *
 * @param options `errorsTo`: a file for its standard error (default: this process's own)
 */
export async function startProgram(
  command: readonly string[],
  { errorsTo }: { errorsTo?: string } = {},
): Promise<ChildServer> {
  const [program, ...args] = errorsTo
    ? ["sh", "-c", 'exec "$@" 2>"$0"', errorsTo, ...command]
    : command;
  const started = performance.now();
  const child = new Deno.Command(program, {
    args,
    cwd: new URL("../", import.meta.url).pathname,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the server ended before it listened: ${text}`);
    text += value;
  }
  const startMs = performance.now() - started;
  const url = /listening on (\S+)/.exec(text)?.[1];
  if (!url) throw new Error(`unexpected first line: ${text}`);
  return {
    url,
    pid: child.pid,
    startMs,
    async stop() {
      child.kill("SIGTERM");
      let printed = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        printed += value;
      }
      return { ...await child.status, printed };
    },
  };
}

/**
 * Streams `seconds` of noise on `streams` connections as fast as the server takes it. Resolves to
 * the wall time in seconds.
 */
export async function streamMany(
  url: string,
  { streams, seconds, query }: { streams: number; seconds: number; query: string },
): Promise<number> {
  const chunk = Uint8Array.from(
    { length: 640 * 5 },
    (_, i) => i % 2 ? (i * 7919 >> 4) & 3 : (i * 104729) & 255,
  ); // 100 ms of s16le
  const sockets = await Promise.all(Array.from({ length: streams }, () => ready(url, query)));
  const started = performance.now();
  await Promise.all(sockets.map((socket) =>
    new Promise<void>((resolve, reject) => {
      socket.on("message", (data: Uint8Array, isBinary: boolean) => {
        if (isBinary) return;
        const message = JSON.parse(new TextDecoder().decode(data));
        if (message.type === "done") resolve();
        if (message.type === "error") reject(new Error(message.message));
      });
      let left = seconds * 10;
      const send = () => {
        while (left > 0 && socket.bufferedAmount < 64 * 1024) {
          left--;
          socket.send(chunk, left > 0 ? send : undefined);
        }
        if (left === 0) {
          left = -1;
          socket.send(JSON.stringify({ type: "finish" }));
        }
      };
      send();
    })
  ));
  return (performance.now() - started) / 1000;
}

/** Opens a connection and waits for its `ready`. */
export function ready(url: string, query: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/stream?${query}`);
    socket.once("message", (data: Uint8Array) => {
      const message = JSON.parse(new TextDecoder().decode(data));
      if (message.type === "ready") resolve(socket);
      else reject(new Error(message.message));
    });
    socket.once("error", reject);
  });
}

/** Resident memory of a process in MB, as `ps` reports it. */
export async function residentMB(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "rss=", "-p", String(pid)],
    stdout: "piped",
  }).output();
  return Number(new TextDecoder().decode(stdout)) / 1024;
}

/**
 * Time of a process's first thread on processors, in seconds: the one with the sockets. Undefined
 * where Linux's `/proc` is missing.
 */
export async function socketThreadSeconds(pid: number): Promise<number | undefined> {
  const { success, stdout } = await new Deno.Command("cat", {
    args: [`/proc/${pid}/task/${pid}/schedstat`], // in ns; Deno itself must not read /proc
    stderr: "null",
  }).output();
  return success ? Number(new TextDecoder().decode(stdout).split(" ")[0]) / 1e9 : undefined;
}
