/**
 * What an administrator asks of every server on a port, and their answers. One server carries a
 * command out itself; of several, the supervisor has each do so.
 */
import { z } from "@hono/zod-openapi";
import { CpcError } from "../../errors.ts";
import type { KeysChange } from "../keys.ts";
import { errorSchema } from "../schemas.ts";

/** Which sessions are asked for. */
export interface SessionsPage {
  readonly limit: number;
  /** Only those with a greater id. */
  readonly after?: string;
  readonly key?: string;
  readonly model?: string;
}

/** A session, as administrators see it. */
export const sessionSchema = z.object({
  id: z.string(),
  state: z.enum(["live", "kept"]).openapi({ description: "kept: it waits for a resume" }),
  key: z.string().nullable().openapi({ description: "the name of its key" }),
  address: z.string().nullable(),
  model: z.string(),
  encoding: z.string(),
  age_seconds: z.number(),
  audio_seconds: z.number().openapi({ description: "heard in its current segment" }),
  lag_seconds: z.number().nullable().openapi({
    description: "audio that waits although it came in time; null for one that is kept",
  }),
  expires_in_seconds: z.number().nullable().openapi({ description: "of one that is kept" }),
}).openapi("AdminSession");
/** A session, as administrators see it. */
export type SessionRow = z.infer<typeof sessionSchema>;

/** What came of reading the keys again. */
export interface Reloaded extends KeysChange {
  /** Number of keys now. */
  readonly keys: number;
  /** Sessions that ended with their keys. */
  readonly ended: number;
}

/** A command for every server. */
export type Command =
  | { readonly do: "sessions"; readonly page: SessionsPage }
  | { readonly do: "end"; readonly session: string }
  | { readonly do: "reload"; readonly text: string }
  | { readonly do: "load"; readonly model: string }
  | { readonly do: "uses"; readonly model: string }
  | { readonly do: "unload"; readonly model: string; readonly endStreams: boolean };

/** What each command brings. */
export interface Answers {
  /** The first of them by id, one more than the limit if there are more. */
  readonly sessions: readonly SessionRow[];
  /** What it was; null where the server has none of this id. */
  readonly end: SessionRow["state"] | null;
  readonly reload: Reloaded;
  /** Whether it was not there before. */
  readonly load: boolean;
  /** Streams of the model; null where the server lacks it. */
  readonly uses: number | null;
  /** Streams that were ended; null where the server lacked it. */
  readonly unload: number | null;
}

const toldSchema = z.union([errorSchema, z.object({ value: z.unknown() })]);
/** How a command ended at one server. */
export type Told = z.infer<typeof toldSchema>;

/** How long the servers may take for a command. */
const WITHIN_MS = 5000;
/** The same where an engine has to be built. */
const LOADING_MS = 120_000;

/** Has every server of the port carry a command out. @throws {CpcError} what one of them says */
export type AskAll = <Do extends Command["do"]>(
  command: Extract<Command, { do: Do }>,
) => Promise<Answers[Do][]>;

/** How all servers carry a command out. */
export interface AskOptions {
  readonly withinMs: number;
  /** What the command settles: the last one of this name holds for servers that begin later. */
  readonly settles?: string;
}

/**
 * Asks this server, or all of several.
 *
 * @param here carries a command out at this server
 * @param all has all of them do so
 */
export function asker(
  here: (command: Command) => Promise<Told>,
  all?: (command: Command, options: AskOptions) => Promise<readonly object[]>,
): AskAll {
  return async (command) => {
    const told = all ? await all(command, optionsOf(command)) : [await here(command)];
    const answers = told.map((one) => toldSchema.parse(one));
    const refusal = answers.find((answer) => "error" in answer);
    if (!refusal) {
      return answers.map((answer) => {
        return (answer as { value: unknown }).value as Answers[typeof command["do"]]; // of our own
      });
    }
    const undo = undoing(command, answers);
    if (undo) await all?.(undo, optionsOf(undo));
    const { code, message } = refusal.error;
    throw new CpcError(code, message);
  };
}

/** What takes back a model that some servers have loaded and others could not. */
function undoing(command: Command, answers: readonly Told[]): Command | undefined {
  if (command.do !== "load") return undefined;
  const loaded = answers.flatMap((answer) => "value" in answer ? [answer.value] : []);
  // where one had it before, what each had is not known
  if (loaded.length === 0 || loaded.includes(false)) return undefined;
  return { do: "unload", model: command.model, endStreams: true };
}

function optionsOf(command: Command): AskOptions {
  if (command.do === "reload") return { withinMs: WITHIN_MS, settles: "keys" };
  if (command.do !== "load" && command.do !== "unload") return { withinMs: WITHIN_MS };
  return { withinMs: LOADING_MS, settles: `model ${command.model}` };
}
