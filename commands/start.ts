/** The command line of `deno task start`. `main.ts` runs it. */
import { AUDIO_KINDS } from "../audio/source.ts";
import { STREAM_ENCODINGS } from "../audio/stream_encodings.ts";
import { SERVER_SETTINGS } from "../config/settings.ts";
import type { Command } from "./cli.ts";

/** The command line of the server. */
export const START = {
  name: "start",
  about: "Serves CPC features of speech over WebSockets and REST.",
  usage: "[flags]",
  settings: SERVER_SETTINGS,
  notes: [
    `Streams take the encodings ${STREAM_ENCODINGS.join(", ")} (docs/protocol.md, docs/opus.md); ` +
    `recordings may be ${AUDIO_KINDS.join(", ")} (docs/rest.md).`,
  ],
} satisfies Command;
