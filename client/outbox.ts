/**
 * What a stream has to say, in order: what was sent and may be needed again after a lost
 * connection, then what waits to be sent.
 */
import type { ClientMessage, ServerMessage } from "./protocol.ts";
import type { StreamError } from "./stream_error.ts";

/** A part of the segment's audio. */
export interface AudioItem {
  readonly audio: Uint8Array<ArrayBuffer>;
  /** Where it begins, in bytes of the segment. */
  readonly startByte: number;
}

/** A message that the server answers. */
export interface Request {
  readonly message: ClientMessage;
  /** Nothing is sent after it until it is answered. */
  readonly isBarrier: boolean;
  isAnswered: boolean;
  /** Takes a message if that is the answer, and says whether it was. */
  readonly offer: (message: ServerMessage) => boolean;
  readonly reject: (error: StreamError) => void;
}

/** How a request is made. */
export interface Asking<A> {
  readonly isBarrier?: boolean;
  /** It is on its way, before all that waits. */
  readonly isSent?: boolean;
  /** The answer, from the message that carries it. */
  readonly read: (message: ServerMessage) => A | undefined;
}

/** Audio and requests of one stream, across its connections. */
export class Outbox {
  #items: (AudioItem | Request)[] = [];
  /** Index of the first that is not sent on this connection. */
  #next = 0;
  /** End of the segment's audio, in bytes: sent, and given to send. */
  #sentBytes = 0;
  #givenBytes = 0;

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Audio that waits to be sent. */
  get unsentBytes(): number {
    return this.#givenBytes - (this.isResetPending ? 0 : this.#sentBytes);
  }

  /** Whether a new segment was asked for that the server has not confirmed. */
  get isResetPending(): boolean {
    return this.#items.some(isPendingReset);
  }

  /** Whether the server has heard something that it has not answered. */
  get isAnswerOwed(): boolean {
    return this.#items.slice(0, this.#next).some((item) => "message" in item && !item.isAnswered);
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
    answer.catch(() => {}); // a probe's answer is awaited by nobody
    return answer;
  }

  /** What may be sent next: nothing after an unanswered barrier. */
  get next(): AudioItem | Request | undefined {
    const previous = this.#items[this.#next - 1];
    if (previous && "message" in previous && previous.isBarrier && !previous.isAnswered) {
      return undefined;
    }
    return this.#items[this.#next];
  }

  /** The next one was sent. */
  advance(): void {
    const item = this.#items[this.#next++];
    if (item && "audio" in item) this.#sentBytes = item.startByte + item.audio.length;
  }

  /** Lets go of what was sent and lies before a byte that no resume will ask for. */
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

  /** Gives a message to the oldest request that it answers. */
  answer(message: ServerMessage): void {
    for (const item of this.#items) {
      if ("audio" in item || item.isAnswered) continue;
      item.isAnswered = item.offer(message);
      if (item.isAnswered) return;
    }
  }

  /**
   * Goes back to where a resumed connection continues: audio before is dropped, what has no answer
   * is sent again.
   *
   * @returns whether the audio from there on is here
   */
  rewind(fromByte: number): boolean {
    const kept: (AudioItem | Request)[] = [];
    let isLater = false; // audio after a reset that is not answered counts from 0 again
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

  /** The server has begun a segment: all before the reset is over, and answered. */
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

  /** Forgets everything; whoever waits for an answer hears why none comes. */
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
