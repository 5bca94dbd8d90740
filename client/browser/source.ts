/** Sources of audio. */

/** Takes mono audio; resolves when more is welcome. */
export type Give = (samples: Float32Array<ArrayBuffer>) => Promise<void>;

/** A source of mono floats at its own rate. */
export interface Source {
  readonly name: string;
  readonly sampleRate: number;
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
