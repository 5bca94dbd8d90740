/**
 * Structured logs: one JSON object per line on standard error. Keys, tokens and audio never appear
 * in them.
 *
 * Logging never throws and never waits: a full disk, a closed pipe or a stopped reader costs lines,
 * not the server. The next line that gets through counts the lines that were lost, or held back
 * because too many were alike.
 */

/** The least severe level to log. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** Most lines with the same message and code within a window; the others are only counted. */
const ALIKE = { lines: 20, windowMs: 10_000, kinds: 256 } as const;
/** Most characters that wait for standard error to take them. */
const WAITING_CHARACTERS = 1024 * 1024;

/** Where lines go. */
export interface LogSink {
  /** Takes a line, without its end. It must not throw. */
  write(line: string): void;
  /** Lines lost since the last call. */
  takeLost(): number;
  /** Resolves when everything taken has been written, or after `withinMs`. */
  flush(withinMs: number): Promise<void>;
}

interface Kind {
  windowStartMs: number;
  lines: number;
  heldBack: number;
}

/** Writes lines of a level and above. */
export class Log {
  readonly #least: number;
  readonly #sink: LogSink;
  readonly #nowMs: () => number;
  readonly #kinds = new Map<string, Kind>();
  readonly #fields: Record<string, unknown>;

  /**
   * @param options `sink`: where lines go (default: standard error); `fields`: members of every
   *   line; `nowMs`: a clock, for tests
   */
  constructor(
    level: LogLevel,
    { sink = new StderrSink(), fields = {}, nowMs = () => performance.now() }: {
      sink?: LogSink;
      fields?: Record<string, unknown>;
      nowMs?: () => number;
    } = {},
  ) {
    this.#fields = fields;
    this.#least = LOG_LEVELS.indexOf(level);
    this.#sink = sink;
    this.#nowMs = nowMs;
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

  /** Resolves when all lines have been written, or after `withinMs`. */
  flush(withinMs: number): Promise<void> {
    return this.#sink.flush(withinMs);
  }

  #line(level: LogLevel, message: string, fields: Record<string, unknown>): void {
    if (LOG_LEVELS.indexOf(level) < this.#least) return;
    const heldBack = this.#heldBack(`${level} ${message} ${fields.code ?? ""}`);
    if (heldBack === undefined) return;
    const lost = this.#sink.takeLost();
    this.#sink.write(JSON.stringify({
      time: new Date().toISOString(),
      level,
      message,
      ...this.#fields,
      ...fields,
      ...(heldBack > 0 ? { alike_held_back: heldBack } : {}),
      ...(lost > 0 ? { lines_lost: lost } : {}),
    }));
  }

  /**
   * Lines of this kind that were held back before this one; undefined when this one is held back
   * too.
   */
  #heldBack(name: string): number | undefined {
    const nowMs = this.#nowMs();
    let kind = this.#kinds.get(name);
    if (!kind) {
      if (this.#kinds.size >= ALIKE.kinds) this.#kinds.clear();
      this.#kinds.set(name, kind = { windowStartMs: nowMs, lines: 0, heldBack: 0 });
    }
    if (nowMs - kind.windowStartMs >= ALIKE.windowMs) {
      kind.windowStartMs = nowMs;
      kind.lines = 0;
    }
    if (++kind.lines > ALIKE.lines) {
      kind.heldBack++;
      return undefined;
    }
    const { heldBack } = kind;
    kind.heldBack = 0;
    return heldBack;
  }
}

/** The part of a file that {@linkcode StderrSink} needs; `Deno.stderr` has it. */
export interface LogFile {
  /** Writes some of the bytes; resolves to how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Standard error, written in the background so that a slow reader does not stop the server. */
export class StderrSink implements LogSink {
  readonly #file: LogFile;
  #waiting: string[] = [];
  #characters = 0;
  #lost = 0;
  #writing?: Promise<void>;

  /** @param file where the bytes go, for tests */
  constructor(file: LogFile = Deno.stderr) {
    this.#file = file;
  }

  write(line: string): void {
    if (this.#characters + line.length > WAITING_CHARACTERS) {
      this.#lost++;
      return;
    }
    this.#waiting.push(line);
    this.#characters += line.length;
    this.#writing ??= this.#writeAll();
  }

  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  async flush(withinMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, withinMs));
    await Promise.race([this.#writing, late]);
    clearTimeout(timer);
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.splice(0);
      const bytes = new TextEncoder().encode(`${lines.join("\n")}\n`);
      try {
        for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
      } catch {
        this.#lost += lines.length; // the disk is full, or the reader has gone
      }
      this.#characters -= lines.reduce((sum, line) => sum + line.length, 0);
    }
    this.#writing = undefined;
  }
}
