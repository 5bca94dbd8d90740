/** The heads of one stream: those that are wanted, one for each channel where a head hears one. */
import type { OnnxHead } from "../../../model/engines/onnx_head.ts";
import type { HeadBlock, ReportedHead, SavedHead, Want } from "../../messages.ts";
import { type HeardFeatures, StreamHead } from "./stream_head.ts";

/** The heads of one stream. */
export class StreamHeads {
  readonly #known: ReadonlyMap<string, OnnxHead>;
  readonly #channels: number;
  readonly #hopSamples: number;
  #heads: readonly StreamHead[] = [];
  #voice?: Float32Array;

  /** @param options `known`: the model's heads by name; `hopSamples`: of the model */
  constructor(
    { known, channels, hopSamples }: {
      known: ReadonlyMap<string, OnnxHead>;
      channels: number;
      hopSamples: number;
    },
  ) {
    this.#known = known;
    this.#channels = channels;
    this.#hopSamples = hopSamples;
  }

  /** All of them. */
  get all(): readonly StreamHead[] {
    return this.#heads;
  }

  /**
   * Makes sure that it has the wanted heads and no others, and that they know the enrolled voice.
   *
   * @param options how a new one begins: with the `first` frame that it hears, or as in `saved`
   */
  keep(
    want: Pick<Want, "heads" | "voice">,
    begin: { readonly first: number } | { readonly saved: readonly SavedHead[]; first: number },
  ): void {
    const before = this.#heads;
    this.#choose(want.heads ?? [], begin);
    if (!want.voice || before === this.#heads && this.#voice === want.voice) return;
    this.#voice = want.voice;
    for (const one of this.#heads) if (one.head.enrolled) one.enrol(want.voice);
  }

  #choose(
    wanted: readonly string[],
    begin: { readonly first: number } | { readonly saved: readonly SavedHead[]; first: number },
  ): void {
    const isKept = this.#heads.length === 0 && wanted.length === 0 ||
      wanted.every((name) => this.#heads.some(({ head }) => head.name === name)) &&
        this.#heads.every(({ head }) => wanted.includes(head.name));
    if (isKept) return;
    this.#heads = wanted.flatMap((name) => {
      const head = this.#known.get(name);
      if (!head) throw new TypeError(`no head ${name} in this worker`);
      const channels = head.spec.channels === this.#channels
        ? [undefined]
        : Array.from({ length: this.#channels }, (_, channel) => channel);
      return channels.map((channel) => {
        const has = this.#heads.find((one) => one.head === head && one.channel === channel);
        if (has) return has;
        const saved = "saved" in begin
          ? begin.saved.find((one) => one.head === name && one.channel === channel)
          : undefined;
        const hopSamples = this.#hopSamples;
        return new StreamHead(head, {
          hopSamples,
          channel,
          ...(saved ? { saved } : { first: begin.first }),
        });
      });
    });
  }

  /** All hear a step's frames. */
  hear(features: HeardFeatures): void {
    for (const head of this.#heads) head.hear(features);
  }

  /** What was computed since they were last asked; undefined for nothing. */
  take(): HeadBlock[] | undefined {
    const blocks = this.#heads.flatMap((head) => head.take() ?? []);
    return blocks.length > 0 ? blocks : undefined;
  }

  /** The signal has ended; returns the events that this brings. */
  finish(): HeadBlock[] | undefined {
    for (const head of this.#heads) head.finish();
    return this.take();
  }

  /** What they need to continue later; undefined for no heads. */
  save(): ReportedHead[] | undefined {
    return this.#heads.length > 0 ? this.#heads.map((head) => head.save()) : undefined;
  }

  /** Forgets everything. */
  clear(): void {
    this.#heads = [];
  }
}
