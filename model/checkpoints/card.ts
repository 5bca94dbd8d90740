/** Describes an imported model, on the terminal and in its folder's README.md. */
import { type ModelConfig, streamingPlan } from "../architecture.ts";
import { modelDims, parameterCount } from "../weights.ts";
import type { ImportedCheckpoint } from "./checkpoint.ts";

const NORM_NAMES = {
  batch: "batch norm",
  channel: "channel norm (per frame)",
  none: "no norm",
} as const;

/** Label and value of each thing worth knowing about a model, in order. */
export function describeModel(
  { kind, config, tensors }: Pick<ImportedCheckpoint, "kind" | "config" | "tensors">,
): [label: string, value: string][] {
  const plan = streamingPlan(config);
  const { latent, steps } = modelDims(config);
  return [
    ["kind", kind],
    [
      "encoder",
      `${config.encoder.length} convolutions, ${latent} channels, ${
        NORM_NAMES[config.encoder[0]!.norm]
      }`,
    ],
    [
      "hop",
      `${plan.hopSamples} samples, receptive field ${plan.receptiveFieldSamples}, look-ahead ` +
      `${plan.lookaheadSamples}`,
    ],
    ["context", describeContext(config.context)],
    ["predictors", steps > 0 ? `${steps}, linear` : "none"],
    ...config.reverse
      ? [["reverse", describeContext(config.reverse.context)] as [string, string]]
      : [],
    ["parameters", parameterCount({ tensors }).toLocaleString("en")],
  ];
}

function describeContext({ type, hidden, layers, output_layer }: ModelConfig["context"]): string {
  const of = layers === 1
    ? "1 layer"
    : `${layers} layers, layer ${output_layer ?? layers} given out`;
  return `${type.toUpperCase()} ${hidden}, ${of}`;
}

/**
 * The model card: what the file was, and what the model is. Its owner adds data, licence and
 * metrics.
 */
export function modelCard(
  model: ImportedCheckpoint,
  source: { name: string; file: string; sha256: string; command: string },
): string {
  const { latent, context } = modelDims(model.config);
  const scale = model.config.input_scale;
  const list = [
    ...model.notes,
    ...model.skipped.length > 0 ? [`not read: ${model.skipped.join(", ")}`] : [],
  ];
  return `---
name: ${JSON.stringify(source.name)}
status: converted
architecture: ${
    JSON.stringify(`${model.kind}: ${
      describeModel(model).slice(1, 5).map(([k, v]) => `${k} ${v}`).join("; ")
    }`)
  }
sample_rate: 16000
source:
  kind: ${JSON.stringify(model.kind)}
  file: ${JSON.stringify(source.file)}
  sha256: ${source.sha256}
license: unknown
datasets: []
metrics: []
---

# ${source.name}

${latent} latents and ${context} context values every ${
    streamingPlan(model.config).hopSamples
  } samples of 16 kHz audio, converted from a ${model.kind} checkpoint.

| | |
| --- | --- |
| source | \`${source.file.replaceAll("`", "'")}\` |
| sha256 | \`${source.sha256}\` |
${describeModel(model).map(([label, value]) => `| ${label} | ${value} |`).join("\n")}
| input scale | ${scale} |
| converted by | \`${source.command}\` |
${list.length > 0 ? `\n${list.map((line) => `- ${line}`).join("\n")}\n` : ""}
The checkpoint names neither its training data nor its licence nor any figures: add them here.
`;
}
