/** A module's tensors under their own names, taken one by one so that leftovers can be reported. */
import type { Tensor } from "../safetensors.ts";
import { type PickleValue, TensorRef } from "./pickle_values.ts";
import { refuse, shown } from "./refuse.ts";
import type { TorchFile } from "./torch_file.ts";

const PARALLEL_PREFIX = "module.";

/** The `state_dict` of a module. */
export class StateDict {
  readonly #file: TorchFile;
  readonly #tensors = new Map<string, TensorRef>();
  readonly #untaken = new Set<string>();
  /** How often `module.` (torch.nn.DataParallel) was removed from every name. */
  readonly parallelPrefixes: number = 0;

  /** @param entries name → tensor; anything else is left out */
  constructor(file: TorchFile, entries: ReadonlyMap<PickleValue, PickleValue>) {
    this.#file = file;
    let tensors = [...entries].filter((entry): entry is [string, TensorRef] =>
      typeof entry[0] === "string" && entry[1] instanceof TensorRef
    );
    while (tensors.length > 0 && tensors.every(([name]) => name.startsWith(PARALLEL_PREFIX))) {
      tensors = tensors.map(([name, tensor]) => [name.slice(PARALLEL_PREFIX.length), tensor]);
      this.parallelPrefixes++;
    }
    this.#tensors = new Map(tensors);
    for (const name of this.#tensors.keys()) {
      if (!name.endsWith(".num_batches_tracked")) this.#untaken.add(name);
    }
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Names that have not been taken, without the counters of batches. */
  get untaken(): string[] {
    return [...this.#untaken];
  }

  /** A tensor's shape. @throws {CpcError} `checkpoint_invalid` when it is missing */
  shape(name: string): readonly number[] {
    return this.#find(name).shape;
  }

  /** Whether there is a tensor whose name has this prefix. */
  hasUnder(prefix: string): boolean {
    return [...this.#tensors.keys()].some((name) => name.startsWith(prefix));
  }

  /**
   * A tensor of the shape that the architecture requires.
   *
   * @throws {CpcError} `checkpoint_invalid`, naming the tensor, when it is missing or misshapen,
   *   holds integers, is cut short, or is not finite
   */
  take(name: string, shape: readonly number[]): Tensor {
    const tensor = this.#find(name, shape);
    if (tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i])) {
      refuse(`tensor ${name} must have shape [${shape}], it has [${tensor.shape}]`);
    }
    this.#untaken.delete(name);
    return { shape, data: this.#file.read(tensor, name) };
  }

  /** Refuses leftover tensors under these prefixes: they mean that the architecture was misread. */
  refuseUntaken(prefixes: readonly string[] = [""]): void {
    const stranger = this.untaken.find((name) =>
      prefixes.some((prefix) => name.startsWith(prefix))
    );
    if (stranger !== undefined) {
      refuse(
        `tensor ${shown(stranger)} of shape [${
          this.shape(stranger)
        }] is not part of the architecture that it was taken for`,
      );
    }
  }

  #find(name: string, shape?: readonly number[]): TensorRef {
    return this.#tensors.get(name) ??
      refuse(`tensor ${name}${shape ? ` of shape [${shape}]` : ""} is missing`);
  }
}
