/**
 * The Open Inference Protocol, version 2, with Triton's extensions for binary data and model
 * configuration: what KServe's and Triton's tools speak. See docs/open-inference.md.
 */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { PoolModel } from "../inference/models.ts";
import { isHead } from "../inference/want.ts";
import { CpcError } from "../errors.ts";
import { parseOptions } from "../options.ts";
import { embedClips } from "../recordings/embed_clips.ts";
import {
  checkEmbedding,
  embeddingOptionsSchema,
  FILE_OUTPUTS,
  type FileOutput,
} from "../recordings/embed_options.ts";
import { sampleClips } from "../recordings/sample_clips.ts";
import { binaryTensors, jsonTensors } from "../recordings/tensor_answer.ts";
import { mustBeReady, type ServerContext } from "./context.ts";
import { answerClips, clipsTiming, type FileWork } from "./recordings.ts";
import { binarySchema, inferErrors } from "./schemas.ts";
import { HEAD_LENGTH, type InferHead, inferSchema, readTensors } from "./tensor_body.ts";

/** The only version that a model has. */
const MODEL_VERSION = "1";
const EXTENSIONS = ["binary_tensor_data", "model_configuration"];

const json = <Schema extends z.ZodType>(schema: Schema) => ({
  200: { description: "the answer", content: { "application/json": { schema } } },
});
const tensorSchema = z.object({
  name: z.string(),
  datatype: z.literal("FP32"),
  shape: z.array(z.int()),
});
const modelSchema = z.object({
  name: z.string(),
  versions: z.array(z.string()),
  platform: z.string(),
  inputs: z.array(tensorSchema),
  outputs: z.array(tensorSchema),
}).openapi("InferModel");
const answerSchema = z.object({
  model_name: z.string(),
  model_version: z.string(),
  id: z.string().optional(),
  outputs: z.array(tensorSchema.extend({ data: z.array(z.number()).optional() })),
}).openapi("InferResponse");
const optionsSchema = embeddingOptionsSchema.pick({ output: true, pool: true, steps: true });
const parametersSchema = optionsSchema.omit({ output: true })
  .extend({ binary_data_output: z.boolean().optional() });

/** Mounts the protocol's routes. */
export function mountOpenInference(
  app: OpenAPIHono,
  ctx: ServerContext,
  { work, version }: { work: FileWork; version: string },
): void {
  mountServer(app, ctx, version);
  for (const path of ["/v2/models/{model}", "/v2/models/{model}/versions/{version}"] as const) {
    mountModel(app, ctx, path);
    mountInfer(app, ctx, { work, path: `${path}/infer` });
  }
}

function mountServer(app: OpenAPIHono, ctx: ServerContext, version: string): void {
  const about = z.object({
    name: z.string(),
    version: z.string(),
    extensions: z.array(z.string()),
  });
  app.openapi(
    createRoute({
      method: "get",
      path: "/v2",
      summary: "The server, to tools of the Open Inference Protocol",
      responses: { ...json(about), ...inferErrors(401, 429) },
    }),
    (c) => c.json({ name: "cpc-stream", version, extensions: EXTENSIONS }, 200),
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v2/health/live",
      summary: "Alive?",
      responses: { ...json(z.object({ live: z.boolean() })), ...inferErrors() },
    }),
    (c) => c.json({ live: true }, 200),
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v2/health/ready",
      summary: "Ready?",
      responses: { ...json(z.object({ ready: z.boolean() })), ...inferErrors(503) },
    }),
    (c) => {
      mustBeReady(ctx);
      return c.json({ ready: true }, 200);
    },
  );
}

function mountModel(
  app: OpenAPIHono,
  ctx: ServerContext,
  path: "/v2/models/{model}" | "/v2/models/{model}/versions/{version}",
): void {
  const request = { params: paramsOf(path) };
  const modelOf = (params: Params) => modelAsked(ctx, params);
  app.openapi(
    createRoute({
      method: "get",
      path,
      summary: "A model's tensors",
      request,
      responses: { ...json(modelSchema), ...inferErrors(401, 404, 429) },
    }),
    (c) => c.json(metadataOf(modelOf(c.req.param())), 200),
  );
  app.openapi(
    createRoute({
      method: "get",
      path: `${path}/ready`,
      summary: "Is a model ready?",
      request,
      responses: {
        ...json(z.object({ name: z.string(), ready: z.boolean() })),
        ...inferErrors(401, 404, 429, 503),
      },
    }),
    (c) => {
      mustBeReady(ctx);
      return c.json({ name: modelOf(c.req.param()).weights.id, ready: true }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: `${path}/config`,
      summary: "A model's configuration, as Triton has it",
      request,
      responses: { ...json(z.looseObject({})), ...inferErrors(401, 404, 429) },
    }),
    (c) => c.json(configurationOf(modelOf(c.req.param())), 200),
  );
}

