/** The supervisor's questions to its servers, until they are answered. */
import type { PassedCommand, ToServer } from "./messages.ts";

/** A server that can be asked. */
export interface Asked {
  tell(message: ToServer): void;
}

/** What a server can be asked. */
export type Question =
  | { readonly type: "collect" }
  | { readonly type: "administer"; readonly command: PassedCommand };

/** Questions by number. */
export class Questions {
  readonly #asked = new Map<number, (answer?: object) => void>();
  #last = 0;

  /**
   * Asks a server.
   *
   * @returns its answer; undefined if it does not answer in time, or with nothing
   */
  async ask(
    server: Asked | undefined,
    question: Question,
    { withinMs }: { withinMs: number },
  ): Promise<object | undefined> {
    const id = ++this.#last;
    const { promise, resolve } = Promise.withResolvers<object | undefined>();
    const late = setTimeout(() => resolve(undefined), withinMs);
    this.#asked.set(id, resolve);
    server?.tell({ ...question, id });
    const answer = await promise;
    clearTimeout(late);
    this.#asked.delete(id);
    return answer;
  }

  /** A server has answered; too late, nobody hears it. */
  answered(id: number, answer?: object): void {
    this.#asked.get(id)?.(answer);
  }
}
