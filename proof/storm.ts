/** `deno task storm`: a server dies under many streams, and all of them resume at the other one. */
import { setTimeout as wait } from "node:timers/promises";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { writeThinModel } from "../bench/thin_model.ts";
import { runCommand } from "../commands/cli.ts";
import { whole } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { MAX_SEED, seeded } from "../model/seeded.ts";
import { storeKinds } from "../tests/support/stores.ts";
import { startChild, stopChild } from "./chaos/server.ts";

const COMMAND = {
  name: "storm",
  about:
    "Kills a server under many streams; all resume at another one, which has not room for all.",
  usage: "[flags]",
  settings: twinned("CPC_STORM_", {
    streams: whole({ min: 1, max: 10_000, fallback: 1000, help: "that resume at once" }),
    room: whole({ min: 1, max: 10_000, words: "for all", help: "places at the other server" }),
    withinS: whole({
      min: 1,
      max: 600,
      fallback: 10,
      unit: "s",
      help: "for those it has room for",
    }),
    seed: whole({ min: 0, max: MAX_SEED, fallback: 1, help: "of the back-off" }),
  }),
  notes: ["It needs redis-server, and two descriptors for each stream."],
};

/** Of speech before the storm. */
const SPEECH_BYTES = 32_000;
/** The client's first wait (client/resume.ts), half of it random. */
const BACKOFF_MS = 250;
const OPEN_AT_ONCE = 25;
/** How long a client may wait for its answer. */
const ANSWER_MS = 120_000;

/** Between two tries to open a stream: only so many may speak at a time. */
const AGAIN_MS = 300;

/** A client of the storm. */
interface Client {
  readonly socket: WebSocket;
  readonly token: string;
  frames: number;
}

const status = await runCommand(COMMAND, async ({ streams, room = streams, withinS, seed }) => {
  const redis = storeKinds().find(({ name }) => name === "redis");
  if (!redis) throw new Error("there is no redis-server here");
  const folder = await Deno.makeTempDir();
  const random = seeded(seed);
  let broken = 0;
  try {
    await writeThinModel(`${folder}/thin`);
    await redis.with(async ({ url: store }) => {
      const start = (most: number) =>
        startChild(`${folder}/thin`, {
          flags: ["--workers", "1", "--max-streams", String(most), "--store", store],
        });
      const [one, two] = await Promise.all([start(streams), start(room)]);
      try {
        const clients: Client[] = [];
        for (let at = 0; at < streams; at += OPEN_AT_ONCE) {
          const more = Math.min(OPEN_AT_ONCE, streams - at);
          clients.push(...await Promise.all(Array.from({ length: more }, () => begin(one.url))));
        }
        one.kill("SIGKILL");
        await one.ended;
        const beganMs = performance.now();
        const answers = await Promise.all(clients.map(async (client) => {
          await wait(BACKOFF_MS * (0.5 + random() / 2));
          return await resume(two.url, client);
        }));
        const resumed = answers.filter(({ code }) => code === 0);
        const tookS = (Math.max(...answers.map(({ atMs }) => atMs)) - beganMs) / 1000;
        const codes = new Map<number, number>();
        for (const { code } of answers) codes.set(code, (codes.get(code) ?? 0) + 1);
        for (const why of new Set(answers.map(({ why }) => why))) if (why) console.log(why);
        const refused = [...codes].filter(([code]) => code !== 0);
        console.log(
          `${streams} resumes at once: ${resumed.length} resumed, ` +
            `${
              refused.map(([code, n]) => `${n} refused with ${code}`).join(", ") || "none refused"
            }` +
            `, all within ${tookS.toFixed(1)} s`,
        );
        if (resumed.length !== Math.min(room, streams)) broken++;
        if (refused.some(([code]) => code !== 4429 && code !== 1013)) broken++;
        if (tookS > withinS) broken++;
        for (const { socket } of answers) socket.terminate();
      } finally {
        await Promise.all([one, two].map(stopChild));
      }
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return broken > 0 ? 1 : 0;
}, { args: Deno.args });
Deno.exit(status);

/** Opens a stream, says something, and waits for its frames; as often as there is no room. */
async function begin(url: string): Promise<Client> {
  for (const endMs = performance.now() + ANSWER_MS;;) {
    try {
      return await speak(url);
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await wait(AGAIN_MS);
    }
  }
}

async function speak(url: string): Promise<Client> {
  const { promise, resolve, reject } = Promise.withResolvers<Client>();
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/stream?format=binary`);
  let token = "";
  let frames = 0;
  socket.on("message", (data: Uint8Array, isBinary: boolean) => {
    if (isBinary) {
      frames = new DataView(data.buffer, data.byteOffset).getUint32(4, true) +
        new DataView(data.buffer, data.byteOffset).getUint32(8, true);
      return;
    }
    const message = JSON.parse(new TextDecoder().decode(data));
    if (message.type === "ready") {
      token = message.resume;
      socket.send(new Uint8Array(SPEECH_BYTES));
      socket.send(JSON.stringify({ type: "mark" }));
    } else if (message.type === "marked") resolve({ socket, token, frames });
    else if (message.type === "error") reject(new Error(message.message));
  });
  socket.on("error", reject);
  socket.on("close", (code: number) => reject(new Error(`closed with ${code}`)));
  return await promise;
}

/** Resumes; `code` is 0 once audio from there on has given its frames, or the close code. */
function resume(
  url: string,
  { token, frames }: Client,
): Promise<{ code: number; why: string; atMs: number; socket: WebSocket }> {
  const query = `format=binary&resume=${token}&received=${frames}`;
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/stream?${query}`, {
    handshakeTimeout: ANSWER_MS,
  });
  return new Promise((resolve) => {
    let why = "";
    const end = (code: number) => resolve({ why, code, atMs: performance.now(), socket });
    socket.on("message", (data: Uint8Array, isBinary: boolean) => {
      if (isBinary) return;
      const message = JSON.parse(new TextDecoder().decode(data));
      if (message.type === "ready") socket.send(JSON.stringify({ type: "mark" }));
      if (message.type === "error") why = message.message;
      if (message.type === "marked") end(message.frames >= frames ? 0 : -1);
    });
    socket.on("error", () => {});
    socket.on("close", end);
  });
}
