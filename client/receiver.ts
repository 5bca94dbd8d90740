/** Acts on the server's messages: frames to pass on, audio that need not be kept. */
import type { BinaryFrame } from "./binary_frame.ts";
import type { Listeners } from "./events.ts";
import { type Frames, framesOf } from "./frames.ts";
import type { Outbox } from "./outbox.ts";
import type { FramesMessage, HeadEvent, HeadMessage, Ready, Selection } from "./protocol.ts";
import type { Sender } from "./sender.ts";
import type { Heard } from "./socket.ts";
import { StreamError } from "./stream_error.ts";
import type { Unread } from "./unread.ts";

/** The parts of a stream that its receiver works with. */
export interface Receiving {
  /** The selection requested, until the server reports the one in force. */
  readonly selection: Selection;
  /** Bytes of one sample of all channels; undefined for Opus, whose position marks alone tell. */
  readonly sampleBytes: number | undefined;
  readonly outbox: Outbox;
  readonly listeners: Listeners;
  readonly unread: Unread;
  readonly sender: () => Sender;
  /** The stream cannot go on. */
  readonly fails: (error: StreamError) => void;
}

/** Follows one stream across its connections. */
export class Receiver {
  /** Number of frames received in the segment. */
  received = 0;
  /** Bytes of the segment known to have been processed. */
  confirmedBytes = 0;
  /** Whether the server has sent `done`. */
  isDone = false;
  selection: Selection;
  readonly #of: Receiving;
  #ready: Ready | undefined;
  #segment = 0;
  /** Frames whose other channels have yet to come: a lost connection loses all of them. */
  #waiting: Frames[] = [];
  /** Rows received of each head and channel, and the frames that they heard. */
  readonly #rows = new Map<string, number>();
  readonly #framesOf = new Map<string, number>();
  /** The last of each event. */
  readonly #events = new Map<string, HeadEvent>();

  constructor(receiving: Receiving) {
    this.#of = receiving;
    this.selection = receiving.selection;
  }

