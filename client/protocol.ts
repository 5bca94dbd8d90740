/**
 * The wire protocol as a client sees it (`docs/protocol.md`). A package cannot carry the server's
 * schemas, so the types are written out; `tests/client/protocol_test.ts` holds them to the
 * server's.
 */

/** Outputs of a frame, or the rows of a head (docs/heads.md). */
export type Output = "context" | "latent" | "prediction" | "score" | `head.${string}`;
/** Encodings of audio. */
export type Encoding = PcmEncoding | OpusEncoding;
/** Encodings of samples. */
export type PcmEncoding = "s16le" | "f32le" | "mulaw" | "alaw";
/** Encodings of Opus: a packet a message, or a recorder's bytes. */
export type OpusEncoding = "opus" | "ogg-opus" | "webm-opus";

/** What frames carry: outputs, prediction steps k (1-based), every n-th frame. */
export interface Selection {
  readonly output: readonly Output[];
  readonly steps: readonly number[];
  readonly every: number;
}

/** Text messages to the server. */
export type ClientMessage =
  | { type: "mark"; id?: unknown }
  | { type: "reset" }
  | { type: "update"; output?: Output[]; steps?: number[]; every?: number; voice?: number[] }
  | { type: "keep_alive" }
  | { type: "finish" };

/** The server's first message: the configuration in force. */
export interface Ready {
  type: "ready";
  session: string;
  /** Token that resumes this session. */
  resume: string;
  model: string;
  encoding: Encoding;
  /** Of the client's audio, in Hz. */
  sample_rate: number;
  channels: number;
  channel?: number;
  /** Every channel is a stream of the model, with frames of its own. */
  split?: 1;
  /** Frames per second. */
  frame_rate: number;
  /** Samples at 16 kHz from one frame to the next. */
  hop: number;
  /** Samples at 16 kHz that a frame needs beyond its first one. */
  lookahead: number;
  dims: { context: number; latent: number; steps: number };
  output: Output[];
  steps: number[];
  every: number;
  /** A voice is enrolled. */
  voice?: true;
  format: "json" | "binary";
  dtype: "f32" | "f16";
  limits: Limits;
  resumed?: true;
  /** After a resume: the sample from which to send, and the segment that it belongs to. */
  samples?: number;
  segment?: number;
  /** The same as bytes, for Opus. */
  bytes?: number;
}

/** The server's bounds; docs/limits.md explains each. */
export interface Limits {
  streams: number;
  key_streams: number;
  message_bytes: number;
  idle_s: number;
  session_s: number;
  resume_s: number;
  chunk_s: number;
  backlog_s: number;
  backlog_warning_s: number;
  output_bytes: number;
  slow_reader_warning_s: number;
  slow_reader_s: number;
  kept_sessions: number;
}

/** How well predictions of the past fitted a frame; `nce` and `correct` by step. */
export interface Score {
  nce: number[];
  /** 0 or 1 */
  correct: number[];
  /** The mean of `nce`. */
  surprise: number;
}

/** Frames as text. */
export interface FramesMessage {
  type: "frames";
  /** Whose they are, if the stream is split. */
  channel?: number;
  first: number;
  count: number;
  /** Of the first frame, in seconds. */
  time: number;
  /** `[count][C]` */
  context?: number[][];
  /** `[count][Z]` */
  latent?: number[][];
  /** `[count][steps][Z]` */
  prediction?: number[][][];
  /** `[count]`; null until there are enough negatives */
  score?: (Score | null)[];
}

/** Rows of a head as text. */
export interface HeadMessage {
  type: "head";
  name: string;
  /** On a split stream: the channel that a head of one channel heard. */
  channel?: number;
  /** Index of the first row. */
  first: number;
  count: number;
  /** End of the first row, in seconds. */
  time: number;
  /** Each output's numbers by its name, nested as its shape is. */
  rows: Record<string, unknown[]>[];
}

/** A number of a head rose or fell for long enough. */
export interface HeadEvent {
  type: "event";
  head: string;
  channel?: number;
  event: string;
  state: "start" | "end";
  /** Of the row with which it began, in seconds. */
  time: number;
}

/** Figures of the whole stream. */
export interface Done {
  type: "done";
  samples: number;
  frames: number;
  seconds: number;
  stats: {
    audio_s: number;
    compute_s: number;
    latency_mean_ms: number;
    latency_p99_ms: number;
    backlog_max_s: number;
  };
}

/** A warning; the stream goes on, or ends soon. */
export interface Warning {
  type: "warning";
  code: "idle" | "backlog" | "slow_reader" | "draining" | "store";
  message: string;
  resume?: string;
}

/** The server's position at a mark. */
export interface Marked {
  readonly id: unknown;
  /** The client's samples of the segment, per channel. */
  readonly samples: number;
  readonly frames: number;
}

/** Why a stream ends; a close follows. */
export interface ErrorMessage {
  type: "error";
  code: string;
  message: string;
  fatal: boolean;
  retryable: boolean;
  retry_after_ms?: number;
  param?: string;
  request?: string;
}

/** Text messages from the server, except {@linkcode FramesMessage} and {@linkcode HeadMessage}. */
export type ServerMessage =
  | Ready
  | HeadEvent
  | { type: "marked"; id: unknown; samples: number; frames: number; bytes?: number }
  | { type: "reset"; segment: number }
  | { type: "updated"; output: Output[]; steps: number[]; every: number; voice?: true }
  | Done
  | Warning
  | ErrorMessage;
