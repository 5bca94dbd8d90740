/** One server of a supervisor: its process, what it says, and its log. */
import { type FromServer, fromServerSchema, type Share, type ToServer } from "./messages.ts";
import { linesOf, LineWriter } from "./lines.ts";

/** How a server ended. */
export interface Ending {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  /** What it said in plain words that was not yet told, such as why it could not start. */
  readonly words: readonly string[];
}

/** Who hears of a server. */
export interface ServerListener {
  said(message: FromServer): void;
  /** A line for the log, whole. */
  logged(line: string): void;
  ended(ending: Ending): void;
}

/** How a server is started. */
export interface Launch {
  /** The words after `deno`. */
  readonly command: readonly string[];
  /** Its settings, as words of a command line. */
  readonly args: readonly string[];
  readonly share: Share;
}

/** Most lines that wait for a server to be ready, or to end. */
const MOST_WORDS = 100;

/** A running server. */
export class ServerProcess {
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  readonly #to: LineWriter;
  #isReady = false;
  /** Lines that are not the log's: before it is ready, they may be why it ends. */
  #words: string[] = [];

  constructor({ command, args, share }: Launch, listener: ServerListener) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...command],
      env: { OTEL_RESOURCE_ATTRIBUTES: resourceOf(share.process) },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    this.#to = new LineWriter(this.#child.stdin);
    this.tell({ type: "begin", args, share });
    void this.#follow(listener);
  }

  /** Whether it serves. */
  get isReady(): boolean {
    return this.#isReady;
  }

  tell(message: ToServer): void {
    this.#to.send(message);
  }

  kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch { /* it has ended */ }
  }

  async #follow(listener: ServerListener): Promise<void> {
    const [{ code, signal }] = await Promise.all([
      this.#child.status,
      this.#hear(listener),
      this.#log(listener),
    ]);
    this.#to.close();
    listener.ended({ code, signal, words: this.#words });
  }

  async #hear(listener: ServerListener): Promise<void> {
    for await (const line of linesOf(this.#child.stdout)) {
      const message = messageOf(line);
      if (!message) {
        this.#plain(line, listener); // a native library may print
        continue;
      }
      if (message.type === "ready") {
        this.#isReady = true;
        for (const word of this.#words.splice(0)) listener.logged(word);
      }
      listener.said(message);
    }
  }

  async #log(listener: ServerListener): Promise<void> {
    for await (const line of linesOf(this.#child.stderr)) {
      if (line.startsWith("{")) listener.logged(line);
      else this.#plain(line, listener);
    }
  }

  #plain(line: string, listener: ServerListener): void {
    if (this.#isReady) listener.logged(line);
    else if (this.#words.length < MOST_WORDS) this.#words.push(line);
  }
}

/** Where telemetry says that it comes from: servers on a port differ by their instance. */
function resourceOf(process: number): string {
  const given = Deno.env.get("OTEL_RESOURCE_ATTRIBUTES") ?? "";
  const instance = /(?<=(^|,)service\.instance\.id=)[^,]*/;
  if (instance.test(given)) return given.replace(instance, `$&-${process}`);
  return `${given && `${given},`}service.instance.id=${process}`;
}

function messageOf(line: string): FromServer | undefined {
  try {
    return fromServerSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
