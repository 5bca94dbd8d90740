/** What a `head.json` says, checked. */
import { z } from "zod";
import { CpcError } from "../../errors.ts";
import { MODEL_SAMPLE_RATE } from "../architecture.ts";

/** What a name of a head or an event may be; requests say `head.NAME`. */
export const headNameSchema = z.string().regex(
  /^[A-Za-z0-9_-]{1,64}$/,
  "takes letters, digits, _ and -",
);
/** The rows of a head, as requests name them. */
export const headOutputSchema = z.templateLiteral(["head.", headNameSchema]);
/** Names of states and outputs. */
const name = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, "takes letters, digits, _ . and -");
/** Most numbers of one state or output. */
const MOST_NUMBERS = 2 ** 24;
const shape = z.array(z.int().min(1).max(MOST_NUMBERS)).min(1).max(8).refine(
  (sizes) => sizes.reduce((a, b) => a * b, 1) <= MOST_NUMBERS,
  `holds more than ${MOST_NUMBERS} numbers`,
);

const outputSchema = z.strictObject({
  name,
  shape,
  labels: z.array(z.string().min(1).max(200)).optional(),
}).refine(
  ({ shape, labels }) => !labels || labels.length === sizeOf(shape),
  "needs one label for each of its numbers",
);

const eventSchema = z.strictObject({
  event: headNameSchema,
  output: name,
  index: z.int().min(0).default(0),
  on: z.number(),
  off: z.number(),
  min_on_s: z.number().min(0).max(3600).default(0),
  min_off_s: z.number().min(0).max(3600).default(0),
}).refine(({ on, off }) => off <= on, "has an off above its on");

/** Schema of `head.json`. */
export const headSpecSchema = z.strictObject({
  input: z.enum(["context", "latent"]),
  channels: z.union([z.literal(1), z.literal(2)]).default(1),
  every: z.int().min(1).max(1000).default(1),
  features: z.string().regex(/^[0-9a-f]{64}$/, "takes the sha256 of a model.safetensors"),
  state: z.array(z.strictObject({ name, shape })).max(64).default([]),
  outputs: z.array(outputSchema).min(1).max(64),
  events: z.array(eventSchema).max(64).default([]),
}).superRefine(({ state, outputs, events }, context) => {
  const issue = (message: string) => context.addIssue({ code: "custom", message });
  for (const [what, list] of [["state", state], ["outputs", outputs]] as const) {
    const names = list.map(({ name }) => name);
    const twice = names.find((one, i) => names.indexOf(one) !== i);
    if (twice !== undefined) issue(`${what} names ${twice} twice`);
  }
  for (const { event, output, index } of events) {
    const source = outputs.find(({ name }) => name === output);
    if (!source) issue(`event ${event} watches the output ${output}, which there is not`);
    else if (index >= sizeOf(source.shape)) {
      issue(
        `event ${event} watches number ${index} of ${output}, which has ${sizeOf(source.shape)}`,
      );
    }
  }
});
/** A checked `head.json`. */
export type HeadSpec = z.infer<typeof headSpecSchema>;
/** One of its events. */
export type EventSpec = HeadSpec["events"][number];

/** A head, as its folder holds it: checked, but not tried yet. */
export interface HeadFile {
  readonly name: string;
  readonly spec: HeadSpec;
  /** `head.onnx` */
  readonly graph: Uint8Array;
  readonly folder: string;
  /** Its state `voice` is what a stream's client enrolled (`speaker.ts`). */
  readonly enrolled?: true;
}

/** Numbers in a tensor of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Numbers of one row: all outputs, one after the other. */
export function rowWidth({ outputs }: Pick<HeadSpec, "outputs">): number {
  return outputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Numbers of one stream's state. */
export function stateFloatsOf({ state }: Pick<HeadSpec, "state">): number {
  return state.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Seconds of audio in a row. */
export function rowSeconds(
  { every }: Pick<HeadSpec, "every">,
  { hopSamples }: { hopSamples: number },
): number {
  return every * hopSamples / MODEL_SAMPLE_RATE;
}

/** When row `row` ends, in seconds of the signal. */
export function rowTime(
  row: number,
  { every, hopSamples }: { every: number; hopSamples: number },
): number {
  return Number(((row + 1) * every * hopSamples / MODEL_SAMPLE_RATE).toFixed(6));
}

/**
 * Parses a `head.json`.
 *
 * @param file its path, for errors
 * @throws {CpcError} `weights_invalid`, naming the member at fault
 */
export function parseHeadSpec(text: string, file: string): HeadSpec {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new CpcError("weights_invalid", `${file} is not JSON: ${(error as Error).message}`);
  }
  const spec = headSpecSchema.safeParse(json);
  if (spec.success) return spec.data;
  throw new CpcError(
    "weights_invalid",
    `${file} is not a head: ${z.prettifyError(spec.error).replaceAll("\n", " ")}`,
  );
}