function mountInfer(
  app: OpenAPIHono,
  ctx: ServerContext,
  { work, path }: {
    work: FileWork;
    path:
      | "/v2/models/{model}/infer"
      | "/v2/models/{model}/versions/{version}/infer";
  },
): void {
  app.openAPIRegistry.registerPath({
    method: "post",
    path,
    summary: "Features of a batch of samples",
    request: {
      params: paramsOf(path),
      body: {
        content: {
          "application/json": { schema: inferSchema },
          "application/octet-stream": { schema: binarySchema },
        },
      },
    },
    responses: {
      200: {
        description: "the tensors",
        content: {
          "application/json": { schema: answerSchema },
          "application/octet-stream": { schema: binarySchema },
        },
      },
      ...inferErrors(400, 401, 403, 404, 408, 413, 422, 429, 503),
    },
  });
  app.post(path.replaceAll(/\{(\w+)\}/g, ":$1"), clipsTiming(), (c) => {
    const model = modelAsked(ctx, c.req.param() as Params);
    return answerClips(c, ctx, {
      work,
      span: "embed",
      async read({ decoded, ...how }) {
        const { head, samples } = await readTensors(c, how);
        const options = optionsOf(head);
        checkEmbedding(options, model);
        const [{ shape: [rows] }] = head.inputs;
        const clips = sampleClips(samples, { rows, model });
        const seconds = clips.reduce((sum, clip) => sum + clip.seconds, 0);
        decoded.take({ seconds, samples: samples.length });
        return { options: { ...options, head }, model, clips };
      },
      async compute({ options, clips, ...request }) {
        const { embedded, queueMs } = await embedClips(ctx.pool, clips, { ...options, ...request });
        const { id } = options.head;
        const named = { model: model.weights.id, version: MODEL_VERSION, id };
        const outputs = options.output;
        if (!options.binary) {
          const pieces = jsonTensors(embedded, { ...named, outputs });
          return { queueMs, mediaType: "application/json", pieces };
        }
        const { headBytes, bytes, pieces } = binaryTensors(embedded, { ...named, outputs });
        const headers = { [HEAD_LENGTH]: String(headBytes), "Content-Length": String(bytes) };
        return { queueMs, mediaType: "application/octet-stream", pieces, headers };
      },
    });
  });
}

interface Params {
  readonly model: string;
  readonly version?: string;
}

function paramsOf(path: string) {
  const model = z.string();
  const version = z.string().openapi({ example: MODEL_VERSION });
  return path.includes("{version}") ? z.object({ model, version }) : z.object({ model });
}

/** @throws {CpcError} `model_not_found`, for another version too */
function modelAsked({ pool }: ServerContext, { model, version }: Params): PoolModel {
  const found = pool.model(model);
  if (version === undefined || version === MODEL_VERSION) return found;
  const why = `model ${model} has version ${MODEL_VERSION} alone, not ${version}`;
  throw new CpcError("model_not_found", why, { param: "version" });
}

/**
 * What a request asks for.
 *
 * @throws {CpcError} `invalid_option`
 */
function optionsOf({ parameters = {}, outputs }: InferHead) {
  const { binary_data_output: all = false, ...given } = parseOptions(parametersSchema, parameters);
  const { output, ...options } = parseOptions(optionsSchema, {
    ...given,
    output: outputs?.map(({ name }) => name),
  });
  const binary = (outputs ?? [{ parameters: undefined }])
    .map(({ parameters }) => parameters?.binary_data ?? all);
  if (binary.some((one) => one !== binary[0])) {
    const why = "outputs come as binary data or as JSON, all of them alike";
    throw new CpcError("invalid_option", why, { param: "outputs" });
  }
  const head = output.find(isHead);
  if (head !== undefined) {
    const why = `${head} has rows, no tensor: ask for it by POST /v1/embeddings`;
    throw new CpcError("invalid_option", why, { param: "outputs" });
  }
  return { ...options, output, binary: binary[0] ?? all };
}

function metadataOf({ weights, layout: { dims } }: PoolModel): z.infer<typeof modelSchema> {
  const shapes: Record<FileOutput, number[]> = {
    context: [dims.context],
    latent: [dims.latent],
    prediction: [dims.steps, dims.latent],
  };
  const tensor = (name: string, shape: number[]) => ({ name, datatype: "FP32" as const, shape });
  return {
    name: weights.id,
    versions: [MODEL_VERSION],
    platform: "cpc-stream",
    inputs: [tensor("audio", [-1, -1])], // recordings, samples
    outputs: FILE_OUTPUTS.filter((output) => output !== "prediction" || dims.steps > 0)
      .map((output) => tensor(output, [-1, -1, ...shapes[output]])), // recordings, frames
  };
}

/** The batch is the first dimension of every tensor, which Triton calls a batch size of 0. */
function configurationOf(model: PoolModel) {
  const { name, platform, inputs, outputs } = metadataOf(model);
  const described = ({ name, shape }: z.infer<typeof tensorSchema>) => ({
    name,
    data_type: "TYPE_FP32",
    dims: shape,
  });
  return {
    name,
    platform,
    max_batch_size: 0,
    input: inputs.map(described),
    output: outputs.map(described),
  };
}
