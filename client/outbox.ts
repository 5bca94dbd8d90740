/**
 * What a stream sends, in order: first what was sent but may be needed again after a lost
 * connection, then what waits to be sent.
 */
import type { ClientMessage, ServerMessage } from "./protocol.ts";
import type { StreamError } from "./stream_error.ts";

/** Part of the segment's audio. */
export interface AudioItem {
  readonly audio: Uint8Array<ArrayBuffer>;
  /** Its start, in bytes of the segment. */
  readonly startByte: number;
}

/** A message that the server answers. */
export interface Request {
  readonly message: ClientMessage;
  /** Nothing more is sent until it is answered. */
  readonly isBarrier: boolean;
  isAnswered: boolean;
  /** Takes a message if it is the answer; returns whether it was. */
  readonly offer: (message: ServerMessage) => boolean;
  readonly reject: (error: StreamError) => void;
}

/** Details of a request. */
export interface Asking<A> {
  readonly isBarrier?: boolean;
  /** It has been sent already, ahead of what waits. */
  readonly isSent?: boolean;
  /** Reads the answer from the message that carries it. */
  readonly read: (message: ServerMessage) => A | undefined;
}

/** Audio and requests of one stream, across its connections. */
export class Outbox {
  #items: (AudioItem | Request)[] = [];
  /** Index of the first item not yet sent on this connection. */
  #next = 0;
  /** End of the segment's audio, in bytes: as sent, and as given. */
  #sentBytes = 0;
  #givenBytes = 0;

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Bytes of audio that wait to be sent. */
  get unsentBytes(): number {
    return this.#givenBytes - (this.isResetPending ? 0 : this.#sentBytes);
  }

  /** Whether a reset waits for the server's confirmation. */
  get isResetPending(): boolean {
    return this.#items.some(isPendingReset);
  }

  /** Whether the server owes an answer. */
  get isAnswerOwed(): boolean {
    return this.#items.slice(0, this.#next).some((item) => "message" in item && !item.isAnswered);
  }

  /** Audio begins at a byte of the segment: the stream continues a former one. */
  startAt(byte: number): void {
    this.#sentBytes = this.#givenBytes = byte;
  }

  addAudio(audio: Uint8Array<ArrayBuffer>): void {
    this.#items.push({ audio, startByte: this.#givenBytes });
    this.#givenBytes += audio.length;
  }

  /** Adds a request; audio after a reset counts from 0. */
  ask<A>(
    message: ClientMessage,
    { isBarrier = false, isSent = false, read }: Asking<A>,
  ): Promise<A> {
    const answer = new Promise<A>((resolve, reject) => {
      const offer = (message: ServerMessage) => {
        const answer = read(message);
        if (answer !== undefined) resolve(answer);
        return answer !== undefined;
      };
      const request = { message, isBarrier, isAnswered: false, offer, reject };
      if (isSent) this.#items.splice(this.#next++, 0, request);
      else this.#items.push(request);
    });
    if (message.type === "reset") this.#givenBytes = 0;
    answer.catch(() => {}); // nobody awaits a probe's answer
    return answer;
  }

  /** The next item to send; undefined after an unanswered barrier. */
  get next(): AudioItem | Request | undefined {
    const previous = this.#items[this.#next - 1];
    if (previous && "message" in previous && previous.isBarrier && !previous.isAnswered) {
      return undefined;
    }
    return this.#items[this.#next];
  }

  /** Marks the next item as sent. */
  advance(): void {
    const item = this.#items[this.#next++];
    if (item && "audio" in item) this.#sentBytes = item.startByte + item.audio.length;
  }

  /** Drops what was sent before a byte, since no resume will ask for it. */
  release(neededFromByte: number): void {
    let gone = 0;
    for (const item of this.#items.slice(0, this.#next)) {
      const isNeeded = "audio" in item
        ? item.startByte + item.audio.length > neededFromByte
        : !item.isAnswered;
      if (isNeeded) break;
      gone++;
    }
    this.#items.splice(0, gone);
    this.#next -= gone;
  }

  /** Hands a message to the oldest request that it answers. */
  answer(message: ServerMessage): void {
    for (const item of this.#items) {
      if ("audio" in item || item.isAnswered) continue;
      item.isAnswered = item.offer(message);
      if (item.isAnswered) return;
    }
  }

  /**
   * Rewinds to where a resumed connection continues: drops earlier audio, and sends unanswered
   * requests again.
   *
   * @returns whether the audio from there on is still here
   */
  rewind(fromByte: number): boolean {
    const kept: (AudioItem | Request)[] = [];
    let isLater = false; // audio after an unanswered reset counts from 0 again
    let isReached = fromByte === this.#givenBytes;
    for (const item of this.#items) {
      if ("message" in item) {
        if (!item.isAnswered) kept.push(item);
        isLater ||= isPendingReset(item);
      } else if (isLater) kept.push(item);
      else if (item.startByte + item.audio.length > fromByte) {
        const skip = Math.max(0, fromByte - item.startByte);
        if (!isReached && item.startByte > fromByte) return false;
        isReached = true;
        kept.push({ audio: item.audio.subarray(skip), startByte: item.startByte + skip });
      }
    }
    this.#items = kept;
    this.#next = 0;
    this.#sentBytes = fromByte;
    return true;
  }

  /** The server has begun a segment, so everything before the reset is done and answered. */
  beginSegment(segment: number): void {
    this.#sentBytes = 0;
    const former = this.#items.splice(0, this.#items.findIndex(isPendingReset) + 1);
    this.#next = 0;
    const [mark, reset] = [
      { type: "marked", id: null, samples: 0, frames: 0 },
      { type: "reset", segment },
    ] as const;
    for (const item of former) {
      if ("message" in item && !item.isAnswered) item.offer(mark) || item.offer(reset);
    }
  }

  /** Drops everything, and rejects waiting requests with the reason. */
  clear(why: StreamError): void {
    for (const item of this.#items) {
      if ("message" in item && !item.isAnswered) item.reject(why);
    }
    this.#items = [];
    this.#next = 0;
  }
}

function isPendingReset(item: AudioItem | Request): boolean {
  return "message" in item && item.message.type === "reset" && !item.isAnswered;
}
