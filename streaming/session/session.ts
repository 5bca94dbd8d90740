/**
 * One client's stream, which outlives its sockets: its configuration, its position, and enough of
 * the past for a resume.
 */
import type { LiveDecoder } from "../../audio/live_decoder.ts";
import { PcmDecoder, type PcmSnapshot } from "../../audio/pcm_decoder.ts";
import { isOpus } from "../../audio/stream_encodings.ts";
import { ChannelResampler } from "../../audio/channels.ts";
import type { ResamplerSnapshot } from "../../audio/resample.ts";
import { CpcError } from "../../errors.ts";
import { enrolledHead } from "../../inference/want.ts";
import { exactFrames, MODEL_SAMPLE_RATE, offlineFrames } from "../../model/architecture.ts";
import type { ModelLayout } from "../../model/engine.ts";
import type { HeadFile } from "../../model/heads/spec.ts";
import { modelStreams, type StreamConfig } from "../protocol/query.ts";
import type { Selectable, Selection } from "../protocol/selection.ts";
import { History } from "./history.ts";

/** Seconds of audio between two checkpoints of the state. */
export const CHECKPOINT_SECONDS = 2;
/** Most selections that a session remembers: a client may send one with every frame. */
const MOST_SELECTIONS = 128;

/** Hops between two checkpoints. */
export function checkpointHops({ hopSamples }: { readonly hopSamples: number }): number {
  return Math.ceil(CHECKPOINT_SECONDS * MODEL_SAMPLE_RATE / hopSamples);
}

/** A selection, from a frame on. */
export interface SelectionFrom {
  readonly fromFrame: number;
  readonly selection: Selection;
}
export type Selections = [SelectionFrom, ...SelectionFrom[]];

/** Where a session is in its signal: what changes with every message. */
export interface Position {
  readonly segment: number;
  readonly finished: boolean;
  readonly decoder: PcmSnapshot;
  /** One for each stream of the model. */
  readonly resampler?: readonly ResamplerSnapshot[];
}

/** A stream's configuration, decoding, position and history. */
export class Session {
  /** A name for logs; not a secret. */
  readonly id: string;
  /** Name of the key that opened it; only the same key resumes it. */
  readonly owner: string;
  readonly layout: ModelLayout;
  /** Streams of the model that it takes, in step: one, or one for each channel. */
  readonly streams: number;
  /** The model's, by name. */
  readonly heads: ReadonlyMap<string, HeadFile>;
  /** Decodes Opus in a worker, for a session of such; named by the hub's shelf. */
  live?: LiveDecoder;
  readonly history: History;
  readonly openedAtMs: number;
  config: StreamConfig;
  segment = 0;
  /** Frames completed in this segment. */
  frames = 0;
  /** Undefined for Opus. */
  readonly #decoder?: PcmDecoder;
  /** Samples of Opus heard in this segment, at 16 kHz. */
  #liveSamples = 0;
  readonly #resampler?: ChannelResampler;
  /** Selections, in the order of frames. */
  #selections: Selections;
  #finished = false;
  /** Told of everything that a resume must not lose. */
  onChange: (change: "heard" | "selected" | "reset") => void = () => {};

