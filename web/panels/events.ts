/** The panel "Events": what the heads noticed, the newest first. */
import type { HeadEvent } from "../../client/mod.ts";
import { byId } from "../dom.ts";
import type { Follower } from "../follower.ts";
import type { Head } from "../models.ts";

const MOST_LISTED = 100;

export class EventsPanel implements Follower {
  readonly #card = byId("events", HTMLElement);
  readonly #body = byId("event-rows", HTMLElement);
  readonly #note = byId("event-note", HTMLElement);

  beginAudio(): void {
    this.#body.replaceChildren();
    this.#note.hidden = false;
  }

  beginHeads(heads: readonly Head[]): void {
    this.#card.hidden = heads.every(({ events }) => events.length === 0);
  }

  takeEvent({ head, event, channel, state, time }: HeadEvent): void {
    this.#note.hidden = true;
    const row = document.createElement("tr");
    const whose = channel === undefined ? "" : `, speaker ${channel + 1}`;
    for (const text of [`${time.toFixed(2)} s`, event, WORDS[state], `${head}${whose}`]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    this.#body.prepend(row);
    while (this.#body.childElementCount > MOST_LISTED) this.#body.lastElementChild?.remove();
  }
}

const WORDS = { start: "began", end: "ended" } as const satisfies Record<
  HeadEvent["state"],
  string
>;
