/** The part of a socket that a stream needs; `ws` has all of it. */

/** One socket. */
export interface Wire {
  /** The client's end, for logs; undefined where it is not known. */
  readonly address: string | undefined;
  /** Bytes that wait for the client to read them. */
  readonly bufferedAmount: number;
  /** @param sent called when the data has left, or when it never will */
  send(data: string | Uint8Array, sent: (error?: Error) => void): void;
  close(code: number, reason: string): void;
  /** @param data repeated by the answer */
  ping(data: string): void;
  /** Cuts the connection. */
  terminate(): void;
  pause(): void;
  resume(): void;
}
