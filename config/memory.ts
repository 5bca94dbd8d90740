/** The memory of the whole server: a budget, and how the bounds of its parts fit into it. */
import { UsageError } from "../errors.ts";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** A number of bytes such as `800MB` or `2GiB`; undefined for other text. */
export function bytesOf(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)\s*([kmg]i?b)?$/i.exec(text) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  if (digits === undefined || factor === undefined) return undefined;
  return Math.floor(Number(digits) * factor);
}

/**
 * Bytes for people.
 *
 * @param round up for a need, down for what there is, so that the two never look the same
 */
export function shownBytes(bytes: number, round: (x: number) => number = Math.ceil): string {
  if (bytes >= 2 ** 30) return `${(round(bytes / 2 ** 30 * 10) / 10).toFixed(1)} GiB`;
  if (bytes >= 2 ** 20) return `${round(bytes / 2 ** 20)} MiB`;
  if (bytes >= 2 ** 10) return `${round(bytes / 2 ** 10)} KiB`;
  return bytes === 1 ? "1 byte" : `${bytes} bytes`;
}

/** What a server needs at most, in bytes. */
export interface MemoryNeeds {
  /** The runtime, the models and the workers, whatever clients do. */
  readonly fixed: number;
  /** One connected stream: state, queues, and the history that a resume goes back to. */
  readonly perStream: number;
  /** One session kept without a connection. */
  readonly perKept: number;
  /** All REST requests together: what is wanted, and the least that is of use. */
  readonly requests: { readonly most: number; readonly least: number };
}

/** How the budget is spent: bounds that together cannot exceed it. */
export interface MemoryPlan {
  readonly budget: number;
  readonly maxStreams: number;
  readonly maxKeptSessions: number;
  /** Bytes that all REST requests may hold together. */
  readonly requests: number;
  /** The most that all of it can take, in bytes. */
  readonly total: number;
}

/** The bounds that are asked for. */
export interface WantedBounds {
  readonly maxStreams: number;
  readonly maxKeptSessions: number;
}

/**
 * Fits the bounds into a budget. Requests give way first, then kept sessions; where nobody asked
 * for a number of streams, streams and kept sessions shrink together.
 *
 * @param options `budget`: bytes; `fallbackStreams`: the default of `--max-streams`
 * @throws {UsageError} when the budget cannot hold the streams that were asked for, or any at all
 */
export function planMemory(
  wanted: WantedBounds,
  needs: MemoryNeeds,
  { budget, fallbackStreams }: { budget: number; fallbackStreams: number },
): MemoryPlan {
  const { fixed, perStream, perKept, requests } = needs;
  const free = budget - fixed - requests.least;
  const fitting = Math.floor(free / perStream);
  const share = wanted.maxStreams === fallbackStreams
    ? Math.min(1, free / (wanted.maxStreams * perStream + wanted.maxKeptSessions * perKept))
    : 1;
  const maxStreams = Math.max(1, Math.floor(wanted.maxStreams * share));
  if (maxStreams > fitting) {
    const has = `--memory-budget ${shownBytes(budget, Math.floor)}`;
    const needed = shownBytes(fixed + requests.least + maxStreams * perStream);
    throw new UsageError(
      fitting >= 1
        ? `${has} cannot hold --max-streams ${wanted.maxStreams}, which may take ${needed}: ask ` +
          `for ${fitting} streams or fewer, or for a larger budget`
        : `${has} holds no stream; with one, this server may take ${needed}: give it that, or ` +
          "ask for fewer --workers or models",
    );
  }
  const afterStreams = free - maxStreams * perStream;
  const maxKeptSessions = Math.min(wanted.maxKeptSessions, Math.floor(afterStreams / perKept));
  const left = afterStreams - maxKeptSessions * perKept;
  const forRequests = Math.min(requests.most, requests.least + left);
  return {
    budget,
    maxStreams,
    maxKeptSessions,
    requests: forRequests,
    total: fixed + maxStreams * perStream + maxKeptSessions * perKept + forRequests,
  };
}
