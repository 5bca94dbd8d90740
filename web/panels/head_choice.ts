/** The choice of heads in the panel of controls. */
import { byId } from "../dom.ts";
import type { Head } from "../models.ts";

/** A head that can be chosen. */
interface Choice {
  readonly head: Head;
  readonly box: HTMLInputElement;
}

export class HeadChoice {
  readonly #field = byId("heads", HTMLFieldSetElement);
  readonly #list = byId("head-list", HTMLElement);
  readonly #note = byId("heads-note", HTMLElement);
  readonly #changed: () => void;
  #choices: readonly Choice[] = [];
  /** Channels of the stream that is live. */
  #liveChannels: number | undefined;

  /** @param changed called when the visitor has chosen */
  constructor(changed: () => void) {
    this.#changed = () => {
      this.#explain();
      changed();
    };
  }

  get chosen(): readonly Head[] {
    return this.#choices.filter(({ box }) => box.checked).map(({ head }) => head);
  }

  /** Whether a chosen head listens to two speakers. */
  get isOfTwo(): boolean {
    return this.chosen.some(({ channels }) => channels === 2);
  }

  /**
   * Shows a model's heads: those that were chosen stay so, and at first one of one speaker is.
   *
   * @returns the chosen heads that are gone
   */
  offer(heads: readonly Head[]): string[] {
    const before = this.chosen.map(({ name }) => name);
    const first = this.#choices.length === 0 ? heads.find(({ channels }) => channels === 1) : null;
    this.#choices = heads.map((head) => {
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = head === first || before.includes(head.name);
      box.onchange = this.#changed;
      return { head, box };
    });
    this.#list.replaceChildren(...this.#choices.map(labelOf));
    this.#field.hidden = heads.length === 0;
    this.#explain();
    return before.filter((name) => heads.every((head) => head.name !== name));
  }

  /** @param channels of the stream that is live; undefined where none is */
  follow(channels: number | undefined): void {
    this.#liveChannels = channels;
    this.#explain();
  }

  #explain(): void {
    const isMono = this.#liveChannels === 1;
    for (const { head, box } of this.#choices) box.disabled = isMono && head.channels === 2;
    const ofTwo = this.#choices.filter(({ head }) => head.channels === 2)
      .map(({ head }) => head.name);
    this.#note.textContent = isMono && ofTwo.length > 0
      ? `To listen to two speakers, stop, choose ${ofTwo.join(" or ")}, and start again.`
      : this.isOfTwo
      ? "Speaker 1 is the left channel of a file, speaker 2 the right one."
      : "";
    this.#note.hidden = this.#note.textContent === "";
  }
}

function labelOf({ head: { name, channels }, box }: Choice): HTMLLabelElement {
  const label = document.createElement("label");
  label.className = "check";
  label.append(box, channels === 2 ? `${name} (two speakers)` : name);
  return label;
}
