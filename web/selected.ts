/** What the visitor has selected of what the server has: a model, vectors, scores, heads. */
import type { Channels } from "../client/browser/source.ts";
import type { Output } from "../client/mod.ts";
import { loadModels, type Model } from "./models.ts";
import type { ControlsPanel } from "./panels/controls.ts";
import type { HeadChoice } from "./panels/head_choice.ts";

export class Selected {
  readonly #controls: ControlsPanel;
  readonly #heads: HeadChoice;
  #models: readonly Model[] = [];

  constructor({ controls, heads }: { controls: ControlsPanel; heads: HeadChoice }) {
    this.#controls = controls;
    this.#heads = heads;
  }

  /** Asks the server for its models. @throws {StreamError} */
  async load(): Promise<void> {
    this.#models = await loadModels(this.#controls.key);
    this.#controls.offerModels(this.#models.map(({ id }) => id));
  }

  /** Folder of the model's files, if it is to run in this browser. */
  get weights(): string | undefined {
    return this.#controls.isHere ? this.#model?.weights : undefined;
  }

  /** Shows whether the model can run in this browser. */
  offerHere(): void {
    this.#controls.offerHere(this.#model?.weights !== undefined);
  }

  /** Shows the heads of the model. @returns the chosen ones that it does not have */
  offerHeads(): string[] {
    return this.#heads.offer(this.#model?.heads ?? []);
  }

  get outputs(): Output[] {
    const { shown, isScoring } = this.#controls;
    return [
      shown,
      ...(isScoring && this.canScore ? ["score" as const] : []),
      ...this.#heads.chosen.map(({ name }) => `head.${name}` as const),
    ];
  }

  /** Channels that the chosen heads require. */
  get channels(): Channels {
    return this.#heads.isOfTwo ? 2 : 1;
  }

  get canScore(): boolean {
    return this.#model?.dims.steps !== 0;
  }

  get #model(): Model | undefined {
    return this.#models.find(({ id }) => id === this.#controls.model);
  }
}
