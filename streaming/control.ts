/** Carries out a client's `mark`, `reset` and `update`. */
import { wantOf } from "../inference/want.ts";
import { updatedMessage } from "./answers.ts";
import type { Opened } from "./opening.ts";
import type { Outgoing } from "./outgoing.ts";
import type { ClientMessage } from "./protocol/client_messages.ts";
import { selection } from "./protocol/selection.ts";
import type { StreamStats } from "./stats.ts";

/** A message that takes effect once all audio before it has been computed. */
export type ControlMessage = Extract<ClientMessage, { type: "mark" | "reset" | "update" }>;

/**
 * Carries out a message, and answers it.
 *
 * @param options `frames`: number completed in this segment so far, all of them sent
 * @throws {CpcError} `invalid_option` for an update that the model cannot serve
 */
export function obey(
  message: ControlMessage,
  { session, stream }: Pick<Opened, "session" | "stream">,
  { frames, out, stats }: { frames: number; out: Outgoing; stats: StreamStats },
): void {
  switch (message.type) {
    case "mark":
      out.say({
        type: "marked",
        id: message.id ?? null,
        samples: session.samples,
        frames,
        ...(session.live && { bytes: session.live.bytes }),
      });
      break;
    case "reset":
      stream.reset();
      session.reset();
      stats.reset();
      out.firstFrame = 0;
      out.say({ type: "reset", segment: session.segment });
      break;
    case "update":
      session.select(selection(message, session.config, session.selectable), frames);
      stream.update(wantOf(session.config));
      out.say(updatedMessage(session.config));
      break;
  }
}
