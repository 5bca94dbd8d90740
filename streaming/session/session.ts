/**
 * One client's stream, which outlives its sockets: its configuration, its position, and enough of
 * the past for a resume.
 */
import { PcmDecoder, type PcmSnapshot } from "../../audio/pcm_decoder.ts";
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
  readonly decoder: PcmDecoder;
  readonly history: History;
  readonly openedAtMs: number;
  config: StreamConfig;
  segment = 0;
  /** Frames completed in this segment. */
  frames = 0;
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
    this.decoder = new PcmDecoder({ ...config, split: config.split !== undefined });
    if (config.sample_rate !== MODEL_SAMPLE_RATE) {
      this.#resampler = new ChannelResampler({
        channels: this.streams,
        fromRate: config.sample_rate,
        toRate: MODEL_SAMPLE_RATE,
      });
    }
    this.history = new History(layout, this.streams);
    this.#selections = [{ fromFrame: 0, selection: config }];
  }

  /** Samples per channel heard in this segment, at the client's rate. */
  get samples(): number {
    return this.decoder.samples;
  }

  /**
   * Decodes audio to samples at 16 kHz, `[n, streams]`, and remembers it.
   *
   * @throws {CpcError} `invalid_audio`; `invalid_message` after the signal has ended, or without
   *   the voice that a head compares with
   */
  hear(bytes: Uint8Array): Float32Array<ArrayBuffer> {
    if (this.#finished) {
      throw new CpcError(
        "invalid_message",
        "audio after finish; send finish again, or reset to start over",
      );
    }
    if (bytes.length > 0) this.#checkVoice();
    const samples = this.decoder.push(bytes);
    return this.#remember(this.#resampler ? this.#resampler.push(samples) : samples);
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
    this.decoder.reset();
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
      decoder: this.decoder.snapshot(),
      ...(this.#resampler && { resampler: this.#resampler.snapshot() }),
    };
  }

  /** Every selection that history still needs. */
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
    this.decoder.restore(position.decoder);
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
    const [first, ...later] = this.selectionsFrom(this.history.firstFrame).filter((earlier) =>
      earlier.fromFrame < fromFrame
    );
    const last = { fromFrame, selection };
    this.#selections = first ? [first, ...later, last] : [last];
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
    this.decoder.restore({ samples: this.decoder.samples, pending: new Uint8Array(0) });
  }

  #checkVoice(): void {
    if (this.config.voice) return;
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
