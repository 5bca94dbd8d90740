/** The panel "Heads": the rows of each chosen head as curves. */
import type { HeadMessage } from "../../client/mod.ts";
import { byId } from "../dom.ts";
import type { AudioFormat, Follower, Heard } from "../follower.ts";
import { columnsOf, titleOf } from "../head_columns.ts";
import type { Head } from "../models.ts";
import type { Colours } from "../pictures/colours.ts";
import { Curves } from "../pictures/curves.ts";
import { Turns } from "./turns.ts";

/** Curves of one output, and where its numbers are. */
interface Plot {
  readonly output: string;
  /** Of the flattened output, those that are drawn. */
  readonly shown: number;
  readonly curves: Curves;
}

/** A head; on a split stream, one of one channel is drawn once for each. */
interface Drawn {
  readonly head: Head;
  readonly channel: number | undefined;
  readonly count: HTMLElement;
  readonly plots: readonly Plot[];
  readonly turns: Turns | undefined;
  rows: number;
}

export class HeadsPanel implements Follower {
  readonly #card = byId("answers", HTMLElement);
  readonly #list = byId("answer-list", HTMLElement);
  #format: AudioFormat = { sampleRate: 1, channels: 1 };
  #heads: readonly Head[] = [];
  #drawn: Drawn[] = [];
  #samples = 0;

  beginAudio(format: AudioFormat): void {
    this.#format = format;
    this.#samples = 0;
    this.#drawn = [];
    this.#begin();
  }

  hear({ length }: Heard): void {
    this.#samples += length;
  }

  beginHeads(heads: readonly Head[]): void {
    this.#heads = heads;
    this.#begin();
  }

  takeRows({ name, channel, first, time, rows }: HeadMessage): void {
    const drawn = this.#drawn.find((one) => one.head.name === name && one.channel === channel);
    if (!drawn) return;
    drawn.rows = first + rows.length;
    for (const [i, row] of rows.entries()) {
      for (const { output, shown, curves } of drawn.plots) {
        curves.push(time + i / drawn.head.rate, numbersOf(row[output]).slice(0, shown));
      }
      drawn.turns?.take(row);
    }
  }

  draw(colours: Colours): void {
    const now = this.#samples / this.#format.sampleRate;
    for (const { curves } of this.#drawn.flatMap(({ plots }) => plots)) curves.draw(colours, now);
  }

  tell(): void {
    for (const { head, count, rows, plots, turns } of this.#drawn) {
      count.textContent = `${head.rate} rows a second, ${rows} so far`;
      for (const { curves } of plots) curves.tell();
      turns?.tell();
    }
  }

  /** Shows the heads of now; those that were there before go on. */
  #begin(): void {
    const each = this.#format.channels === 2 ? [0, 1] : [undefined];
    const former = this.#drawn;
    this.#drawn = this.#heads.flatMap((head) =>
      (head.channels === 1 ? each : [undefined]).map((channel) =>
        former.find((one) => one.head === head && one.channel === channel) ??
          this.#drawnOf(head, channel)
      )
    );
    this.#card.hidden = this.#drawn.length === 0;
    this.#list.replaceChildren(...this.#drawn.map(elementOf));
    this.tell();
  }

  #drawnOf(head: Head, channel: number | undefined): Drawn {
    const plots = head.outputs.map((output) => {
      const { labels, left } = columnsOf(head, output);
      const title = titleOf(head, output) + (left > 0 ? ` (${left} more are not drawn)` : "");
      const curves = new Curves({ title, labels, rate: head.rate });
      return { output: output.name, shown: labels.length, curves };
    });
    const count = document.createElement("span");
    count.className = "hint";
    return { head, channel, count, plots, turns: Turns.of(head), rows: 0 };
  }
}

function elementOf({ head, channel, count, plots, turns }: Drawn): HTMLElement {
  const part = document.createElement("section");
  const heading = document.createElement("h3");
  const whose = channel === undefined ? "" : `, speaker ${channel + 1}`;
  heading.append(`${head.name}${whose} `, count);
  part.append(
    heading,
    ...(turns ? [turns.element] : []),
    ...plots.map(({ curves }) => curves.element),
  );
  return part;
}

function numbersOf(output: readonly unknown[] = []): number[] {
  return output.flat(Infinity) as number[];
}
