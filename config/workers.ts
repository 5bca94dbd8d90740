/** How many model workers a device takes. */
import { UsageError } from "../errors.ts";
import { autoTakesCard } from "../model/auto_card.ts";
import type { ComputeSettings } from "./settings.ts";

/** Devices that are one card for all streams. */
const CARDS = ["webgpu", "cuda", "gpu"];
/** What kept most streams live on one card (docs/gpu.md). */
const CUDA_WORKERS = 4;

/**
 * The number of model workers, of all processes together.
 *
 * A card takes the steps of many streams in one batch. Its default is one worker per process, and
 * four in all with CUDA, also where `auto` takes it: while one hands a step to the card, the others
 * fill and read theirs. With WebGPU, more may not be asked for: a process may compute on it from
 * one thread only, and a second one ends it (SIGSEGV in ONNX Runtime 1.30,
 * https://github.com/microsoft/onnxruntime/issues/32561).
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
  const onCuda = Math.max(processes, Math.min(CUDA_WORKERS, navigator.hardwareConcurrency));
  if (workers === undefined && device === "auto" && takesCard(compute)) {
    return compute.engine === "onnx" ? onCuda : processes;
  }
  if (!CARDS.includes(device)) return workers ?? navigator.hardwareConcurrency;
  if (device === "webgpu" && workers !== undefined && workers > processes) {
    throw new UsageError(
      `--workers ${workers}: a process computes on WebGPU from one thread, so --device webgpu ` +
        `takes one worker per process (${processes} here): leave --workers out`,
    );
  }
  return workers ?? (device === "cuda" ? onCuda : processes);
}
