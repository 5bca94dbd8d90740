/** What a client's `mark`, `reset` and `update` do to its stream. */
import { wantOf } from "../inference/want.ts";
import { updatedMessage } from "./answers.ts";
import type { Opened } from "./opening.ts";
import type { Outgoing } from "./outgoing.ts";
import type { ClientMessage } from "./protocol/messages.ts";
import { selection } from "./protocol/selection.ts";
import type { StreamStats } from "./stats.ts";

/** A message that is obeyed when all audio before it has been computed. */
export type ControlMessage = Extract<ClientMessage, { type: "mark" | "reset" | "update" }>;

/**
 * Obeys a message, and answers it.
 *
 * @param options `frames`: completed so far in this segment, all of which were sent
 * @throws {CpcError} `invalid_option` for an update that the model cannot give
 */
export function obey(
  message: ControlMessage,
  { session, stream }: Pick<Opened, "session" | "stream">,
  { frames, out, stats }: { frames: number; out: Outgoing; stats: StreamStats },
): void {
  switch (message.type) {
    case "mark":
      out.say({ type: "marked", id: message.id ?? null, samples: session.samples, frames });
      break;
    case "reset":
      stream.reset();
      session.reset();
      stats.reset();
      out.firstFrame = 0;
      out.say({ type: "reset", segment: session.segment });
      break;
    case "update":
      session.select(selection(message, session.config, session.layout.dims), frames);
      stream.update(wantOf(session.config));
      out.say(updatedMessage(session.config));
      break;
  }
}
