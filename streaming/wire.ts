/** The socket of a stream, as small as a stream needs it: `ws` has all of it. */

/** One socket. */
export interface Wire {
  /** Bytes that wait to be read by the client. */
  readonly bufferedAmount: number;
  /** @param sent called when the data has left, or never will */
  send(data: string | Uint8Array, sent: (error?: Error) => void): void;
  close(code: number, reason: string): void;
  /** @param data what the answer repeats */
  ping(data: string): void;
  /** Cuts the connection. */
  terminate(): void;
  pause(): void;
  resume(): void;
}
