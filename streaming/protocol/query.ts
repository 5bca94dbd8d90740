/** Parses the query of a stream into a configuration. */
import { z } from "zod";
import { MAX_STREAM_CHANNELS } from "../../audio/pcm.ts";
import { isOpus, OPUS_RATES, STREAM_ENCODINGS } from "../../audio/stream_encodings.ts";
import { CpcError } from "../../errors.ts";
import { allSteps } from "../../inference/want.ts";
import type { HeadFile } from "../../model/heads/spec.ts";
import type { Dims } from "../../model/weights.ts";
import { addOption, modelOption, oneOption, parseOptions, wholeNumber } from "../../options.ts";
import { outputList, type Selection, selection, stepList } from "./selection.ts";

const commaList = z.string().transform((text): unknown[] => text.split(","));

/** The query of `GET /v1/stream`. */
export const streamQuerySchema = z.strictObject({
  model: modelOption,
  encoding: z.enum(STREAM_ENCODINGS).optional(),
  sample_rate: wholeNumber(8_000, 96_000).optional(),
  channels: wholeNumber(1, MAX_STREAM_CHANNELS).optional(),
  channel: wholeNumber(0, MAX_STREAM_CHANNELS - 1).optional(),
  split: oneOption,
  output: commaList.pipe(outputList).optional(),
  steps: commaList.pipe(z.array(wholeNumber(1, 128))).pipe(stepList).optional(),
  every: wholeNumber(1, 1_000_000).optional(),
  format: z.enum(["json", "binary"]).optional(),
  dtype: z.enum(["f32", "f16"]).optional(),
  resume: z.string().min(1).optional(),
  received: wholeNumber(0, 999_999_999).optional(),
});
/** A parsed query, without defaults. */
export type StreamQuery = z.infer<typeof streamQuerySchema>;

/**
 * Parses the query of a stream.
 *
 * @throws {CpcError} `invalid_option`, naming the option, for an unknown name, a bad value, one
 *   given twice or options that contradict each other
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseStreamQuery } from "./query.ts";
 *
 * const query = parseStreamQuery(new URLSearchParams("sample_rate=48000&output=context,score"));
 * assert.deepEqual(query, { sample_rate: 48_000, output: ["context", "score"] });
 * ```
 */
export function parseStreamQuery(params: URLSearchParams): StreamQuery {
  const given: Record<string, unknown> = {};
  for (const [name, value] of params) addOption(given, name, value);
  const query = parseOptions(streamQuerySchema, given);
  const { resume, received } = query;
  if ((resume === undefined) !== (received === undefined)) {
    const [has, lacks] = resume === undefined ? ["received", "resume"] : ["resume", "received"];
    throw new CpcError("invalid_option", `option ${has} requires ${lacks}`, {
      param: lacks,
    });
  }
  return query;
}

/** A stream's configuration in force. */
export interface StreamConfig extends Selection {
  readonly model: string;
  readonly encoding: typeof STREAM_ENCODINGS[number];
  /** The client's, in Hz. */
  readonly sample_rate: number;
  readonly channels: number;
  readonly channel?: number;
  /** Every channel is a stream of the model, in step with the others. */
  readonly split?: 1;
  readonly format: "json" | "binary";
  readonly dtype: "f32" | "f16";
}

/** Streams of the model that a configuration takes: what it counts as. */
export function modelStreams(
  { channels, split }: Pick<StreamConfig, "channels" | "split">,
): number {
  return split ? channels : 1;
}

/**
 * The configuration that a query asks for, with defaults.
 *
 * @throws {CpcError} `invalid_option` for something that the model lacks, or options that
 *   contradict each other
 */
export function streamConfig(
  query: StreamQuery,
  { model, dims, heads }: { model: string; dims: Dims; heads?: readonly HeadFile[] },
): StreamConfig {
  const channels = query.channels ?? 1;
  if (query.channel !== undefined && query.channel >= channels) {
    throw new CpcError(
      "invalid_option",
      `option channel must be 0 to ${channels - 1} with channels=${channels}, got ${query.channel}`,
      {
        param: "channel",
      },
    );
  }
  if (query.split && channels === 1) {
    const why = "option split=1 requires channels=2 or more: one channel is a stream already";
    throw new CpcError("invalid_option", `${why}, got channels=1`, { param: "split" });
  }
  if (query.split && query.channel !== undefined) {
    const why = "option split=1 takes every channel; leave out channel, or split";
    throw new CpcError("invalid_option", `${why}, got channel=${query.channel}`, {
      param: "split",
    });
  }
  checkOpus(query, channels);
  const format = query.format ?? "json";
  if (query.dtype === "f16" && format !== "binary") {
    throw new CpcError("invalid_option", "option dtype=f16 requires format=binary", {
      param: "dtype",
    });
  }
  return {
    model,
    encoding: query.encoding ?? "s16le",
    sample_rate: query.sample_rate ?? 16_000,
    channels,
    ...(query.channel === undefined ? {} : { channel: query.channel }),
    ...(query.split && { split: query.split }),
    ...selection(query, { output: ["context"], steps: allSteps(dims), every: 1 }, {
      model,
      dims,
      heads,
      channels: modelStreams({ channels, split: query.split }),
    }),
    format,
    dtype: query.dtype ?? "f32",
  };
}

/** What Opus can be: its own rates, and two channels in one packet at the most. */
function checkOpus(
  { encoding = "s16le", sample_rate: rate = 16_000 }: StreamQuery,
  channels: number,
) {
  if (!isOpus(encoding)) return;
  if (!OPUS_RATES.includes(rate)) {
    const rates = `one of ${OPUS_RATES.join(", ")}: it is the clock of samples`;
    const why = `option sample_rate must be ${rates} with encoding=${encoding}, got ${rate}`;
    throw new CpcError("invalid_option", why, { param: "sample_rate" });
  }
  if (encoding === "opus" && channels > 2) {
    const why = `option channels must be 1 or 2 with encoding=opus, got ${channels}`;
    throw new CpcError("invalid_option", why, { param: "channels" });
  }
}
