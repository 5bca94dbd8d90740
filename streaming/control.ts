/** Carries out a client's `mark`, `reset` and `update`, and says what to answer. */
import { wantOf } from "../inference/want.ts";
import { updatedMessage } from "./answers.ts";
import type { Opened } from "./opening.ts";
import type { Outgoing } from "./outgoing.ts";
import type { ClientMessage } from "./protocol/client_messages.ts";
import type { ServerMessage } from "./protocol/messages.ts";
import { selection } from "./protocol/selection.ts";
import type { StreamStats } from "./stats.ts";

/** A message that takes effect once all audio before it has been computed. */
export type ControlMessage = Extract<ClientMessage, { type: "mark" | "reset" | "update" }>;

/**
 * Carries out a message.
 *
 * @param options `frames`: number completed in this segment so far, all of them sent
 * @returns the answer
 * @throws {CpcError} `invalid_option` for an update that the model cannot serve
 */
export function obey(
  message: ControlMessage,
  { session, stream }: Pick<Opened, "session" | "stream">,
  { frames, out, stats }: {
    frames: number;
    out: Pick<Outgoing, "firstFrame">;
    stats: StreamStats;
  },
): ServerMessage {
  switch (message.type) {
    case "mark":
      return {
        type: "marked",
        id: message.id ?? null,
        samples: session.samples,
        frames,
        ...(session.live && { bytes: session.live.bytes }),
      };
    case "reset":
      stream.reset();
      session.reset();
      stats.reset();
      out.firstFrame = 0;
      return { type: "reset", segment: session.segment };
    case "update":
      session.select(selection(message, session.config, session.selectable), frames);
      stream.update(wantOf(session.config));
      return updatedMessage(session.config);
  }
}
