/** Bounds how many tasks run at once; others wait, and owners take turns. */
import { CpcError } from "../errors.ts";

/** A way in for the tasks of one owner. */
export interface Door {
  /**
   * Waits for a place.
   *
   * @param signal aborting it ends the wait
   * @returns a function that returns the place; calling it again does nothing
   * @throws {CpcError} `overloaded` if too many wait already; the signal's reason
   */
  enter(signal?: AbortSignal): Promise<() => void>;
}

/** One owner's tasks. */
interface Owner {
  inside: number;
  /** In order of arrival. */
  readonly waiting: Set<() => void>;
}

/**
 * A number of places. A free place goes to the owner with the fewest inside, among equals to the
 * one that has waited longest for a turn; an owner's tasks go in order of arrival.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Gate } from "./gate.ts";
 *
 * const gate = new Gate({ places: 2, mostPerOwner: 1, maxWaiting: 8 });
 * const leave = await gate.door("alice").enter();
 * const next = gate.door("alice").enter();
 * await gate.door("bob").enter();
 * leave();
 * await next;
 * ```
 */
export class Gate {
  readonly #mostPerOwner: number;
  readonly #maxWaiting: number;
  /** Those with tasks; the one whose turn was last is last. */
  readonly #owners = new Map<string, Owner>();
  #free: number;

  /**
   * @param options `places`: how many run at once; `mostPerOwner`: how many of one owner (default:
   *   all); `maxWaiting`: how many of one owner may wait for a place
   */
  constructor(
    { places, mostPerOwner = places, maxWaiting }: {
      places: number;
      mostPerOwner?: number;
      maxWaiting: number;
    },
  ) {
    this.#free = places;
    this.#mostPerOwner = mostPerOwner;
    this.#maxWaiting = maxWaiting;
  }

  /** The way in for an owner's tasks. */
  door(name: string): Door {
    return { enter: (signal) => this.#enter(name, signal) };
  }

  async #enter(name: string, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    const owner = this.#owners.get(name) ?? { inside: 0, waiting: new Set() };
    this.#owners.set(name, owner);
    await this.#wait(owner, signal).finally(() => this.#forgetIdle(name, owner));
    let left = false;
    return () => {
      if (left) return;
      left = true;
      owner.inside--;
      this.#free++;
      this.#forgetIdle(name, owner);
      this.#letIn();
    };
  }

  #wait(owner: Owner, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (owner.waiting.size >= this.#maxWaiting) {
        const why = `${owner.waiting.size} recordings are already waiting; try again later`;
        reject(new CpcError("overloaded", why, { retryAfterMs: 2000 }));
        return;
      }
      const end = (settle: () => void) => {
        owner.waiting.delete(enter);
        signal?.removeEventListener("abort", abort);
        settle();
      };
      const enter = () => end(resolve);
      const abort = () => end(() => reject(signal?.reason));
      owner.waiting.add(enter);
      signal?.addEventListener("abort", abort);
      this.#letIn();
    });
  }

  /** Gives free places away, one by one. */
  #letIn(): void {
    while (this.#free > 0) {
      let next: [string, Owner] | undefined;
      for (const [name, owner] of this.#owners) {
        if (owner.waiting.size === 0 || owner.inside >= this.#mostPerOwner) continue;
        if (!next || owner.inside < next[1].inside) next = [name, owner];
      }
      if (!next) return;
      const [name, owner] = next;
      this.#owners.delete(name);
      this.#owners.set(name, owner);
      this.#free--;
      owner.inside++;
      const [enter] = owner.waiting;
      enter?.();
    }
  }

  #forgetIdle(name: string, owner: Owner): void {
    if (owner.inside === 0 && owner.waiting.size === 0) this.#owners.delete(name);
  }
}

/** One request's way through a gate, or through none. */
export class TimedGate {
  readonly #door: Door | undefined;
  #longestWaitMs = 0;

  constructor(door: Door | undefined) {
    this.#door = door;
  }

  /** The request's longest wait for a place. */
  get longestWaitMs(): number {
    return this.#longestWaitMs;
  }

  /** Like {@linkcode Door.enter}; without a gate, there is always a place. */
  async enter(signal?: AbortSignal): Promise<() => void> {
    const startedMs = performance.now();
    const leave = await this.#door?.enter(signal);
    this.#longestWaitMs = Math.max(this.#longestWaitMs, performance.now() - startedMs);
    return leave ?? (() => {});
  }
}
