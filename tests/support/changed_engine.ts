/** An engine that does what a test wants. */
import type { Engine } from "../../model/engine.ts";
import { createEngine } from "../../model/engines/create.ts";
import type { Weights } from "../../model/weights.ts";

/**
 * A sound engine on the CPU, and the same with some changed methods.
 *
 * @param change gives the changed methods, which may call those of the sound one
 */
export async function changedEngine(
  weights: Weights,
  change: (sound: Engine) => Partial<Pick<Engine, "step" | "predict">>,
): Promise<{ sound: Engine; engine: Engine }> {
  const sound = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const engine: Engine = Object.assign(Object.create(sound), {
    layout: sound.layout,
    maxRows: sound.maxRows,
    step: (input: Parameters<Engine["step"]>[0]) => sound.step(input),
    predict: (hidden: Float32Array) => sound.predict(hidden),
    ...change(sound),
  });
  return { sound, engine };
}