  /** The server's latest `ready`. @throws {TypeError} before there is one */
  get ready(): Ready {
    if (!this.#ready) throw new TypeError("the stream is not open yet: connect() opens it");
    return this.#ready;
  }

  /** Whether nothing has been received: the stream could as well begin anew. */
  get isAtBeginning(): boolean {
    return this.received === 0 && this.#segment === 0;
  }

  /** Acts on the next message. */
  take(message: Heard): void {
    switch (message.type) {
      case "ready": {
        const isFirst = this.#ready === undefined;
        this.#ready = message;
        if (!isFirst) return this.#rewind(message);
        this.selection = selectionOf(message);
        if (message.resumed) this.#continue(message);
        return;
      }
      case "binary":
      case "frames":
        return this.#takeFrames(message);
      case "head":
        return this.#takeRows(message);
      case "event":
        return this.#takeEvent(message);
      case "marked":
        this.received = Math.max(this.received, message.frames);
        this.#confirm(message.samples);
        if (message.bytes !== undefined) this.#confirmBytes(message.bytes);
        break;
      case "updated":
        this.selection = selectionOf(message);
        this.#framesOf.clear();
        this.#of.listeners.emit("updated", this.selection);
        break;
      case "reset":
        return this.#beginSegment(message.segment);
      case "done":
        this.isDone = true;
        this.#of.listeners.emit("done", message);
        break;
      case "warning":
        return this.#of.listeners.emit("warning", message);
    }
    this.#of.outbox.answer(message);
    this.#of.sender().pump();
  }

  #takeFrames(message: FramesMessage | BinaryFrame): void {
    const { ready, selection } = this;
    const frames = framesOf(message, { ready, segment: this.#segment, selection });
    this.#waiting.push(frames);
    if (frames.channel !== undefined && frames.channel < ready.channels - 1) return;
    const last = frames.first + (frames.count - 1) * frames.every;
    this.received = Math.max(this.received, last + 1);
    this.#confirm(this.received * ready.sample_rate / ready.frame_rate);
    for (const one of this.#waiting.splice(0)) {
      if (this.#of.listeners.has("frames")) this.#of.listeners.emit("frames", one);
      else this.#of.unread.push(one);
    }
  }

  /** Passes on the rows that are new: after a resume, the last ones may come again. */
  #takeRows(message: HeadMessage): void {
    const { ready, selection: { output } } = this;
    const { first, count, time, rows } = message;
    const every = Math.round(time * ready.frame_rate / (first + 1)); // frames of a row
    const head = `${message.name} ${message.channel ?? ""}`;
    const known = Math.max(0, Math.min(count, (this.#rows.get(head) ?? 0) - first));
    this.#rows.set(head, Math.max(first + count, this.#rows.get(head) ?? 0));
    this.#framesOf.set(head, (first + count) * every);
    if (output.every((name) => name.startsWith("head."))) {
      const all = output.every((name) => this.#heardOf(name.slice("head.".length)));
      if (all) this.received = Math.max(this.received, Math.min(...this.#framesOf.values()));
      this.#confirm(this.received * ready.sample_rate / ready.frame_rate);
    }
    if (known === count) return;
    this.#of.listeners.emit("head", {
      ...message,
      first: first + known,
      count: count - known,
      time: time + known * every / ready.frame_rate,
      rows: rows.slice(known),
    });
  }

  /** Passes on an event, unless it came before the resume. */
  #takeEvent(message: HeadEvent): void {
    const key = `${message.head} ${message.event} ${message.channel ?? ""}`;
    const last = this.#events.get(key);
    const { time, state } = message;
    if (last && (time < last.time || time === last.time && state === last.state)) return;
    this.#events.set(key, message);
    this.#of.listeners.emit("event", message);
  }

  /**
   * Whether a head has given rows in this segment: of every channel, if it hears each by itself.
   */
  #heardOf(head: string): boolean {
    const { channels, split } = this.ready;
    const has = (channel: number | "") => this.#framesOf.has(`${head} ${channel}`);
    return has("") || split === 1 && Array.from({ length: channels }, (_, c) => c).every(has);
  }

  /** Notes the number of processed samples, and drops audio that no resume can ask for. */
  #confirm(samples: number): void {
    const { sampleBytes } = this.#of;
    if (sampleBytes === undefined) return this.#of.sender().pump();
    this.confirmedBytes = Math.max(this.confirmedBytes, samples * sampleBytes);
    const samplesPerFrame = this.ready.sample_rate / this.ready.frame_rate;
    const neededFrom = Math.floor(Math.max(0, this.received - 1) * samplesPerFrame);
    this.#of.outbox.release(neededFrom * sampleBytes);
    this.#of.sender().pump();
  }

  /** Everything up to a byte was processed, and its frames have come. */
  #confirmBytes(bytes: number): void {
    this.confirmedBytes = Math.max(this.confirmedBytes, bytes);
    this.#of.outbox.release(bytes);
  }

  /** The stream continues a former one. */
  #continue({ samples = 0, segment = 0 }: Ready): void {
    this.#segment = segment;
    this.confirmedBytes = samples * (this.#of.sampleBytes ?? 0);
    this.#of.outbox.startAt(this.confirmedBytes);
  }

  /** The server continues at a sample: sends the audio from there again. */
  #rewind({ samples = 0, segment = 0, bytes }: Ready): void {
    this.#waiting = [];
    this.#of.sender().beginAgain();
    if (segment !== this.#segment) this.#beginSegment(segment); // it had received the reset
    const from = bytes ?? samples * (this.#of.sampleBytes ?? 0);
    this.confirmedBytes = Math.min(this.confirmedBytes, from);
    if (this.#of.outbox.rewind(from)) return;
    this.#of.fails(new StreamError("connection_lost", `audio from sample ${samples} on is gone`));
  }

  #beginSegment(segment: number): void {
    this.#segment = segment;
    this.received = this.confirmedBytes = 0;
    this.#rows.clear();
    this.#framesOf.clear();
    this.#events.clear();
    this.#of.outbox.beginSegment(segment);
    this.#of.listeners.emit("reset", { segment });
    this.#of.sender().pump();
  }
}

/**
 * Whether a selection is the one that a change asked for. A resume repeats former answers, which
 * may come after the question.
 */
export function fulfils(
  { output, steps, every }: Selection,
  change: Partial<Selection>,
): boolean {
  const same = (wanted: readonly unknown[] = [], found: readonly unknown[]) =>
    new Set([...wanted, ...found]).size === new Set(wanted).size &&
    new Set(wanted).size === new Set(found).size;
  return (change.output === undefined || same(change.output, output)) &&
    (change.steps === undefined || same(change.steps, steps)) &&
    (change.every === undefined || change.every === every);
}

/** The selection in a message, without its other members. */
export function selectionOf({ output, steps, every }: Selection): Selection {
  return { output, steps, every };
}
