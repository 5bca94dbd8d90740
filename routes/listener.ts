/**
 * Where a server listens, for as long as it lives: within its bound of sockets, and again wherever
 * it has stopped.
 */
import type { AddressInfo, Server, Socket } from "node:net";
import { AcceptProbe, type ProbedServer, type ProbeTimes } from "./accept_probe.ts";
import type { OpenSockets } from "./open_sockets.ts";
import { reachesItself } from "./self_connect.ts";

/** Time between two checks of all sockets. */
const TICK_MS = 1000;
/** An address at which to reach a server that listens on all addresses. */
const UNSPECIFIED: Partial<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** What a listener is made of. */
export interface ListenerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** How many servers share the port. */
  readonly processes: number;
  /** Counts its connections. */
  readonly sockets: OpenSockets;
  /** Called each second. */
  readonly onTick?: () => void;
  /** Most sockets that were cut and still hold their descriptors; beyond, none is accepted. */
  readonly mostClosing: number;
  /**
   * Called when the server had stopped accepting and listens again, with the error if that failed;
   * `giveUp`: called when this has failed for too long.
   */
  readonly onDeaf: (failed: { error?: unknown; giveUp: boolean }) => void;
  /** When to check whether it accepts (tests bring their own). */
  readonly probeTimes?: ProbeTimes;
}

/** The listener of a server. */
export class Listener implements ProbedServer {
  readonly #server: Server;
  readonly #options: ListenerOptions;
  readonly #probe: AcceptProbe;
  readonly #timer: ReturnType<typeof setInterval>;
  #address: AddressInfo;
  #onAccept = () => {};
  #isPaused = false;
  #ended = false;

  private constructor(server: Server, options: ListenerOptions) {
    const { host, port, sockets, probeTimes: times, onDeaf, onTick } = options;
    this.#server = server;
    this.#options = options;
    this.#address = { port, address: host, family: "" };
    this.#probe = new AcceptProbe(this, { times, onDeaf });
    this.#timer = setInterval(() => {
      sockets.tick();
      onTick?.();
    }, TICK_MS);
    server.on("connection", (socket: Socket) => this.#accepted(socket));
  }

  /**
   * Begins to listen.
   *
   * @throws {Error} node's, if it cannot listen on the address
   */
  static async open(server: Server, options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(server, options);
    try {
      await listener.#listen();
    } catch (error) {
      listener.stop();
      throw error;
    }
    listener.#address = server.address() as AddressInfo; // it listens on TCP
    return listener;
  }

  get address(): AddressInfo {
    return this.#address;
  }

  /** Whether the next socket costs another one its place. */
  get isShort(): boolean {
    return this.#options.sockets.full;
  }

  /** Whether it does not listen until sockets that were cut have ended. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether it sees a connection that is made to it now, `withinMs`. */
  async reaches(withinMs: number): Promise<boolean> {
    const { port, address: host } = this.#address;
    const accepted = new Promise<void>((resolve) => this.#onAccept = resolve);
    const at = { port, host: UNSPECIFIED[host] ?? host };
    const { processes } = this.#options;
    return await reachesItself(at, { accepted, withinMs, processes });
  }

  /** Closes the listener and listens again. Open connections stay. */
  async relisten(): Promise<void> {
    this.#server.close();
    await this.#listen();
  }

  /** Checks and accepts no more; whoever calls it closes the server. */
  stop(): void {
    this.#ended = true;
    this.#probe.stop();
    clearInterval(this.#timer);
  }

  #listen(): Promise<void> {
    const server = this.#server;
    const { host, mostClosing: backlog, processes } = this.#options;
    const { port } = this.#address;
    return new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host, backlog, reusePort: processes > 1 }, () => {
        server.off("error", reject);
        resolve();
      });
    });
  }

  #accepted(socket: Socket): void {
    const { sockets, mostClosing, onDeaf } = this.#options;
    this.#probe.accepted();
    this.#onAccept();
    sockets.add(socket);
    // at once: the next one may take the last descriptor, and then `accept` ends for good
    if (sockets.closing >= mostClosing && this.#server.listening) {
      this.#pause().catch((error) => onDeaf({ error, giveUp: false })); // the probe tries again
    }
  }

  /** Listens no more until the sockets that were cut have given their descriptors back. */
  async #pause(): Promise<void> {
    this.#isPaused = true;
    try {
      this.#server.close();
      await this.#options.sockets.settled();
      if (!this.#ended && !this.#server.listening) await this.#listen();
    } finally {
      this.#isPaused = false;
    }
  }
}
