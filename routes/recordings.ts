/**
 * Shared by the routes for recordings: their declaration, and the way of a request from its body to
 * its answer, within the memory budget, with timings.
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { endTime, setMetric, startTime, timing } from "hono/timing";
import { LIMITS } from "../config/limits.ts";
import type { PoolModel } from "../inference/models.ts";
import { CpcError } from "../errors.ts";
import { parseOptions } from "../options.ts";
import { type FramedClip, openClips } from "../recordings/clips.ts";
import type { DecodeBudget, DecodeShare } from "../recordings/decode_budget.ts";
import type { Door, Gate } from "../recordings/gate.ts";
import type { MemoryBudget, MemoryShare } from "../recordings/memory_budget.ts";
import { inSpan } from "../tracing.ts";
import { answerStream } from "./answer_stream.ts";
import { readClips } from "./clip_body.ts";
import { endsOf, mustServe, type ServerContext } from "./context.ts";
import { namesOf } from "./request_names.ts";
import { AUDIO_TYPES, binarySchema, clipsJsonSchema, errorAnswers } from "./schemas.ts";

/** Shared by all requests with recordings. */
export interface FileWork {
  readonly budget: MemoryBudget;
  /** Bounds the number of their streams. */
  readonly gate: Gate;
  /** Bounds what is decoded for them. */
  readonly decoded: DecodeBudget;
  /** Bounds the number of files that are checked at once. */
  readonly decoding: Gate;
  /** Bounds the number of threads that score. */
  readonly scoring: Gate;
}

/** Options of a route: the model, and more. */
type OptionsSchema = z.ZodObject<{ model: z.ZodOptional<z.ZodString> }>;

/** A request whose recordings are decoded. */
export interface ClipsRequest<Options> {
  readonly options: Options;
  readonly model: PoolModel;
  readonly clips: readonly FramedClip[];
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  readonly gate: Door;
  readonly threads: Door;
  /** Memory that the request holds until its answer has gone out. */
  readonly memory: MemoryShare;
  /** Its Accept header. */
  readonly accept: string | undefined;
}

/** An answer: an object, or pieces that may be computed while they are sent. */
export type ClipsAnswer =
  & { /** The longest that one of its streams waited. */ readonly queueMs: number }
  & ({ readonly json: object } | {
    readonly mediaType: string;
    readonly pieces: AsyncIterable<Uint8Array>;
    /** Headers beside its type. */
    readonly headers?: Readonly<Record<string, string>>;
  });

/** A route for recordings. */
export interface ClipsRoute<Schema extends OptionsSchema> {
  readonly path: string;
  /** Name of the computation in traces. */
  readonly span: "embed" | "score" | "compare";
  readonly summary: string;
  /** Options, from the query, the form or the JSON body. */
  readonly schema: Schema;
  /** Answers, by media type. */
  readonly answers: Readonly<Record<string, { readonly schema: z.ZodType }>>;
  /** Checks options against a model, before anything is decoded. */
  check?(options: z.infer<Schema>, model: PoolModel, body: { readonly files: number }): void;
  /** Whether the recordings' channels are kept apart; without it, they never are. */
  split?(options: z.infer<Schema>): boolean;
  compute(request: ClipsRequest<z.infer<Schema>>): Promise<ClipsAnswer>;
}

/** Mounts a route and declares it in `/openapi.json`. */
export function mountClips<Schema extends OptionsSchema>(
  app: OpenAPIHono,
  ctx: ServerContext,
  { route, ...work }: FileWork & { route: ClipsRoute<Schema> },
): void {
  const { path, span, summary, schema, answers, check, split, compute } = route;
  const optional = schema.partial().shape;
  app.openAPIRegistry.registerPath({
    method: "post",
    path,
    summary,
    request: {
      query: schema,
      body: {
        content: {
          ...Object.fromEntries(AUDIO_TYPES.map((type) => [type, { schema: binarySchema }])),
          "multipart/form-data": {
            schema: z.object({ file: z.array(binarySchema).min(1) }).extend(optional),
          },
          "application/json": { schema: clipsJsonSchema.extend(optional) },
        },
      },
    },
    responses: {
      200: { description: "the answer", content: answers },
      ...errorAnswers(400, 401, 403, 404, 408, 413, 415, 422, 429, 503),
    },
  });
  app.post(path, clipsTiming(), (c) =>
    answerClips(c, ctx, {
      work,
      span,
      async read({ decoding, ...how }) {
        const { files, options: given } = await readClips(c, how);
        const options = parseOptions(schema, given);
        const model = ctx.pool.model(options.model);
        check?.(options, model, { files: files.length });
        const clips = await openClips(files, {
          ...how,
          model,
          split: split?.(options),
          gate: decoding,
        });
        return { options, model, clips };
      },
      compute,
    }));
}

/** The timings of a request with recordings. */
export function clipsTiming() {
  return timing({ total: false, enabled: (c) => c.res.ok });
}

