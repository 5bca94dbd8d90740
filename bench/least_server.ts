/**
 * The least that a server of these building blocks does: `ws` on node:http, and a thread that
 * answers each message with as many numbers as a stream of 256 context values gets. Nothing is
 * checked, counted or kept. What the server takes beyond this is its own.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import type { FromLeast } from "./least_thread.ts";

/** Two frames of 256 numbers behind a header of 16 bytes, as in docs/protocol.md. */
const FRAMES = 2;
const HEADER = { bytes: 16, magic: 0x31435043 } as const;
/** Of the shipped models. */
const READY = { type: "ready", hop: 160, lookahead: 465 };

const thread = new Worker(new URL("./least_thread.ts", import.meta.url), { type: "module" });
const streams: { readonly socket: WebSocket; frames: number }[] = [];

thread.onmessage = ({ data: { stream, values } }: MessageEvent<FromLeast>) => {
  const { socket, frames } = streams[stream];
  const message = new Uint8Array(HEADER.bytes + values.byteLength);
  const header = new Uint32Array(message.buffer, 0, HEADER.bytes / 4);
  header.set([HEADER.magic, frames, FRAMES]);
  message.set(new Uint8Array(values.buffer), HEADER.bytes);
  streams[stream].frames += FRAMES;
  socket.send(message);
};

const server = createServer();
new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
  const stream = streams.push({ socket, frames: 0 }) - 1;
  socket.send(JSON.stringify(READY));
  socket.on("message", (data: Uint8Array, isBinary: boolean) => {
    if (isBinary) thread.postMessage({ stream, bytes: new Uint8Array(data) });
    else socket.close(); // it finishes
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
