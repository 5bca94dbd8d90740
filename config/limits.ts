/** Bounds that are not settings. `deno task docs:settings` writes them into docs/limits.md. */

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Each bound: its value, what it bounds, and what happens beyond it. */
export const LIMIT_TABLE = {
  /** An hour of 16-bit stereo at 44.1 kHz fits. */
  bodyBytes: {
    value: 768 * MIB,
    help: "body of a request, raw or multipart",
    beyond: "413",
  },
  /** An hour of 16-bit mono at 16 kHz as base64 fits. */
  jsonBytes: { value: 256 * MIB, help: "body of a JSON request", beyond: "413" },
  tensorJsonBytes: {
    value: MIB,
    help: "inference request with its numbers in JSON; a binary one has `bodyBytes`",
    beyond: "413",
  },
  optionBytes: {
    value: 64 * KIB,
    help: "JSON beside its recordings, or a field of a form",
    beyond: "413",
  },
  formFields: { value: 32, help: "fields of a form beside its recordings", beyond: "413" },
  partHeadBytes: {
    value: 16 * KIB,
    help: "head of a part of a form",
    beyond: "what follows is not read",
  },
  leastBytesPerSecond: {
    value: 4 * KIB,
    help: "bytes a second that a client must send of a body, or read of an answer; it may pause " +
      "for `--slow-reader-timeout`, and earns that time anew with what it sends or reads",
    beyond: "408; an answer breaks off",
  },
  requestMemoryBytes: {
    value: 3 * GIB,
    help: "bodies and kept answers of all requests together; those of a key (without keys, of an " +
      "address) may hold three quarters of it",
    beyond: "503; 429; with `Retry-After`. 413 for a request that never fits",
  },
  clipSeconds: { value: 4 * 3600, help: "one recording", beyond: "413, `param` names it" },
  requestAudioSeconds: {
    value: 12 * 3600,
    help: "all recordings of a request; a key's requests at one time may have twice as much",
    beyond: "413; 429",
  },
  requestSamples: {
    value: 4_000_000_000,
    help: "samples of all channels that are decoded for a request; twice as many for a key's " +
      "requests at one time",
    beyond: "413; 429",
  },
  clips: { value: 256, help: "recordings of a request", beyond: "413" },
  bufferedAnswerBytes: {
    value: 64 * MIB,
    help: "answers (as float32) computed whole before they are sent; see below",
    beyond: "sent while computed",
  },
  fileStreams: {
    value: 32,
    help: "recordings computed at once, over all requests, beside the live streams",
    beyond: "the others wait",
  },
  decodedFiles: {
    value: 8,
    help: "recordings that are checked at once, over all requests, before they are computed",
    beyond: "the others wait",
  },
  scoringThreads: {
    value: 2,
    help: "batches that are scored at once, each on a thread of its own",
    beyond: "the others wait",
  },
  waitingFiles: {
    value: 256,
    help: "recordings of a key that wait for one of these; a key has three quarters of the " +
      "places at the most, and the one with the fewest goes next (without keys, an address)",
    beyond: "503 with `Retry-After`",
  },
  pingS: {
    value: 20,
    help: "time between two pings of a stream's client",
    beyond: "a client that has not answered when the next is due is cut off; its session is kept",
  },
} as const;

/** Their values: bytes, seconds (`S`, `Seconds`), milliseconds (`Ms`) or counts. */
export const LIMITS = Object.fromEntries(
  Object.entries(LIMIT_TABLE).map(([name, { value }]) => [name, value]),
) as { readonly [Name in keyof typeof LIMIT_TABLE]: number };
