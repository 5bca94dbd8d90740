/** A WebSocket client that can say anything: frames byte by byte. */
import { connect, type Socket } from "node:net";

const TIMEOUT_MS = 10_000;

/** A frame to send; what is left out is as it should be. */
export interface RawFrame {
  readonly opcode: number;
  readonly payload?: Uint8Array | string;
  readonly fin?: boolean;
  /** The three reserved bits. */
  readonly rsv?: number;
  readonly masked?: boolean;
  /** The length that the frame claims, in 64 bits. */
  readonly claims?: bigint;
}

/** A frame as bytes; the mask is four zeros. */
export function rawFrame(
  { opcode, payload = "", fin = true, rsv = 0, masked = true, claims }: RawFrame,
): Uint8Array {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const mask = masked ? 0x80 : 0;
  const length = claims !== undefined
    ? [127, ...Array.from({ length: 8 }, (_, i) => Number(claims >> BigInt(56 - 8 * i) & 255n))]
    : bytes.length < 126
    ? [bytes.length]
    : [126, bytes.length >> 8, bytes.length & 255];
  const head = [
    (fin ? 0x80 : 0) | rsv << 4 | opcode,
    mask | length[0],
    ...length.slice(1),
    ...(masked ? [0, 0, 0, 0] : []),
  ];
  return Uint8Array.from([...head, ...bytes]);
}

/** A socket after its handshake. */
export class RawSocket {
  readonly socket: Socket;
  /** Everything that came after the handshake's head. */
  #heard: number[] = [];
  #changed = Promise.withResolvers<void>();
  #ended = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (data: Uint8Array) => {
      this.#heard.push(...data);
      this.#wake();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** Shakes hands; the status that came. @param headers instead of the usual ones */
  static async open(
    port: number,
    { query = "", headers = {} }: { query?: string; headers?: Record<string, string> } = {},
  ): Promise<{ raw: RawSocket; status: number }> {
    const raw = new RawSocket(connect(port, "127.0.0.1"));
    const lines = Object.entries({
      Host: "x",
      Upgrade: "websocket",
      Connection: "Upgrade",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version": "13",
      ...headers,
    }).filter(([, value]) => value !== "").map(([name, value]) => `${name}: ${value}`);
    raw.socket.write(`GET /v1/stream?${query} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    const head = () =>
      new TextDecoder("latin1").decode(Uint8Array.from(raw.#heard)).indexOf("\r\n\r\n");
    while (head() < 0 && !raw.#ended) await raw.#more("an answer to the handshake");
    const status = Number(
      new TextDecoder("latin1").decode(Uint8Array.from(raw.#heard.slice(9, 12))),
    );
    raw.#heard = raw.#heard.slice(head() + 4);
    return { raw, status };
  }

  /** Sends bytes as they are. */
  send(...frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.socket.write(frame);
  }

  /** Waits for a text message whose type is this. */
  async next(type: string): Promise<Record<string, unknown>> {
    for (;;) {
      for (const { opcode, payload } of this.#frames()) {
        if (opcode !== 1) continue;
        const message = JSON.parse(new TextDecoder().decode(payload));
        if (message.type === type) return message;
      }
      if (this.#ended) throw new Error(`the socket ended before ${type}`);
      await this.#more(type);
    }
  }

  /** Waits for the answer to the mark `id`; the ids of the marks answered before it. */
  async nextMark(id: string): Promise<{ ids: unknown[]; samples: unknown }> {
    for (;;) {
      const marks = this.#frames().filter(({ opcode }) => opcode === 1)
        .map(({ payload }) => JSON.parse(new TextDecoder().decode(payload)))
        .filter(({ type }) => type === "marked");
      const last = marks.findIndex((message) => message.id === id);
      if (last >= 0) {
        return { ids: marks.slice(0, last).map(({ id }) => id), samples: marks[last].samples };
      }
      if (this.#ended) throw new Error(`the socket ended before the mark ${id}`);
      await this.#more(`the mark ${id}`);
    }
  }

  /** Payloads of the pongs that have come. */
  pongs(): string[] {
    return this.#frames().filter(({ opcode }) => opcode === 10)
      .map(({ payload }) => new TextDecoder("latin1").decode(payload));
  }

  /** Waits for the error that an HTTP answer's body holds. */
  async refusal(): Promise<{ code: string; message: string }> {
    const body = () =>
      /\{"error":.*\}\}/s.exec(new TextDecoder().decode(Uint8Array.from(this.#heard)))?.[0];
    while (!this.#ended && !body()) await this.#more("a body");
    return JSON.parse(body() ?? "{}").error;
  }

  /** Waits for the end; the code of the server's close frame, undefined when there was none. */
  async closed(): Promise<number | undefined> {
    const close = () => this.#frames().find(({ opcode }) => opcode === 8);
    while (!this.#ended && !close()) await this.#more("a close frame");
    const payload = close()?.payload;
    this.socket.destroy();
    while (!this.#ended) await this.#more("the end");
    if (payload?.length === 0) return 1005; // a close frame without a code
    return payload && payload[0] << 8 | payload[1];
  }

  #frames(): { opcode: number; payload: Uint8Array<ArrayBuffer> }[] {
    const frames = [];
    const bytes = this.#heard;
    for (let at = 0; at + 2 <= bytes.length;) {
      let [length, body] = [bytes[at + 1] & 127, at + 2];
      if (length === 126) [length, body] = [bytes[at + 2] << 8 | bytes[at + 3], at + 4];
      if (length === 127) { // lengths here fit into 32 bits
        const low = Uint8Array.from(bytes.slice(at + 6, at + 10));
        [length, body] = [
          low.length < 4 ? Infinity : new DataView(low.buffer).getUint32(0),
          at + 10,
        ];
      }
      if (body + length > bytes.length) break;
      frames.push({
        opcode: bytes[at] & 15,
        payload: Uint8Array.from(bytes.slice(body, body + length)),
      });
      at = body + length;
    }
    return frames;
  }

  /** Waits until something more has come. */
  async #more(what: string): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`waited ${TIMEOUT_MS} ms for ${what}`)),
        TIMEOUT_MS,
      );
    });
    try {
      await Promise.race([this.#changed.promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
