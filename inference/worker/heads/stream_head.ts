/** One head of one stream: the rows that it has still to hear, its state, and its events. */
import type { HeadState, OnnxHead } from "../../../model/engines/onnx_head.ts";
import { EventFollower } from "../../../model/heads/events.ts";
import { VOICE_STATE } from "../../../model/heads/speaker.ts";
import type { HeadBlock, ReportedHead, SavedHead } from "../../messages.ts";
import { StateChanges } from "./state_changes.ts";

/** A stream's frames `first … first + count`, and where they are in a step's features. */
export interface HeardFeatures {
  readonly first: number;
  readonly count: number;
  /** `[B, T, C]` */
  readonly context: Float32Array;
  /** `[B, T, Z]` */
  readonly latent: Float32Array;
  /** The row of the batch that is the stream's first channel. */
  readonly from: number;
  /** T */
  readonly hops: number;
  /** Frames of the row before `first`. */
  readonly skip: number;
}

/** One head of one stream, or of one of its channels. */
export class StreamHead {
  readonly head: OnnxHead;
  /** The channel that it hears, if it hears one of several. */
  readonly channel?: number;
  readonly state: HeadState;
  /**
   * Rows `[channels, every, dims]` that are complete and were not computed yet. They may lie in the
   * step's features, and hold until its end.
   */
  readonly ready: Float32Array[] = [];
  readonly #follower: EventFollower;
  readonly #dims: number;
  #row: number; // the next to be computed
  #filling: Float32Array<ArrayBuffer>;
  #filled: number; // its frames so far
  #rows: Float32Array[] = []; // computed in this step
  #events: HeadBlock["events"][number][] = [];
  readonly #changes: StateChanges;
  /** No checkpoint holds it yet. */
  #anew: boolean;

  /**
   * @param options `channel`: the one of several that it hears; `first`: the frame from which it
   *   hears the stream, or `saved`: as in a checkpoint
   */
  constructor(
    head: OnnxHead,
    { hopSamples, channel, ...begin }:
      & { hopSamples: number; channel?: number }
      & ({ readonly first: number } | { readonly saved: SavedHead }),
  ) {
    const { channels, every } = head.spec;
    this.head = head;
    this.channel = channel;
    this.#dims = head.featureFloats / channels / every;
    this.#filling = new Float32Array(head.featureFloats);
    this.state = head.newState();
    if ("saved" in begin) {
      const { row, filled, features, state, events } = begin.saved;
      this.#row = row;
      this.#filled = filled;
      this.#filling.set(features);
      this.#changes = new StateChanges(this.state, state);
      this.#anew = false;
      this.#follower = new EventFollower(head.spec, { hopSamples, states: events });
    } else {
      this.#row = Math.ceil(begin.first / every);
      this.#filled = 0;
      this.#changes = new StateChanges(this.state);
      this.#anew = true;
      this.#follower = new EventFollower(head.spec, { hopSamples });
    }
  }

  /** Hears a step's frames; complete rows become ready. */
  hear({ first, count, from, hops, skip, ...features }: HeardFeatures): void {
    const { input, every, channels } = this.head.spec;
    const data = features[input];
    const dims = this.#dims;
    const heard = from + (this.channel ?? 0); // the row of the batch that it hears first
    const next = (this.#row + this.ready.length) * every + this.#filled;
    for (let i = Math.max(0, next - first); i < count; i++) {
      const at = (heard * hops + skip + i) * dims;
      if (every === 1 && channels === 1) {
        this.ready.push(data.subarray(at, at + dims));
        continue;
      }
      for (let c = 0; c < channels; c++) {
        const frame = data.subarray(at + c * hops * dims, at + c * hops * dims + dims);
        this.#filling.set(frame, (c * every + this.#filled) * dims);
      }
      if (++this.#filled < every) continue;
      this.ready.push(this.#filling);
      this.#filling = new Float32Array(this.head.featureFloats);
      this.#filled = 0;
    }
  }

  /** The oldest ready row was computed. */
  computed(outputs: Float32Array): void {
    this.ready.shift();
    this.#rows.push(outputs);
    const row = this.#row++;
    if (this.head.spec.events.length > 0) this.#events.push(...this.#follower.hear(row, outputs));
  }

  /** The rows and events since it was last asked; undefined if there are none. */
  take(): HeadBlock | undefined {
    const [rows, events] = [this.#rows, this.#events];
    if (rows.length === 0 && events.length === 0) return undefined;
    const { name, width, spec: { every } } = this.head;
    const data = new Float32Array(rows.length * width);
    for (let i = 0; i < rows.length; i++) data.set(rows[i], i * width);
    [this.#rows, this.#events] = [[], []];
    const [first, count] = [this.#row - rows.length, rows.length];
    const block = { head: name, every, first, count, data, events };
    return this.channel === undefined ? block : { ...block, channel: this.channel };
  }

  /** Compares with this voice from the next row on; no row may be ready. */
  enrol(voice: Float32Array): void {
    const place = this.head.spec.state.findIndex(({ name }) => name === VOICE_STATE);
    this.state[place]!.set(voice);
  }

  /** The signal has ended: an incomplete row is dropped, and what is on ends. */
  finish(): void {
    this.#events.push(...this.#follower.finish(this.#row - 1));
  }

  /**
   * What it needs to continue later, beside the checkpoint that it was saved in before; no row may
   * be ready.
   */
  save(): ReportedHead {
    const anew = this.#anew;
    this.#anew = false;
    return {
      head: this.head.name,
      ...(this.channel === undefined ? {} : { channel: this.channel }),
      row: this.#row,
      filled: this.#filled,
      features: this.#filling.slice(),
      changed: this.#changes.take(),
      anew,
      events: this.#follower.states,
    };
  }
}
