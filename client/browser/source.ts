/** Sources of audio. */

/** Takes audio, interleaved if it has two channels; resolves when more is welcome. */
export type Give = (samples: Float32Array<ArrayBuffer>) => Promise<void>;

/** Number of channels: 1, mixed to mono, or 2, one for each of two speakers. */
export type Channels = 1 | 2;

/** A source of floats at its own rate. */
export interface Source {
  readonly name: string;
  readonly sampleRate: number;
  readonly channels: Channels;
  /** Sends nothing while this is set. */
  isPaused: boolean;
  /**
   * Starts sending.
   *
   * @param ended called at the end, with the error if there was one
   */
  run(give: Give, ended: (problem?: string) => void): Promise<void>;
  stop(): void;
}
