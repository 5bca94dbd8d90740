/** Whose turn it is, and who speaks next, in words: for heads of voice activity projection. */
import type { HeadMessage } from "../../client/mod.ts";
import { isAboutTurns } from "../head_columns.ts";
import type { Head } from "../models.ts";

/** Outputs, and what they tell. */
const QUESTIONS = { p_now: "Has the turn", p_future: "Speaks next" } as const;

export class Turns {
  readonly element = document.createElement("dl");
  readonly #answers: readonly { readonly output: string; readonly cell: HTMLElement }[];
  #row: HeadMessage["rows"][number] = {};

  private constructor() {
    this.element.className = "turns";
    this.#answers = Object.entries(QUESTIONS).map(([output, question]) => {
      const [part, term, cell] = ["div", "dt", "dd"].map((tag) => document.createElement(tag)) as [
        HTMLElement,
        HTMLElement,
        HTMLElement,
      ];
      term.textContent = question;
      part.append(term, cell);
      this.element.append(part);
      return { output, cell };
    });
  }

  /** @returns undefined for a head that does not say so */
  static of(head: Head): Turns | undefined {
    return isAboutTurns(head) ? new Turns() : undefined;
  }

  take(row: HeadMessage["rows"][number]): void {
    this.#row = row;
  }

  tell(): void {
    for (const { output, cell } of this.#answers) {
      cell.textContent = likeliest(this.#row[output] as number[] | undefined);
    }
  }
}

/** The likelier speaker, in words. @param shares of each speaker */
export function likeliest(shares: readonly number[] = []): string {
  if (shares.length === 0) return "–";
  const share = Math.max(...shares);
  return `speaker ${shares.indexOf(share) + 1}, ${Math.round(share * 100)} %`;
}
