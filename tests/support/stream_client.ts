/**
 * A WebSocket client for tests: everything that comes is kept in order, and waiting for it has a
 * bound.
 */
import assert from "node:assert/strict";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { serverMessageSchemas } from "../../streaming/protocol/messages.ts";

/** A text message of the server, parsed. */
export type Told = { readonly type: string } & Readonly<Record<string, unknown>>;
/** What came: a text message, or a binary one. */
export type Came = Told | Uint8Array;

const TIMEOUT_MS = 10_000;

/** How a test connects. */
export interface ConnectOptions {
  readonly protocols?: string[];
  readonly headers?: Record<string, string>;
  /** Whether pings are answered; default true. */
  readonly autoPong?: boolean;
  /** PEM text of whom to trust. */
  readonly ca?: string;
}

/** Connects and keeps what comes. */
export class StreamClient {
  readonly socket: WebSocket;
  readonly came: Came[] = [];
  /** The close code; undefined while open. */
  closeCode?: number;
  #changed = Promise.withResolvers<void>();

  /** @param options `query`: of `/v1/stream`, given as it is */
  constructor(
    url: string,
    { query = "", protocols = [], ...options }: { query?: string } & ConnectOptions = {},
  ) {
    this.socket = new WebSocket(
      `${url.replace("http", "ws")}/v1/stream?${query}`,
      protocols,
      options,
    );
    this.socket.on("message", (data: Uint8Array, isBinary: boolean) => {
      this.came.push(isBinary ? data : JSON.parse(new TextDecoder().decode(data)));
      this.#wake();
    });
    this.socket.on("open", () => this.#wake());
    this.socket.on("error", () => {}); // close follows
    this.socket.on("close", (code: number) => {
      this.closeCode = code;
      this.#wake();
    });
  }

  /** Everything of a type so far. */
  all(type: string): Told[] {
    return this.came.filter((one): one is Told =>
      !(one instanceof Uint8Array) && one.type === type
    );
  }

  /** Waits for the n-th message of a type (0-based). */
  async next(type: string, n = 0): Promise<Told> {
    await this.until(
      () => this.all(type).length > n || this.closeCode !== undefined,
      `${type} ${n}`,
    );
    const found = this.all(type).at(n);
    if (found) return found;
    throw new Error(
      `closed with ${this.closeCode} before ${type} ${n}: ${JSON.stringify(this.all("error"))}`,
    );
  }

  /** Waits for the end; the code. */
  async closed(): Promise<number> {
    await this.until(() => this.closeCode !== undefined, "close");
    return this.closeCode!;
  }

  /** Waits until something holds; it is asked again whenever anything came. */
  async until(holds: () => boolean, what: string): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`waited ${TIMEOUT_MS} ms for ${what}`)),
        TIMEOUT_MS,
      );
    });
    try {
      while (!holds()) await Promise.race([this.#changed.promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends a message: bytes as audio, anything else as JSON. */
  send(message: Uint8Array | object): void {
    this.socket.send(message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  /** The answer to a mark: all sent before it has been processed. */
  async mark(): Promise<Told> {
    const n = this.all("marked").length;
    this.send({ type: "mark", id: n });
    return await this.next("marked", n);
  }

  /** Cuts the connection, without a close. */
  async terminate(): Promise<void> {
    this.socket.terminate();
    await this.closed();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** Asserts that a stream ends in a fatal error and this close code; returns its message. */
export async function assertEnds(
  client: StreamClient,
  code: string,
  close: number,
): Promise<string> {
  const error = serverMessageSchemas.error.parse(await client.next("error"));
  assert.deepEqual([error.code, error.fatal], [code, true]);
  assert.equal(await client.closed(), close);
  return error.message;
}

/** One frame as told, whatever the format; outputs that were not sent are missing. */
export interface HeardFrame {
  readonly index: number;
  /** Of a split stream. */
  readonly channel?: number;
  readonly context?: number[];
  readonly latent?: number[];
  readonly prediction?: number[][];
}

/**
 * Every frame that came, in order. @param options widths of the model, for binary frames, and
 * `every` in force
 */
export function heardFrames(
  came: readonly Came[],
  { C, Z, every = 1 }: { C: number; Z: number; every?: number },
): HeardFrame[] {
  return came.flatMap((one) => {
    if (one instanceof Uint8Array) return binaryFrames(one, { C, Z, every });
    if (one.type !== "frames") return [];
    const part = (name: string) => one[name] as number[][] | undefined;
    const predictions = one.prediction as number[][][] | undefined;
    return Array.from({ length: one.count as number }, (_, i) => ({
      index: (one.first as number) + i * every,
      ...(one.channel !== undefined && { channel: one.channel as number }),
      ...(part("context") && { context: part("context")![i] }),
      ...(part("latent") && { latent: part("latent")![i] }),
      ...(predictions && { prediction: predictions[i] }),
    }));
  });
}

/** Reads a binary frame as docs/protocol.md says, scores apart. */
export function binaryFrames(
  bytes: Uint8Array,
  { C, Z, every = 1 }: { C: number; Z: number; every?: number },
): HeardFrame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = new TextDecoder().decode(bytes.subarray(0, 4));
  if (magic !== "CPC1" && magic !== "CPC2") throw new Error(`no frame: ${magic}`);
  const [first, count] = [view.getUint32(4, true), view.getUint32(8, true)];
  const [bits, half, steps] = [
    view.getUint8(12),
    view.getUint8(13) === 1,
    view.getUint16(14, true),
  ];
  const channel = magic === "CPC2" ? view.getUint16(16, true) : undefined;
  if (channel !== undefined && view.getUint16(18, true) !== 0) throw new Error("no zero");
  let at = channel === undefined ? 16 : 20;
  const row = (width: number) =>
    Array.from({ length: width }, () => {
      const x = half ? view.getFloat16(at, true) : view.getFloat32(at, true);
      at += half ? 2 : 4;
      return x;
    });
  const rows = <T>(bit: number, read: () => T) =>
    bits & bit ? Array.from({ length: count }, read) : undefined;
  const context = rows(1, () => row(C));
  const latent = rows(2, () => row(Z));
  const prediction = rows(4, () => Array.from({ length: steps }, () => row(Z)));
  if (!(bits & 8) && at !== bytes.length) throw new Error(`${bytes.length - at} bytes too many`);
  return Array.from({ length: count }, (_, i) => ({
    index: first + i * every,
    ...(channel !== undefined && { channel }),
    ...(context && { context: context[i] }),
    ...(latent && { latent: latent[i] }),
    ...(prediction && { prediction: prediction[i] }),
  }));
}
