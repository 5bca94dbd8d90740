/** The wire protocol, in the server's own types. It imports only types, none of its code. */
import type {
  ClientMessage,
  FramesMessage,
  ServerMessage,
} from "../streaming/protocol/messages.ts";
import type { Selection } from "../streaming/protocol/selection.ts";

export type { ClientMessage, FramesMessage, Selection, ServerMessage };

/** Outputs of a frame. */
export type Output = Selection["output"][number];

type Message<T extends ServerMessage["type"]> = Extract<ServerMessage, { type: T }>;

/** The server's first message: the configuration in force. */
export type Ready = Message<"ready">;
/** A warning; the stream goes on, or ends soon. */
export type Warning = Message<"warning">;
/** Figures of the whole stream. */
export type Done = Message<"done">;
/** The server's position at a mark. */
export interface Marked {
  readonly id: unknown;
  /** The client's samples of the segment, per channel. */
  readonly samples: number;
  readonly frames: number;
}

/** How well predictions of the past fitted a frame; `nce` and `correct` by step. */
export type Score = NonNullable<NonNullable<FramesMessage["score"]>[number]>;
/** Encodings of audio. */
export type Encoding = Ready["encoding"];
