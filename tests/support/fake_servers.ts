/** A supervisor whose servers do what a test says. */
import { Log } from "../../log.ts";
import type { FromServer, ToServer } from "../../processes/messages.ts";
import type { ServerListener } from "../../processes/server_process.ts";
import { type Supervised, Supervisor, SUPERVISOR_TIMES } from "../../processes/supervisor.ts";

/** Times that a test can wait for. */
export const TIMES = {
  ...SUPERVISOR_TIMES,
  backOffMs: 1,
  mostBackOffMs: 4,
  sameSignalMs: 1,
  metricsMs: 10_000,
};

/** A server that does what the test says. */
export class FakeServer implements Supervised {
  readonly pid = 1;
  isReady = false;
  readonly told: ToServer[] = [];
  readonly listener: ServerListener;
  readonly process: number;
  #told = Promise.withResolvers<void>();

  constructor(process: number, listener: ServerListener) {
    this.process = process;
    this.listener = listener;
  }
  tell(message: ToServer): void {
    this.told.push(message);
    this.#told.resolve();
    this.#told = Promise.withResolvers<void>();
  }
  /** Waits for something that it is told. */
  async hears<Type extends ToServer["type"]>(type: Type): Promise<ToServer & { type: Type }> {
    for (;;) {
      const found = this.told.find((message) => message.type === type);
      if (found) return found as ToServer & { type: Type };
      await this.#told.promise;
    }
  }
  say(message: FromServer): void {
    if (message.type === "ready") this.isReady = true;
    this.listener.said(message);
  }
  end({ code = 0, signal = null as Deno.Signal | null, words = [] as string[] } = {}): void {
    this.isReady = false;
    this.listener.ended({ code, signal, words });
  }
  kill(): void {
    this.end({ code: 137, signal: "SIGKILL" });
  }
}

/** A supervisor of fake servers; `began` is told of each, in order. */
export function supervisorOf(processes: number, began: (server: FakeServer) => void) {
  const lines: string[] = [];
  const servers: FakeServer[] = [];
  const drains: number[] = [];
  const settled: (readonly object[])[] = [];
  const sink = { write: (line: string) => void lines.push(line), takeLost: () => 0 };
  const supervisor = new Supervisor({
    processes,
    times: TIMES,
    log: new Log("info", { sink: { ...sink, flush: () => Promise.resolve() } }),
    logged: sink.write,
    onDrain: (withinS) => void drains.push(withinS),
    launch(process, listener, commands) {
      const server = new FakeServer(process, listener);
      servers.push(server);
      settled.push(commands);
      queueMicrotask(() => began(server));
      return server;
    },
  });
  return { supervisor, servers, lines, drains, settled };
}

/** What a server says that serves. */
export const ready = { type: "ready", url: "http://127.0.0.1:1" } as const;
/** How a server ends that crashes. */
export const crashed = { code: 139, signal: "SIGSEGV" as const };
