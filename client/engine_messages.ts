/** What a page (`local.ts`) and its engine, a worker (`browser/`), tell each other. */

/** Where an engine computes. */
export type LocalDevice = "wasm" | "webgpu";

/** Page → engine. */
export type ToEngine =
  /** `model`: address of a weights folder; `key`: for its server */
  | {
    readonly type: "load";
    readonly model: string;
    readonly key?: string;
    readonly device: LocalDevice;
  }
  /** Comes with the stream's port. `query`: that of `/v1/stream`; `state`: where it continues */
  | { readonly type: "open"; readonly query: string; readonly state?: StreamState };

/** Engine → page, once, about its model. */
export type FromEngine =
  | { readonly type: "loaded" }
  | { readonly type: "failed"; readonly code: string; readonly message: string };

/** Page → stream: a message of the protocol, or what a socket does. */
export type ToStream = string | Uint8Array<ArrayBuffer> | { readonly type: "close" | "save" };

/** Stream → page: a message of the protocol, the end, or what was saved. */
export type FromStream =
  | string
  | ArrayBuffer
  | { readonly type: "close"; readonly code: number; readonly reason: string }
  | { readonly type: "saved"; readonly state: StreamState };

/**
 * A stream as a value: what it has heard, its configuration and its model's state. A structured
 * clone of it (IndexedDB, `postMessage`) is as good.
 */
export interface StreamState {
  readonly version: 1;
  /** SHA-256 of the weights, or what else tells them from others. */
  readonly weights: string;
  /** Number of frames so far in the segment. */
  readonly frames: number;
  /** For the engine alone. */
  readonly session: unknown;
}
