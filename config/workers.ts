/** How many model workers a device takes. */
import { UsageError } from "../errors.ts";
import { autoTakesCard } from "../model/auto_card.ts";
import type { ComputeSettings } from "./settings.ts";

/** Devices that are one card for all streams. */
const CARDS = ["webgpu", "cuda", "gpu"];

/**
 * The number of model workers, of all processes together.
 *
 * A card takes the steps of all streams in one batch, so one worker serves it best: the default is
 * one per process, also where `auto` takes a card. With CUDA, more may be asked for. With WebGPU,
 * they may not: a process may compute on it from one thread only, and a second one ends it (SIGSEGV
 * in ONNX Runtime 1.30, https://github.com/microsoft/onnxruntime/issues/32561).
 *
 * @throws {UsageError} for more workers than WebGPU takes
 */
export function workersOf(
  { device, workers, ...compute }: Pick<
    ComputeSettings,
    "device" | "workers" | "engine" | "precision"
  >,
  { processes = 1, takesCard = autoTakesCard }: {
    processes?: number;
    takesCard?: typeof autoTakesCard;
  } = {},
): number {
  if (workers === undefined && device === "auto" && takesCard(compute)) return processes;
  if (!CARDS.includes(device)) return workers ?? navigator.hardwareConcurrency;
  if (device === "webgpu" && workers !== undefined && workers > processes) {
    throw new UsageError(
      `--workers ${workers}: a process computes on WebGPU from one thread, so --device webgpu ` +
        `takes one worker per process (${processes} here): leave --workers out`,
    );
  }
  return workers ?? processes;
}
