/** The thread of `least_server.ts`: answers at once. */

/** A stream's numbers. */
export interface FromLeast {
  readonly stream: number;
  readonly values: Float32Array<ArrayBuffer>;
}

declare const self: {
  onmessage: ((event: MessageEvent<{ stream: number; bytes: Uint8Array }>) => void) | null;
  postMessage(message: FromLeast): void;
};

self.onmessage = ({ data: { stream } }) => {
  self.postMessage({ stream, values: new Float32Array(2 * 256) });
};
