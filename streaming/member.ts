/** A connection, as the hub knows it. */
import type { CpcError } from "../errors.ts";
import type { Admitted } from "./admission.ts";

/** A connection among the server's streams. */
export interface Member extends Admitted {
  /** Its client's; undefined where it came over no network. */
  readonly address: string | undefined;
  /** Set when it is admitted. */
  streams: number;
  /** Does what time has brought. */
  tick(nowMs: number): void;
  /** Tells the client something about the server. */
  warn(code: "store", message: string): void;
  /** Tells the client why, closes with the code of the error and lets go of everything. */
  fail(error: CpcError): void;
  /**
   * The server stops: reads no more, answers what was heard unless `late` comes first, then tells
   * the client and closes with 1001.
   */
  drain(late: Promise<void>): Promise<void>;
}

/** Whose stream it was, for logs. */
export interface StreamNames {
  readonly session?: string;
  /** Id of its handshake. */
  readonly request?: string;
  /** Name of the key; undefined on a server without keys. */
  readonly key?: string;
  readonly address?: string;
  /** Id of its trace; only with telemetry. */
  readonly trace?: string;
}

/** What the log says of a stream that has opened. */
export interface OpenedStream {
  readonly model: string;
  /** Whether it goes on with an older connection's session. */
  readonly resumed: boolean;
}
