/** The events of a stream. */
import type { Frames } from "./frames.ts";
import type { Done, HeadEvent, HeadMessage, Ready, Selection, Warning } from "./protocol.ts";
import type { StreamError } from "./stream_error.ts";

/** State of the connection. */
export interface State {
  readonly state: "open" | "resuming" | "closed";
  /** Number of the current attempt to resume; 0 otherwise. */
  readonly attempt: number;
  readonly retryInMs: number;
  readonly error?: StreamError;
}

/** Kinds of events, and what a listener receives. */
export interface Events {
  readonly ready: Ready;
  readonly frames: Frames;
  /** Rows of a head. */
  readonly head: HeadMessage;
  /** What a head noticed. */
  readonly event: HeadEvent;
  readonly warning: Warning;
  readonly state: State;
  readonly reset: { readonly segment: number };
  readonly updated: Selection;
  readonly done: Done;
}

/** Listeners of each kind. */
export class Listeners {
  readonly #of: { readonly [T in keyof Events]: Set<(event: Events[T]) => void> } = {
    ready: new Set(),
    frames: new Set(),
    head: new Set(),
    event: new Set(),
    warning: new Set(),
    state: new Set(),
    reset: new Set(),
    updated: new Set(),
    done: new Set(),
  };

  /** Adds a listener; returns a function that removes it. */
  add<T extends keyof Events>(type: T, listener: (event: Events[T]) => void): () => void {
    this.#of[type].add(listener);
    return () => {
      this.#of[type].delete(listener);
    };
  }

  has(type: keyof Events): boolean {
    return this.#of[type].size > 0;
  }

  emit<T extends keyof Events>(type: T, event: Events[T]): void {
    for (const listener of this.#of[type]) listener(event);
  }
}