/** What a request is read with. */
export interface ClipsReading {
  /** Accounts for what is kept of the body. */
  readonly memory: MemoryShare;
  /** Counts the audio. */
  readonly decoded: DecodeShare;
  readonly decoding: Door;
  /** Longest pause of the sender. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

/**
 * Answers a request with recordings: within the memory and the audio of all requests and of its
 * key, in turns with others, until its deadline.
 *
 * @param how `read`: its recordings and options; `compute`: its answer, in a span named `span`
 */
export async function answerClips<Options>(
  c: Context,
  ctx: ServerContext,
  { work: { budget, gate, decoded, decoding, scoring }, span, read, compute }: {
    work: FileWork;
    span: ClipsRoute<OptionsSchema>["span"];
    read(
      reading: ClipsReading,
    ): Promise<Pick<ClipsRequest<Options>, "options" | "model" | "clips">>;
    compute(request: ClipsRequest<Options>): Promise<ClipsAnswer>;
  },
): Promise<Response> {
  mustServe(ctx);
  // without keys, clients take turns by address
  const owner = c.get("owner") ?? endsOf(c).remoteAddress ?? "";
  const memory = budget.share(owner);
  const share = decoded.share(owner);
  const { signal, clear } = endOf(c.req.raw.signal, ctx.config.requestTimeoutS);
  const end = () => {
    memory.giveBack();
    share.giveBack();
    clear();
  };
  let isStreaming = false;
  try {
    const beganMs = performance.now();
    startTime(c, "decode");
    const request = await inSpan("decode", async (span) => {
      const request = await read({
        memory,
        decoded: share,
        decoding: decoding.door(owner),
        stallMs: ctx.config.slowReaderTimeoutS * 1000,
        signal,
      });
      span.setAttributes(sizeOf(request));
      return request;
    });
    endTime(c, "decode");
    ctx.metrics.decoded((performance.now() - beganMs) / 1000);
    const startedMs = performance.now();
    const asked = {
      ...request,
      signal,
      gate: gate.door(owner),
      threads: scoring.door(owner),
      memory,
      accept: c.req.header("accept"),
    };
    const answer = await inSpan(span, () => compute(asked), { attributes: sizeOf(request) });
    setMetric(c, "queue", answer.queueMs);
    setMetric(c, "model", performance.now() - startedMs - answer.queueMs);
    ctx.metrics.audioReceived(sumOf(request, "seconds"), c.get("owner") ?? "");
    ctx.metrics.usage.add(c.get("owner") ?? "", "frames", sumOf(request, "frames"));
    if ("json" in answer) return c.json(answer.json, 200);
    isStreaming = true;
    return streamed(c, ctx, { ...answer, signal, end });
  } finally {
    if (!isStreaming) end();
  }
}

type Clips = Pick<ClipsRequest<unknown>, "model" | "clips">;

function sumOf({ clips }: Clips, name: "seconds" | "frames"): number {
  return clips.reduce((sum, clip) => sum + clip[name], 0);
}

/** What spans say of a request's recordings. */
function sizeOf(request: Clips) {
  return {
    "cpc.model": request.model.weights.id,
    "cpc.clips": request.clips.length,
    "cpc.audio_seconds": sumOf(request, "seconds"),
    "cpc.frames": sumOf(request, "frames"),
  };
}

/**
 * Aborts when a request has taken too long or its client is gone, with an error in either case:
 * the adaptor's reason is a string, which no error handler would see.
 */
function endOf(gone: AbortSignal, seconds: number): { signal: AbortSignal; clear: () => void } {
  const controller = new AbortController();
  const leave = () => controller.abort(new Error("the client is gone", { cause: gone.reason }));
  if (gone.aborted) leave();
  gone.addEventListener("abort", leave, { once: true });
  const timer = setTimeout(() => {
    const why = `the request took longer than ${seconds} s (--request-timeout)`;
    controller.abort(new CpcError("overloaded", why));
  }, seconds * 1000);
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer);
      gone.removeEventListener("abort", leave);
    },
  };
}

/** An answer in pieces. The request's memory is released when the last has gone out. */
function streamed(
  c: Context,
  { config, log }: ServerContext,
  { mediaType, pieces, headers, signal, end }: {
    mediaType: string;
    pieces: AsyncIterable<Uint8Array>;
    headers?: Readonly<Record<string, string>>;
    signal: AbortSignal;
    end: () => void;
  },
): Response {
  const body = answerStream(pieces, {
    stallMs: config.slowReaderTimeoutS * 1000,
    bytesPerS: LIMITS.leastBytesPerSecond,
    signal,
    onEnd(error) {
      end();
      if (error && !c.req.raw.signal.aborted) {
        log.error("answer broke off", { ...namesOf(c), error: String(error) });
      }
    },
  });
  return c.body(body, 200, { "Content-Type": mediaType, ...headers });
}
