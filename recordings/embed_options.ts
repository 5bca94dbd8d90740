/** Options of `POST /v1/embeddings` and of `deno task embed`. */
import { z } from "zod";
import { wholeNumber } from "../options.ts";

/** Outputs for a recording. */
export const FILE_OUTPUTS = ["context", "latent", "prediction"] as const;
/** One of {@linkcode FILE_OUTPUTS}. */
export type FileOutput = typeof FILE_OUTPUTS[number];
/** How frames become one vector. */
export const POOLS = ["none", "mean", "max", "last"] as const;
/** Formats of answers. */
export const FORMATS = ["json", "npy", "npz"] as const;
/** One of {@linkcode FORMATS}. */
export type Format = typeof FORMATS[number];

/** A list in JSON, or with commas in a query or form. */
const list = <T extends z.ZodType>(item: T) =>
  z.preprocess(
    (value) =>
      typeof value === "string" ? value.split(",") : typeof value === "number" ? [value] : value,
    z.array(item).min(1).refine(
      (values) => new Set(values).size === values.length,
      "names one twice",
    ),
  );

/** The options, as query, form fields or JSON members. */
export const embeddingOptionsSchema = z.strictObject({
  model: z.string().min(1).max(200).optional().meta({
    description: "id of a loaded model; default: the first",
  }),
  output: list(z.enum(FILE_OUTPUTS)).default(["context"]).meta({
    type: "string",
    example: "context,latent",
  }),
  pool: z.enum(POOLS).default("none"),
  steps: list(wholeNumber(1, 128)).optional().meta({ type: "string", example: "1,2,12" }),
  format: z.enum(FORMATS).optional().meta({
    description: "default: by the Accept header, else json",
  }),
}).meta({ id: "EmbeddingOptions" });
/** Parsed {@linkcode embeddingOptionsSchema}. */
export type EmbeddingOptions = z.infer<typeof embeddingOptionsSchema>;
