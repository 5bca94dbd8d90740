/** Streams: sequences of messages to a connection, and frames to a real socket. */
import { setImmediate } from "node:timers";
import { ERROR_CODES } from "../../../errors.ts";
import { below } from "../../../model/seeded.ts";
import { Connection } from "../../../streaming/connection.ts";
import type { Wire } from "../../../streaming/wire.ts";
import { rawFrame, RawSocket } from "../../../tests/support/raw_socket.ts";
import { heardFrames } from "../../../tests/support/stream_client.ts";
import { held } from "../held_server.ts";
import { type StreamServer, WIDTHS, withServer } from "../../../tests/support/stream_server.ts";
import { assertFrames, noise, truthOf } from "../../../tests/support/stream_truth.ts";
import { base64 } from "../base64.ts";
import { mutated, mutatedJson, mutatedText, type Random } from "../mutation.ts";
import { SOCKET_STALL_MS, target } from "../target.ts";
import { MESSAGES, QUERIES } from "./messages.ts";

/** Close codes of the contract, and those of ws itself. */
const CLOSE_CODES = new Set([
  1000,
  1002,
  1005,
  1006,
  ...Object.values(ERROR_CODES).map(({ close }) => close),
]);
const OURS = new Set<string>(["internal", "model_failed"]);
const NEIGHBOUR = noise(4000, 5);
const TRUTH = truthOf(NEIGHBOUR.samples);
const LONGEST_AUDIO = 2000;

/** What a client does: a message, or letting the server work. */
type Act = string | Uint8Array | "turn";
interface Client {
  readonly query: string;
  readonly acts: readonly Act[];
  readonly clean: boolean;
}

/** Whole connections, with a wire that only listens. */
export const streams = target<Client>({
  about: "messages of a stream, in any order, to a connection with a model",
  share: 0.12,
  stallMs: SOCKET_STALL_MS,
  lasting: true,
  async open() {
    const { server, close } = await stays();
    return {
      draw: (random) => ({
        query: random() < 0.7 ? QUERIES[below(4, random)] : mutatedText(QUERIES, random),
        acts: Array.from({ length: 1 + below(30, random) }, () => act(random)),
        clean: random() < 0.5,
      }),
      async feed({ query, acts, clean }) {
        const told: { type: string; code?: string }[] = [];
        let closed: number | undefined;
        const wire: Wire = {
          address: undefined,
          bufferedAmount: 0,
          send(data, sent) {
            if (typeof data === "string") told.push(JSON.parse(data));
            setImmediate(sent);
          },
          close: (code) => closed = code,
          ping() {},
          terminate() {},
          pause() {},
          resume() {},
        };
        const connection = new Connection(wire, { hub: server.hub, owner: "" });
        await connection.start(new URLSearchParams(query));
        for (const act of acts) {
          if (act === "turn") await new Promise((resolve) => setImmediate(resolve));
          else connection.receive(act);
        }
        connection.tick(server.hub.nowMs());
        connection.closed({ clean });
        const ours = told.find(({ type, code }) => type === "error" && OURS.has(code ?? ""));
        if (ours) throw new Error(`the server blames itself: ${JSON.stringify(ours)}`);
        if (closed !== undefined && !CLOSE_CODES.has(closed)) throw new Error(`closed: ${closed}`);
        return acts.length;
      },
      show: ({ query, acts, clean }) =>
        JSON.stringify({
          query,
          clean,
          acts: acts.map((act) => act instanceof Uint8Array ? { base64: base64(act) } : act),
        }),
      check: () => healthy(server),
      close,
    };
  },
});

/** Frames of RFC 6455, valid and not, byte by byte. */
export const frames = target<Uint8Array>({
  about: "WebSocket frames, on a real socket beside a healthy stream",
  share: 0.05,
  stallMs: SOCKET_STALL_MS,
  lasting: true,
  async open() {
    const { server, close } = await stays();
    const texts = MESSAGES.map((message) => JSON.stringify(message));
    const valid = [
      ...texts.map((payload) => rawFrame({ opcode: 1, payload })),
      rawFrame({ opcode: 2, payload: new Uint8Array(640) }),
      rawFrame({ opcode: 2, payload: new Uint8Array(3), fin: false }),
      rawFrame({ opcode: 0, payload: new Uint8Array(3) }),
      rawFrame({ opcode: 8, payload: Uint8Array.of(3, 232) }),
      rawFrame({ opcode: 9, payload: "ping" }),
      rawFrame({ opcode: 10, payload: "pong" }),
    ];
    return {
      draw(random) {
        const parts = Array.from(
          { length: 1 + below(20, random) },
          () => random() < 0.7 ? valid[below(valid.length, random)] : mutated(valid, random),
        );
        return Uint8Array.from(parts.flatMap((part) => [...part]));
      },
      async feed(bytes) {
        const { raw, status } = await RawSocket.open(server.port);
        if (status !== 101) throw new Error(`the handshake was answered with ${status}`);
        raw.send(bytes);
        raw.socket.end();
        const code = await raw.closed();
        // a code that clients may send comes back
        const known = code === undefined || CLOSE_CODES.has(code) || code >= 3000 && code < 5000 ||
          code >= 1000 && code < 1015;
        if (!known) throw new Error(`closed with ${code}`);
        return 10; // on average
      },
      show: base64,
      check: () => healthy(server),
      close,
    };
  },
});

function act(random: Random): Act {
  if (random() < 0.2) return "turn";
  if (random() < 0.4) {
    return Uint8Array.from({ length: below(LONGEST_AUDIO, random) }, () => below(256, random));
  }
  const message = MESSAGES[below(MESSAGES.length, random)];
  if (random() < 0.6) return JSON.stringify(message);
  return random() < 0.5
    ? JSON.stringify(mutatedJson(message, random))
    : mutatedText([JSON.stringify(message)], random);
}

/** A stream beside it all still gives the offline model's frames. */
async function healthy(server: StreamServer): Promise<void> {
  const client = server.connect("output=context,latent");
  await client.next("ready");
  client.send(NEIGHBOUR.bytes);
  client.send({ type: "finish" });
  await client.closed();
  assertFrames(heardFrames(client.came, WIDTHS), TRUTH, {
    output: ["context", "latent"],
  });
}

/** A server that stays until it is closed. */
const stays = () => held<StreamServer>((use) => withServer({ limits: { maxStreams: 500 } }, use));
