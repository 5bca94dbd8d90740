/** A worker that abuses a server in one of many ways, until it is terminated. */
import { connect, type Socket } from "node:net";
import { wavOf } from "../formats/wav.ts";

declare const self: {
  onmessage: ((event: MessageEvent<{ name: string; url: string }>) => void) | null;
};

const BLOCK_BYTES = 64 * 1024;
/** Silence of 8 channels at 655 kHz, 4 s in 1.6 KB; `silentFlac()` of the tests wrote it. */
const BOMB = new URL("./bomb.flac", import.meta.url);
/** Idle connections, and requests at once. */
const [SILENT, AT_ONCE] = [500, 8];
/** Audio that a server has heard makes a session worth keeping. */
const KEPT_AFTER_MS = 50;
/** A message of 60 KB of audio. */
const AUDIO = [0x82, 0xfe, 60_000 >> 8, 60_000 & 255, ...new Uint8Array(4 + 60_000)];

/** All ways, by name. */
export const ABUSES: Readonly<Record<string, (url: string) => void>> = {
  "2-byte messages": (url) => flood(url, [0x82, 0x82, 0, 0, 0, 0, 1, 0]),
  "empty messages": (url) => flood(url, [0x82, 0x80, 0, 0, 0, 0]),
  "keep_alive": (url) => flood(url, textFrame('{"type":"keep_alive"}')),
  "marks": (url) => flood(url, textFrame('{"type":"mark","id":1}')),
  "pings": (url) => flood(url, [0x89, 0x80, 0, 0, 0, 0]),
  "pongs": (url) => flood(url, [0x8a, 0x80, 0, 0, 0, 0]),
  "audio, 64 KB": (url) => flood(url, AUDIO),
  "connects, drops": (url) => repeatedly(() => handshake(url).then((socket) => socket.destroy())),
  "kept sessions": (url) =>
    repeatedly(async () => {
      const socket = await handshake(url);
      await new Promise<void>((resolve) => socket.write(Uint8Array.from(AUDIO), () => resolve()));
      await new Promise((resolve) => setTimeout(resolve, KEPT_AFTER_MS));
      socket.destroy();
    }),
  "silent sockets": (url) => {
    for (let i = 0; i < SILENT; i++) open(url);
  },
  "large JSON": (url) => post(url, "application/json", `{"input":[${"1,".repeat(2e6)}1]}`),
  "empty arrays": (url) => post(url, "application/json", `{"input":[${"[],".repeat(1.3e6)}[]]}`),
  "many parts": (url) => {
    const part = '--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n\r\n';
    post(url, "multipart/form-data; boundary=b", `${part.repeat(100_000)}--b--\r\n`);
  },
  "long recording": (url) => post(url, "audio/wav", silence(600)),
  "long answers": (url) => post(url, "audio/wav", silence(120)),
  "bombs": (url) => post(url, "audio/flac", Deno.readFileSync(BOMB)),
  "scores, all t": (url) => post(url, "audio/wav", silence(300), "/v1/score?times=all"),
};

if ("onmessage" in self && !("document" in globalThis)) {
  self.onmessage = ({ data: { name, url } }) => ABUSES[name](url);
}

/** One stream that sends a frame as fast as the socket takes it. */
function flood(url: string, frame: readonly number[]): void {
  const times = Math.max(1, Math.floor(BLOCK_BYTES / frame.length));
  const block = Uint8Array.from(
    { length: times * frame.length },
    (_, i) => frame[i % frame.length],
  );
  void handshake(url).then((socket) => {
    const pump = () => {
      while (!socket.destroyed && socket.write(block));
      socket.once("drain", pump);
    };
    pump();
  });
}

function textFrame(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  return [0x81, 0x80 | bytes.length, 0, 0, 0, 0, ...bytes];
}

function open(url: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  socket.resume();
  return socket;
}

/** Opens a stream that wants next to nothing back. */
function handshake(url: string): Promise<Socket> {
  const socket = open(url);
  socket.write(
    "GET /v1/stream?every=1000 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n" +
      "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
      "Sec-WebSocket-Version: 13\r\n\r\n",
  );
  return new Promise((resolve) => {
    socket.once("data", () => resolve(socket));
    socket.once("close", () => resolve(socket));
  });
}

/** Several requests at once, again and again. */
function post(url: string, type: string, body: BodyInit, path = "/v1/embeddings"): void {
  repeatedly(() =>
    fetch(`${url}${path}`, { method: "POST", headers: { "content-type": type }, body })
      .then((response) => response.arrayBuffer())
  );
}

function repeatedly(act: () => Promise<unknown>): void {
  for (let i = 0; i < AT_ONCE; i++) {
    void (async () => {
      for (;;) await act().catch(() => new Promise((resolve) => setTimeout(resolve, 10)));
    })();
  }
}

function silence(seconds: number): Uint8Array<ArrayBuffer> {
  return wavOf(new Float32Array(16_000 * seconds), { sampleRate: 16_000 });
}
