/**
 * A client that survives its sockets: resumes, sends again what the server has not heard, and says
 * what it heard in all.
 */
import { type HeardFrame, heardFrames, StreamClient, type Told } from "./stream_client.ts";
import { WIDTHS } from "./stream_server.ts";

/** A stream over many sockets. */
export class LastingClient {
  client: StreamClient;
  /** Frames of the current segment. */
  frames: HeardFrame[] = [];
  resumes = 0;
  readonly #url: string;
  readonly #query: string;
  readonly #sampleBytes: number;
  readonly #channels: number;
  #token = "";
  #every = 1;
  #read = 0;
  #sent = 0;

  /** @param options `sampleBytes`: of one sample of all channels; `channels`: if it is split */
  constructor(
    url: string,
    { query = "", sampleBytes = 2, channels = 1 }: {
      query?: string;
      sampleBytes?: number;
      channels?: number;
    } = {},
  ) {
    this.#url = url;
    this.#query = query;
    this.#sampleBytes = sampleBytes;
    this.#channels = channels;
    this.client = new StreamClient(url, { query });
  }

  /** How many frames it has of every channel, as `received` wants them. */
  get received(): number {
    this.#collect();
    const last = this.frames.findLast(({ channel = 0 }) => channel === this.#channels - 1);
    return last === undefined ? 0 : last.index + 1;
  }

  /** Bytes of the segment that were sent. */
  get sent(): number {
    return this.#sent;
  }

  /** Sends the segment's audio up to a byte. */
  audio(bytes: Uint8Array, until: number): void {
    const part = bytes.subarray(this.#sent, until);
    this.#sent = Math.max(this.#sent, until);
    if (part.length > 0) this.client.send(part);
  }

  /**
   * Says something and waits for its answer, over as many sockets as it takes; undefined when the
   * socket was lost.
   *
   * @throws {Error} if the socket lives and no answer comes
   */
  async say(message: { type: string }, answer: string): Promise<Told | undefined> {
    const unlessLost = (error: unknown) => {
      if (this.client.closeCode === undefined) throw error;
      return undefined;
    };
    await this.client.next("ready").catch(unlessLost);
    const n = this.client.all(answer).length;
    if (this.client.closeCode !== undefined) return undefined;
    this.client.send(message);
    const told = await this.client.next(answer, n).catch(unlessLost);
    this.#collect();
    return told;
  }

  /** The segment begins anew. */
  restart(): void {
    this.#collect();
    this.frames = [];
    this.#sent = 0;
  }

  /**
   * Connects again; the old socket may live or not.
   *
   * @param url of another server
   */
  async resume(url = this.#url): Promise<Told | undefined> {
    const received = this.received;
    this.frames = this.frames.filter(({ index }) => index < received);
    const old = this.client;
    this.client = new StreamClient(url, {
      query: `resume=${this.#token}&received=${received}`,
    });
    this.#read = 0;
    const ready = await this.client.next("ready").catch((error) => {
      if (this.client.all("error").length > 0) throw error;
    });
    if (!ready) return undefined; // cut before it came
    this.resumes++;
    this.#sent = (ready.samples as number) * this.#sampleBytes;
    if (old.closeCode === undefined) await old.closed();
    return ready;
  }

  #collect(): void {
    for (; this.#read < this.client.came.length; this.#read++) {
      const one = this.client.came[this.#read];
      this.frames.push(...heardFrames([one], { ...WIDTHS, every: this.#every }));
      if (one instanceof Uint8Array) continue;
      if (one.type === "ready" || one.type === "updated") this.#every = one.every as number;
      if (one.type === "ready") this.#token = one.resume as string;
    }
  }

  /** The token in force. */
  get token(): string {
    this.#collect();
    return this.#token;
  }

  /** The query it began with. */
  get query(): string {
    return this.#query;
  }
}
