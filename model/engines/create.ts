/** The one place that knows every engine; each is imported only when chosen. */
import type { Engine, EngineKind, EngineOptions } from "../engine.ts";
import type { Weights } from "../weights.ts";
import { paddedOnCard } from "./padded.ts";

/** Creates an engine of the given kind. On a card, it takes steps of few shapes. */
export async function createEngine(
  kind: EngineKind,
  weights: Weights,
  options: EngineOptions,
): Promise<Engine> {
  return paddedOnCard(await create(kind, weights, options));
}

async function create(
  kind: EngineKind,
  weights: Weights,
  options: EngineOptions,
): Promise<Engine> {
  switch (kind) {
    case "onnx":
      return await (await import("./onnx.ts")).OnnxEngine.create(weights, options);
    case "tfjs":
      return await (await import("./tfjs.ts")).TfjsEngine.create(weights, options);
  }
}
