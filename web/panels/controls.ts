/** The panel of controls: a visitor's choices, and the page's answers. */
import { byId } from "../dom.ts";
import type { Shown } from "../follower.ts";
import { explain } from "../words.ts";

/** What the controls trigger. */
export interface Actions {
  /** Starts, or stops the running stream. */
  microphone(): void;
  pause(): void;
  reset(): void;
  file(file: File, options: { isFast: boolean }): void;
  /** The outputs have changed. */
  outputs(): void;
  model(): void;
  key(): void;
}

/** State of the stream, as the badge shows it. */
export type Mood = "idle" | "connecting" | "live" | "resuming" | "error";

const KEYS = { m: "microphone", p: "pause", r: "reset" } as const;
const TYPING = /^(INPUT|SELECT|BUTTON|TEXTAREA)$/;

export class ControlsPanel {
  readonly #microphone = byId("microphone", HTMLButtonElement);
  readonly #pause = byId("pause", HTMLButtonElement);
  readonly #reset = byId("reset", HTMLButtonElement);
  readonly #badge = byId("state", HTMLElement);
  readonly #file = byId("file", HTMLInputElement);
  readonly #speed = byId("speed", HTMLSelectElement);
  readonly #model = byId("model", HTMLSelectElement);
  readonly #output = byId("output", HTMLSelectElement);
  readonly #score = byId("score", HTMLInputElement);
  readonly #here = byId("here", HTMLInputElement);
  readonly #key = byId("key", HTMLInputElement);
  readonly #status = byId("status", HTMLElement);
  #isLive = false;
  /** The server gives the model's files to browsers. */
  #canBeHere = false;
  readonly #problem = byId("problem", HTMLElement);

  constructor(actions: Actions) {
    this.#microphone.onclick = () => actions.microphone();
    this.#pause.onclick = () => actions.pause();
    this.#reset.onclick = () => actions.reset();
    this.#output.onchange = this.#score.onchange = () => actions.outputs();
    this.#model.onchange = () => actions.model();
    this.#key.onchange = () => actions.key();
    const take = (file: File | undefined) => {
      if (file) actions.file(file, { isFast: this.#speed.value === "fast" });
    };
    this.#file.onchange = () => {
      take(this.#file.files?.[0]);
      this.#file.value = ""; // so that the same file can be chosen again
    };
    listenForDrops(take);
    this.#listenForKeys();
  }

  get model(): string {
    return this.#model.value;
  }

  get shown(): Shown {
    return this.#output.value === "latent" ? "latent" : "context";
  }

  get isScoring(): boolean {
    return this.#score.checked;
  }

  /** The model is to run in this browser. */
  get isHere(): boolean {
    return this.#here.checked && this.#canBeHere;
  }

  get key(): string {
    return this.#key.value;
  }

  focusKey(): void {
    this.#key.focus();
  }

  /** Lists models; the chosen one stays so. */
  offerModels(ids: readonly string[]): void {
    const { model } = this;
    this.#model.replaceChildren(...ids.map((id) => new Option(id, id, false, id === model)));
  }

  /** Whether the chosen model can run in this browser. */
  offerHere(isPossible: boolean): void {
    this.#canBeHere = isPossible;
    this.#here.disabled = this.#isLive || !isPossible;
  }

  say(text: string): void {
    this.#status.textContent = text;
  }

  /** Shows what went wrong, in words. */
  complain(error: unknown): void {
    this.#problem.textContent = typeof error === "string" ? error : explain(error);
    this.#problem.hidden = false;
  }

  forgive(): void {
    this.#problem.hidden = true;
  }

  show(mood: Mood, { text, isLive }: { text: string; isLive: boolean }): void {
    this.#badge.dataset.state = mood;
    this.#badge.textContent = text;
    this.#microphone.textContent = isLive ? "Stop" : "Start microphone";
    this.#pause.disabled = this.#reset.disabled = !isLive;
    if (!isLive) this.showPaused(false);
    this.#model.disabled = this.#key.disabled = this.#isLive = isLive;
    this.offerHere(this.#canBeHere);
  }

  showPaused(isPaused: boolean): void {
    this.#pause.setAttribute("aria-pressed", String(isPaused));
    this.#pause.textContent = isPaused ? "Continue" : "Pause";
  }

  #listenForKeys(): void {
    const buttons = { microphone: this.#microphone, pause: this.#pause, reset: this.#reset };
    document.addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
      if (ctrlKey || metaKey || altKey) return;
      if (target instanceof Element && TYPING.test(target.tagName)) return;
      if (key === "m" || key === "p" || key === "r") buttons[KEYS[key]].click();
    });
  }
}

function listenForDrops(take: (file: File | undefined) => void): void {
  const show = (isOver: boolean) => document.body.classList.toggle("dragging", isOver);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    show(true);
  });
  document.addEventListener("dragleave", () => show(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    show(false);
    take(event.dataTransfer?.files[0]);
  });
}
