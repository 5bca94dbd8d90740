/** A model that costs next to nothing, for what else a server does. */
import { type ModelConfig, modelConfigSchema } from "../model/architecture.ts";
import { elementCount, type Tensor, writeSafetensors } from "../model/safetensors.ts";
import { seeded } from "../model/seeded.ts";
import { expectedTensors } from "../model/weights.ts";

/** Of the shipped models' shape, with as large a context but hardly an encoder. */
const THIN: ModelConfig = modelConfigSchema.parse({
  sample_rate: 16_000,
  encoder: [[10, 5, 3], [8, 4, 2], [4, 2, 1], [4, 2, 1], [4, 2, 1]].map((
    [kernel, stride, padding],
  ) => ({ kernel, stride, padding, channels: 8, norm: "none" })),
  context: { type: "gru", hidden: 256, layers: 1 },
  predictors: { steps: 1, type: "linear" },
});

/** Writes its weights folder. */
export async function writeThinModel(folder: string, { seed = 1 } = {}): Promise<void> {
  const random = seeded(seed);
  const tensors = new Map<string, Tensor>();
  for (const [name, { shape }] of expectedTensors(THIN)) {
    const scale = 1 / Math.sqrt(elementCount(shape.slice(1)) || 1);
    const data = Float32Array.from(
      { length: elementCount(shape) },
      () => (random() * 2 - 1) * scale,
    );
    tensors.set(name, { shape, data });
  }
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(`${folder}/model.safetensors`, writeSafetensors(tensors));
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(THIN));
  await Deno.writeTextFile(`${folder}/README.md`, "# Noise for measurements\n");
}
