/** Structured logs: one JSON object a line on standard error. Keys and tokens never come here. */

/** Least severe message that is logged. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** Writes lines of a level and above. */
export class Log {
  readonly #least: number;
  readonly #write: (line: string) => void;

  /** @param write where lines go (default: standard error) */
  constructor(level: LogLevel, write: (line: string) => void = console.error) {
    this.#least = LOG_LEVELS.indexOf(level);
    this.#write = write;
  }

  debug(message: string, fields: Record<string, unknown> = {}): void {
    this.#line("debug", message, fields);
  }
  info(message: string, fields: Record<string, unknown> = {}): void {
    this.#line("info", message, fields);
  }
  warn(message: string, fields: Record<string, unknown> = {}): void {
    this.#line("warn", message, fields);
  }
  error(message: string, fields: Record<string, unknown> = {}): void {
    this.#line("error", message, fields);
  }

  #line(level: LogLevel, message: string, fields: Record<string, unknown>): void {
    if (LOG_LEVELS.indexOf(level) < this.#least) return;
    this.#write(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }));
  }
}
