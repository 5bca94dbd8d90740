/** Where audio comes from. */

/** Takes mono audio; resolves when more is welcome. */
export type Give = (samples: Float32Array<ArrayBuffer>) => Promise<void>;

/** Something that gives mono floats at its own rate. */
export interface Source {
  readonly name: string;
  readonly sampleRate: number;
  /** Gives nothing while this is set. */
  isPaused: boolean;
  /**
   * Begins to give.
   *
   * @param ended is called when there is no more, with what went wrong if something did
   */
  run(give: Give, ended: (problem?: string) => void): Promise<void>;
  stop(): void;
}