  constructor(
    config: StreamConfig,
    { owner, layout, heads = [], nowMs, id = crypto.randomUUID() }: {
      owner: string;
      layout: ModelLayout;
      heads?: readonly HeadFile[];
      nowMs: number;
      id?: string;
    },
  ) {
    this.id = id;
    this.config = config;
    this.owner = owner;
    this.layout = layout;
    this.heads = new Map(heads.map((head) => [head.name, head]));
    this.openedAtMs = nowMs;
    this.streams = modelStreams(config);
    const { encoding, sample_rate: rate, split } = config;
    if (!isOpus(encoding)) {
      this.#decoder = new PcmDecoder({ ...config, encoding, split: split !== undefined });
    }
    if (this.#decoder && rate !== MODEL_SAMPLE_RATE) {
      this.#resampler = new ChannelResampler({
        channels: this.streams,
        fromRate: rate,
        toRate: MODEL_SAMPLE_RATE,
      });
    }
    this.history = new History(layout, this.streams);
    this.#selections = [{ fromFrame: 0, selection: config }];
  }

  /** Samples per channel heard in this segment, at the client's rate. */
  get samples(): number {
    if (this.#decoder) return this.#decoder.samples;
    return Math.ceil(this.#liveSamples * this.config.sample_rate / MODEL_SAMPLE_RATE);
  }

  /** Whether its client would lose nothing with it. */
  get isUnheard(): boolean {
    return this.samples === 0 && this.segment === 0;
  }

  /** Seconds of audio in a message of samples; undefined for Opus, which only decoding tells. */
  secondsIn(bytes: number): number | undefined {
    return this.#decoder && bytes / this.#decoder.frameBytes / this.config.sample_rate;
  }

  /**
   * Checks that audio may come.
   *
   * @throws {CpcError} `invalid_message` after the signal has ended, or without the voice that a
   *   head compares with
   */
  checkMayHear(): void {
    if (this.#finished) {
      const why = "audio after finish; send finish again, or reset to start over";
      throw new CpcError("invalid_message", why);
    }
    this.#checkVoice();
  }

  /**
   * Decodes a message of samples to samples at 16 kHz, `[n, streams]`, and remembers them.
   *
   * @throws {CpcError} `invalid_audio`; `invalid_message` after the signal has ended, or without
   *   the voice that a head compares with
   */
  hear(bytes: Uint8Array): Float32Array<ArrayBuffer> {
    if (this.#finished || bytes.length > 0) this.checkMayHear();
    if (!this.#decoder) throw new TypeError("Opus is decoded elsewhere, and taken");
    const samples = this.#decoder.push(bytes);
    return this.#remember(this.#resampler ? this.#resampler.push(samples) : samples);
  }

  /** Takes the next samples that {@linkcode live} has, if there are any, and remembers them. */
  take(): Float32Array<ArrayBuffer> | undefined {
    const samples = this.live?.take();
    return samples && this.#hearLive(samples);
  }

  /**
   * Continues with the decoder of an earlier session of the same name.
   *
   * @returns whether it could: the decoder has given what this session has heard, or little more
   */
  adopt(live: LiveDecoder): boolean {
    const missing = live.segment === this.segment ? live.since(this.#liveSamples) : undefined;
    if (!missing) return false;
    this.live = live;
    if (missing.length > 0) this.#hearLive(missing);
    return true;
  }

  #hearLive(samples: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
    this.#liveSamples += samples.length / this.streams;
    return this.#remember(samples);
  }

  /** Ends the signal; returns what the resampler still holds. */
  flush(): Float32Array<ArrayBuffer> {
    this.#finished = true;
    return this.#resampler ? this.#remember(this.#resampler.flush()) : new Float32Array(0);
  }

  /** Begins the next segment. */
  reset(): void {
    this.#finished = false;
    this.#selections = [{ fromFrame: 0, selection: this.config }];
    this.#decoder?.reset();
    this.live?.reset();
    this.#liveSamples = 0;
    this.#resampler?.reset();
    this.history.clear();
    this.segment++;
    this.frames = 0;
    this.onChange("reset");
  }

  /** Where it is in its signal. */
  get position(): Position {
    return {
      segment: this.segment,
      finished: this.#finished,
      decoder: this.#decoder?.snapshot() ??
        { samples: this.#liveSamples, pending: new Uint8Array(0) },
      ...(this.#resampler && { resampler: this.#resampler.snapshot() }),
    };
  }

  /** The first frame that can still be sent as it was asked for. */
  get firstFrame(): number {
    return Math.max(this.history.firstFrame, this.#selections[0].fromFrame);
  }

  /** Every selection that history still needs, as far as they are remembered. */
  get selections(): Selections {
    return this.#selections;
  }

  /**
   * Continues where another session of the same configuration was. Its history must already hold
   * the audio up to there.
   *
   * @param selections in place of its own
   */
  restore(position: Position, selections: Selections = this.#selections): void {
    this.segment = position.segment;
    this.#finished = position.finished;
    this.#decoder?.restore(position.decoder);
    if (!this.#decoder) this.#liveSamples = position.decoder.samples;
    if (position.resampler) this.#resampler?.restore(position.resampler);
    this.#selections = selections;
    const { plan, config } = this.layout;
    const heard = this.history.endSample;
    this.frames = this.#finished ? offlineFrames(config, heard) : exactFrames(plan, heard);
  }

  /** What a change of its selection is checked against. */
  get selectable(): Selectable {
    const { model } = this.config;
    return {
      model,
      dims: this.layout.dims,
      heads: [...this.heads.values()],
      channels: this.streams,
    };
  }

  /** Changes what is sent from a frame on. */
  select(selection: Selection, fromFrame: number): void {
    this.config = { ...this.config, ...selection };
    const [first, ...later] = this.selectionsFrom(this.firstFrame).filter((earlier) =>
      earlier.fromFrame < fromFrame
    );
    const last = { fromFrame, selection };
    const all: Selections = first ? [first, ...later, last] : [last];
    this.#selections = all.slice(-MOST_SELECTIONS) as Selections; // not empty
    this.onChange("selected");
  }

  /** The configuration of frame `frame`. */
  configAt(frame: number): StreamConfig {
    return { ...this.config, ...this.selectionsFrom(frame)[0].selection };
  }

  /** The selections from `frame` on, each with its first frame; the first one begins at `frame`. */
  selectionsFrom(frame: number): Selections {
    const [first, ...changes] = this.#selections;
    const past = changes.filter(({ fromFrame }) => fromFrame <= frame);
    const { selection } = past.at(-1) ?? first;
    return [{ fromFrame: frame, selection }, ...changes.slice(past.length)];
  }

  /** The socket is gone, so the client will send an incomplete sample again. */
  detach(): void {
    this.#decoder?.restore({ samples: this.samples, pending: new Uint8Array(0) });
  }

  #checkVoice(): void {
    if (this.config.voice || this.heads.size === 0) return;
    const head = enrolledHead(this.config.output, [...this.heads.values()]);
    if (!head) return;
    throw new CpcError(
      "invalid_message",
      `head.${head} compares with an enrolled voice, and there is none: send ` +
        '{"type":"update","voice":[…]} before audio',
    );
  }

  #remember(samples: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
    this.history.append(samples);
    this.onChange("heard");
    return samples;
  }
}
