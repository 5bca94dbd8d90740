/** Bounds that are no settings. */

/** Bounds that are no flags. `docs/limits.md` explains them. */
export const LIMITS = {
  /** Longest body of a request, in bytes: an hour of 16-bit stereo at 44.1 kHz fits. */
  bodyBytes: 768 * 1024 * 1024,
  /** Longest JSON body, in bytes: an hour of 16-bit mono at 16 kHz as base64 fits. */
  jsonBytes: 256 * 1024 * 1024,
  /**
   * Bytes of bodies and answers that all requests hold together at the most; beyond it they are
   * refused with 503.
   */
  requestMemoryBytes: 3 * 1024 * 1024 * 1024,
  /** Longest recording of a request, in seconds. */
  clipSeconds: 4 * 3600,
  /** Most recordings of a request. */
  clips: 256,
  /**
   * Answers up to this size are computed whole before they are sent; longer ones are sent while
   * they are computed.
   */
  bufferedAnswerBytes: 64 * 1024 * 1024,
  /** Streams of files beside the live ones. */
  fileStreams: 32,
  /** Recordings that wait for one of those; beyond it requests are refused with 503. */
  waitingFiles: 256,
  /**
   * Between two pings of a stream's client, in seconds; one that has answered none when the next is
   * due is gone.
   */
  pingS: 20,
  /** How long open connections may take to end when the server stops, in milliseconds. */
  drainMs: 10_000,
} as const;
