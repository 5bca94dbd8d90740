/**
 * Failures as people and programs see them: a table of codes, and the error class that carries one.
 */

/**
 * What each error code means to a client: HTTP status, WebSocket close code, and whether a retry
 * can help.
 */
export const ERROR_CODES = {
  // the request itself
  invalid_option: { http: 422, close: 4400, retryable: false },
  invalid_message: { http: 400, close: 4400, retryable: false },
  invalid_json: { http: 400, close: 1007, retryable: false },
  message_too_big: { http: 413, close: 1009, retryable: false },
  invalid_audio: { http: 400, close: 4400, retryable: false },
  unsupported_audio: { http: 415, close: 4400, retryable: false },
  audio_too_short: { http: 422, close: 4400, retryable: false },
  too_large: { http: 413, close: 1009, retryable: false },
  not_found: { http: 404, close: 4400, retryable: false },
  model_not_found: { http: 404, close: 4400, retryable: false },
  method_not_allowed: { http: 405, close: 4400, retryable: false },
  upgrade_required: { http: 426, close: 4400, retryable: false },
  // who asks
  unauthorized: { http: 401, close: 4401, retryable: false },
  unknown_host: { http: 421, close: 4401, retryable: false },
  origin_not_allowed: { http: 403, close: 4401, retryable: false },
  unknown_resume_token: { http: 404, close: 4404, retryable: false },
  no_keys: { http: 409, close: 4400, retryable: false },
  model_in_use: { http: 409, close: 4400, retryable: false },
  model_unloaded: { http: 503, close: 1013, retryable: true },
  not_admin: { http: 403, close: 4401, retryable: false },
  ended_by_admin: { http: 403, close: 4403, retryable: false },
  resumed_elsewhere: { http: 409, close: 4409, retryable: false },
  // how much
  idle_timeout: { http: 408, close: 4408, retryable: true },
  too_many_streams: { http: 429, close: 4429, retryable: true },
  rate_limited: { http: 429, close: 4429, retryable: true },
  session_limit: { http: 429, close: 4440, retryable: true },
  slow_sender: { http: 408, close: 4408, retryable: true },
  slow_reader: { http: 429, close: 1013, retryable: true },
  overloaded: { http: 503, close: 1013, retryable: true },
  draining: { http: 503, close: 1001, retryable: true },
  loading: { http: 503, close: 1013, retryable: true },
  // us
  weights_invalid: { http: 500, close: 4500, retryable: false },
  checkpoint_invalid: { http: 500, close: 4500, retryable: false },
  model_failed: { http: 500, close: 4500, retryable: true },
  internal: { http: 500, close: 4500, retryable: true },
} as const satisfies Record<string, { http: number; close: number; retryable: boolean }>;

/** A code of {@linkcode ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * An error that a user can act on. The message names the action, the bound and the given value.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { CpcError } from "./errors.ts";
 *
 * const why = "every must be at least 1, got 0";
 * const error = new CpcError("invalid_option", why, { param: "every" });
 * assert.equal(error.http, 422);
 * ```
 */
export class CpcError extends Error {
  override readonly name = "CpcError";
  readonly code: ErrorCode;
  /** The option or input at fault, such as `every` or `input[1]`. */
  readonly param?: string;
  /** When a retry makes sense, in milliseconds from now. */
  readonly retryAfterMs?: number;
  readonly #final: boolean;

  /**
   * @param options `param`: which input; `retryAfterMs`: milliseconds until a retry; `final`: no
   *   retry helps, though it does with others of this code; `cause`: the error behind it
   */
  constructor(
    code: ErrorCode,
    message: string,
    options: { param?: string; retryAfterMs?: number; final?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.param = options.param;
    this.retryAfterMs = options.retryAfterMs;
    this.#final = options.final ?? false;
  }

  /** HTTP status of this error. */
  get http(): number {
    return ERROR_CODES[this.code].http;
  }

  /** WebSocket close code of this error. */
  get close(): number {
    return ERROR_CODES[this.code].close;
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable && !this.#final;
  }
}

/** A start-up mistake of the operator: printed as one line, exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The first line of what a thrown value says. */
export function firstLine(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.message : String(thrown)).split("\n")[0] ?? "";
}

/**
 * Any thrown value as a {@linkcode CpcError}; anything else becomes `internal`, with the value as
 * its cause.
 */
export function toCpcError(thrown: unknown): CpcError {
  if (thrown instanceof CpcError) return thrown;
  return new CpcError("internal", "the server failed on this request; its log has the details", {
    cause: thrown,
  });
}
