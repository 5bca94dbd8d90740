/** The client's error class. */

/** Details of a {@linkcode StreamError}. */
export interface StreamErrorDetails {
  readonly closeCode?: number;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly param?: string;
  readonly request?: string;
  readonly cause?: unknown;
}

/**
 * Why a stream ended or did not begin. `code` is the server's (docs/protocol.md), or
 * connection_lost, timeout, aborted, closed, unsupported, not_stereo.
 */
export class StreamError extends Error {
  override readonly name = "StreamError";
  readonly code: string;
  /** Close code of the WebSocket; undefined if there was none. */
  closeCode: number | undefined;
  /** Whether a retry may succeed. */
  readonly retryable: boolean;
  /** How long the server asks to wait before a retry. */
  readonly retryAfterMs: number | undefined;
  /** The option at fault. */
  readonly param: string | undefined;
  /** By which the server's log knows the connection. */
  readonly request: string | undefined;

  constructor(code: string, message: string, details: StreamErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.closeCode = details.closeCode;
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs;
    this.param = details.param;
    this.request = details.request;
  }
}

/** Any thrown value as a {@linkcode StreamError}. */
export function toStreamError(thrown: unknown): StreamError {
  return thrown instanceof StreamError
    ? thrown
    : new StreamError("connection_lost", String(thrown), { cause: thrown });
}
