/** `GET /v1/models` and `/v1/models/{id}`. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { minimumSamples, MODEL_SAMPLE_RATE, type ModelConfig } from "../model/architecture.ts";
import { type HeadFile, stateFloatsOf } from "../model/heads/spec.ts";
import { parameterCount } from "../model/weights.ts";
import type { PoolModel } from "../inference/models.ts";
import type { Precision } from "../model/engine.ts";
import type { EnginePool } from "../inference/pool.ts";
import { errorAnswers, modelSchema, modelsSchema } from "./schemas.ts";
import { type WeightsConfig, weightsRoute } from "./weights.ts";

/** Mounts the routes. */
export function mountModels(
  app: OpenAPIHono,
  { pool, config }: { pool: EnginePool; config: WeightsConfig },
): void {
  const costs = ({ weights: { id } }: PoolModel) => ({
    precision: pool.precision,
    rowSeconds: pool.secondsPerRow(id),
    weights: weightsRoute(id, config),
  });
  const list = createRoute({
    method: "get",
    path: "/v1/models",
    summary: "The loaded models; the first is the default",
    responses: {
      200: { description: "the models", content: { "application/json": { schema: modelsSchema } } },
      ...errorAnswers(401, 429),
    },
  });
  app.openapi(
    list,
    (c) =>
      c.json({
        object: "list" as const,
        data: [...pool.models.values()].map((model) => describe(model, costs(model))),
      }, 200),
  );
  const one = createRoute({
    method: "get",
    path: "/v1/models/{id}",
    summary: "One model",
    request: { params: z.object({ id: z.string() }) },
    responses: {
      200: { description: "the model", content: { "application/json": { schema: modelSchema } } },
      ...errorAnswers(401, 404, 429),
    },
  });
  app.openapi(one, (c) => {
    const model = pool.model(c.req.valid("param").id);
    return c.json(describe(model, costs(model)), 200);
  });
}

function describe(
  { weights, layout, reversed }: PoolModel,
  { precision, rowSeconds, weights: folder }: {
    precision: Precision;
    rowSeconds: Readonly<Record<string, number>>;
    weights?: string;
  },
): z.infer<typeof modelSchema> {
  const { plan, dims, stateFloats } = layout;
  return {
    id: weights.id,
    object: "model",
    architecture: architecture(weights.config),
    dims: { ...dims },
    sample_rate: MODEL_SAMPLE_RATE,
    frame_rate: MODEL_SAMPLE_RATE / plan.hopSamples,
    hop: plan.hopSamples,
    receptive_field: plan.receptiveFieldSamples,
    lookahead: plan.lookaheadSamples,
    minimum_samples: minimumSamples(weights.config),
    ...weights.config.reverse &&
      { reverse: describeReverse(weights.config.reverse, reversed !== undefined) },
    parameters: parameterCount(weights),
    precision,
    state_bytes: stateFloats * 4,
    ...(folder !== undefined && { weights: folder }),
    heads: (weights.heads ?? []).map((head) =>
      describeHead(head, { ...plan, rowSeconds: rowSeconds[head.name] })
    ),
    ...weights.card,
  };
}

function describeHead(
  { name, enrolled, spec: { input, channels, every, outputs, events, state } }: HeadFile,
  { hopSamples, rowSeconds }: { hopSamples: number; rowSeconds?: number },
) {
  return {
    name,
    input,
    channels,
    every,
    rate: MODEL_SAMPLE_RATE / hopSamples / every,
    outputs: outputs.map(({ name, shape, labels }) => ({ name, shape, ...labels && { labels } })),
    events: events.map(({ event }) => event),
    ...(rowSeconds !== undefined && { row_us: Number((rowSeconds * 1e6).toPrecision(3)) }),
    ...(enrolled && { voice: true as const }),
    state_bytes: stateFloatsOf({ state }) * 4,
  };
}

function describeReverse(
  { context, predictors }: NonNullable<ModelConfig["reverse"]>,
  scored: boolean,
) {
  return {
    context: context.hidden,
    steps: predictors?.steps ?? 0,
    scored,
    streamed: false as const,
  };
}

/** For example `conv 512 (10/5 8/4 4/2 4/2 4/2, batch norm) · GRU 256 · 12 linear predictors`. */
function architecture({ encoder, context, predictors, reverse }: ModelConfig): string {
  const widths = [...new Set(encoder.map(({ channels }) => channels))].join("-");
  const norms = [...new Set(encoder.map(({ norm }) => norm))].join("/");
  const blocks = encoder.reduce((sum, { residual_blocks }) => sum + residual_blocks, 0);
  const convs = encoder.map(({ kernel, stride }) => `${kernel}/${stride}`).join(" ");
  return [
    `conv ${widths} (${convs}, ${norms === "none" ? "no" : norms} norm${
      blocks ? `, ${blocks} residual blocks` : ""
    })`,
    `${context.type.toUpperCase()} ${context.hidden}${
      context.layers > 1 ? ` × ${context.layers}` : ""
    }`,
    predictors ? `${predictors.steps} linear predictors` : "no predictors",
    ...(reverse ? ["reversed context network (not streamed)"] : []),
  ].join(" · ");
}
