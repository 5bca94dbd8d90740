/**
 * Administrators' commands: all servers carry them out, and servers that begin later catch up with
 * what was settled before.
 */
import type { Log } from "../log.ts";
import type { PassedCommand } from "./messages.ts";
import type { Asked, Questions } from "./questions.ts";

/** A command, as a server passes it on. */
export interface Administering {
  readonly command: PassedCommand;
  /** How long a server may take. */
  readonly withinMs: number;
  /** The last command of this name holds for servers that begin later, too. */
  readonly settles?: string;
}

/** The place of a server that carries commands out. */
export interface Commanded {
  readonly process: number;
  readonly server?: Asked;
}

/** Commands that hold, and which of them each server has been given. */
export class SettledCommands {
  readonly #questions: Questions;
  readonly #log: Log;
  /** By what they settle. */
  readonly #settled = new Map<string, Administering>();
  /** By process. */
  readonly #given = new Map<number, Set<object>>();

  constructor(questions: Questions, log: Log) {
    this.#questions = questions;
    this.#log = log;
  }

  /** A server begins: what it is given at once. */
  begin(process: number): PassedCommand[] {
    const commands = Array.from(this.#settled.values(), ({ command }) => command);
    this.#given.set(process, new Set(commands));
    return commands;
  }

  /**
   * Has servers carry a command out; one that is silent has failed. It is settled if none fails.
   *
   * @param ready the servers that serve, before and after they have carried it out
   * @returns what each of them told
   */
  async carryOut(
    ready: () => readonly Commanded[],
    { command, withinMs, settles }: Administering,
  ): Promise<object[]> {
    const told = await Promise.all(
      ready().map(async ({ process, server }) => {
        const why = `server ${process} did not answer within ${withinMs} ms; try again`;
        const silent = { error: { code: "overloaded", message: why } };
        this.#givenTo(process).add(command);
        const question = { type: "administer", command } as const;
        return await this.#questions.ask(server, question, { withinMs }) ?? silent;
      }),
    );
    const done = told.every((one) => !("error" in one));
    if (settles !== undefined && done) {
      this.#settled.set(settles, { command, withinMs });
      for (const one of ready()) this.catchUp(one);
    }
    return told;
  }

  /** Has a server do what was settled while it was starting. */
  catchUp({ process, server }: Commanded): void {
    const given = this.#givenTo(process);
    for (const { command, withinMs } of this.#settled.values()) {
      if (given.has(command)) continue;
      given.add(command);
      const question = { type: "administer", command } as const;
      void this.#questions.ask(server, question, { withinMs }).then((told) => {
        if (told && !("error" in told)) return;
        const why = "a server could not do what administrators had settled before it served";
        this.#log.error(why, { process, ...told });
      });
    }
  }

  #givenTo(process: number): Set<object> {
    return this.#given.get(process)!; // it has begun
  }
}
