/**
 * How many sockets this process may hold: its file descriptors, minus what everything else needs.
 */
import { openCLibrary } from "../c_library.ts";
import { UsageError } from "../errors.ts";

/** Descriptors for everything but client sockets: workers, decoders, files, the log. */
const RESERVED = { always: 128, perWorker: 8 } as const;
/** Sockets other than those of streams: uploads, probes, handshakes that will be refused. */
const BESIDE_STREAMS = { least: 32, most: 1024 } as const;
/** Sockets that were cut and are not closed yet; the least is part of what is reserved. */
const CLOSING = { least: 48, most: 511 } as const;

/** How many sockets a server may have. */
export interface SocketBounds {
  /** Most that are open at once. */
  readonly open: number;
  /** Most beside them that have just come, or were cut and still hold their descriptors. */
  readonly closing: number;
}

/**
 * The sockets that fit into the process's file descriptors.
 *
 * @param options `descriptors`: the process's limit; `workers`: its own; `maxStreams`: of all
 *   `processes`, since any of them may get them all
 * @throws {UsageError} if `maxStreams` and everything beside them do not fit
 */
export function socketBounds(
  { descriptors, maxStreams, workers, processes = 1 }: {
    descriptors: number;
    maxStreams: number;
    workers: number;
    processes?: number;
  },
): SocketBounds {
  const reserved = RESERVED.always + RESERVED.perWorker * workers;
  const free = descriptors - reserved;
  const needed = maxStreams + BESIDE_STREAMS.least;
  if (free < needed) {
    const room = free - BESIDE_STREAMS.least;
    throw new UsageError(
      `--max-streams ${maxStreams} takes ${needed + reserved} file descriptors, and this process ` +
        `may open ${descriptors}: raise the limit (ulimit -n)` +
        (room > 0 ? `, or allow at most ${room} streams` : ""),
    );
  }
  const open = Math.min(free, maxStreams + Math.ceil(BESIDE_STREAMS.most / processes));
  return { open, closing: Math.min(CLOSING.least + free - open, CLOSING.most) };
}

/** Number of RLIMIT_NOFILE, by system. */
const RLIMIT_NOFILE: Partial<Record<typeof Deno.build.os, number>> = { linux: 7, darwin: 8 };
/** Assumed limit when the system does not say. */
const UNKNOWN_LIMIT = 1024;

/** File descriptors that this process may open, after raising the soft limit to the hard one. */
export function descriptorLimit(): number {
  const resource = RLIMIT_NOFILE[Deno.build.os];
  const c = openCLibrary({
    getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
    setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  });
  if (!c || resource === undefined) return UNKNOWN_LIMIT;
  try {
    const limits = new BigUint64Array(2); // soft, hard
    if (c.symbols.getrlimit(resource, limits) !== 0) return UNKNOWN_LIMIT;
    const [soft = 0n, hard = 0n] = limits;
    const raised = BigUint64Array.of(hard, hard);
    const allowed = c.symbols.setrlimit(resource, raised) === 0 ? hard : soft;
    return Number(allowed < 2n ** 31n ? allowed : 2n ** 31n);
  } finally {
    c.close();
  }
}
