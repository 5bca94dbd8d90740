/** One head of one stream: the rows that it has still to hear, its state, and its events. */
import type { HeadState, OnnxHead } from "../../../model/engines/onnx_head.ts";
import { EventFollower } from "../../../model/heads/events.ts";
import { VOICE_STATE } from "../../../model/heads/speaker.ts";
import type { HeadBlock, ReportedHead, SavedHead } from "../../messages.ts";
import { StateChanges } from "./state_changes.ts";

/** The features of a stream's channels in one step: frames `first … first + count`. */
export interface HeardFeatures {
  readonly first: number;
  readonly count: number;
  /** Of each channel, `[count, C]`. */
  readonly context: readonly Float32Array[];
  /** Of each channel, `[count, Z]`. */
  readonly latent: readonly Float32Array[];
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
  hear({ first, count, ...features }: HeardFeatures): void {
    const { input, every } = this.head.spec;
    const dims = this.#dims;
    const sources = this.channel === undefined ? features[input] : [features[input][this.channel]];
    const next = (this.#row + this.ready.length) * every + this.#filled;
    for (let i = Math.max(0, next - first); i < count; i++) {
      if (every === 1 && sources.length === 1) {
        this.ready.push(sources[0].subarray(i * dims, (i + 1) * dims));
        continue;
      }
      for (const [c, source] of sources.entries()) {
        const at = (c * every + this.#filled) * dims;
        this.#filling.set(source.subarray(i * dims, (i + 1) * dims), at);
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
    for (const event of this.#follower.hear(this.#row++, outputs)) this.#events.push(event);
  }

  /** The rows and events since it was last asked; undefined if there are none. */
  take(): HeadBlock | undefined {
    const [rows, events] = [this.#rows, this.#events];
    if (rows.length === 0 && events.length === 0) return undefined;
    const { name, width, spec: { every } } = this.head;
    const data = new Float32Array(rows.length * width);
    rows.forEach((row, i) => data.set(row, i * width));
    [this.#rows, this.#events] = [[], []];
    const first = this.#row - rows.length;
    const channel = this.channel === undefined ? {} : { channel: this.channel };
    return { head: name, ...channel, every, first, count: rows.length, data, events };
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
