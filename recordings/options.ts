/** What may be asked of recordings, and how a mistake in it is told. */
import { z } from "@hono/zod-openapi";
import { CpcError } from "../errors.ts";

/** What a recording can be turned into. */
export const FILE_OUTPUTS = ["context", "latent", "prediction"] as const;
/** One of {@linkcode FILE_OUTPUTS}. */
export type FileOutput = typeof FILE_OUTPUTS[number];
/** How frames become one vector. */
export const POOLS = ["none", "mean", "max", "last"] as const;
/** How answers are written. */
export const FORMATS = ["json", "npy", "npz"] as const;
/** One of {@linkcode FORMATS}. */
export type Format = typeof FORMATS[number];

const list = <T extends z.ZodType>(item: T) =>
  z.preprocess(
    (value) =>
      typeof value === "string" ? value.split(",") : typeof value === "number" ? [value] : value,
    z.array(item).min(1).refine(
      (values) => new Set(values).size === values.length,
      "names one twice",
    ),
  );

/** A number in JSON, or its digits in a query or form. */
const wholeNumber = <T extends z.ZodType>(schema: T) =>
  z.preprocess(
    (value) => typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value,
    schema,
  );

/** Options of `POST /v1/embeddings`, wherever they stand: query, form fields or JSON members. */
export const embeddingOptionsSchema = z.strictObject({
  model: z.string().min(1).max(200).optional().openapi({
    description: "id of a loaded model; default: the first",
  }),
  output: list(z.enum(FILE_OUTPUTS)).default(["context"]).openapi({
    type: "string",
    example: "context,latent",
  }),
  pool: z.enum(POOLS).default("none"),
  steps: list(wholeNumber(z.int().min(1).max(128))).optional().openapi({
    type: "string",
    example: "1,2,12",
  }),
  format: z.enum(FORMATS).optional().openapi({
    description: "default: by the Accept header, else json",
  }),
}).openapi("EmbeddingOptions");
/** Parsed {@linkcode embeddingOptionsSchema}. */
export type EmbeddingOptions = z.infer<typeof embeddingOptionsSchema>;

/**
 * Parses options.
 *
 * @throws {CpcError} `invalid_option`, naming the option
 */
export function parseOptions<T extends z.ZodType>(
  schema: T,
  options: Record<string, unknown>,
): z.infer<T> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  throw optionError(parsed.error, options);
}

/** What zod found, as an error that names the option. */
export function optionError(error: z.ZodError, options: Record<string, unknown>): CpcError {
  const issue = error.issues[0];
  if (issue.code === "unrecognized_keys") {
    return new CpcError("invalid_option", `unknown option ${issue.keys[0]}`, {
      param: issue.keys[0],
    });
  }
  const name = String(issue.path[0] ?? "body");
  const given = JSON.stringify(options[name])?.slice(0, 80) ?? "nothing";
  return new CpcError("invalid_option", `option ${name}: ${issue.message}, got ${given}`, {
    param: name,
  });
}
