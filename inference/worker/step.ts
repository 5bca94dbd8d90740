/** One step: audio and states of its streams in, new states and wanted rows out. */
import { CpcError } from "../../errors.ts";
import type { Engine, StepOutput } from "../../model/engine.ts";
import type { StepResult } from "../messages.ts";
import type { StepFrames } from "./hop_queue.ts";
import { RowPacker } from "./row_packer.ts";
import type { Batch } from "./scheduler.ts";
import type { WorkerStream } from "./worker_stream.ts";

/** The result of a step. */
export interface Step {
  /** Results of the streams that did not fail, and their rows; undefined if the engine failed. */
  readonly taken?: { readonly results: StepResult[]; readonly data: Float32Array };
  readonly failures: ReadonlyMap<WorkerStream, CpcError>;
}

/** Takes a step for streams of one engine. It commits state only for those that do not fail. */
export async function takeStep({ hops, streams }: Batch<WorkerStream>): Promise<Step> {
  const [{ engine }] = streams;
  const failures = new Map<WorkerStream, CpcError>();
  const { input, frames } = gather(engine, { hops, streams });
  try {
    const output = await engine.step(input);
    const taken = await commit(engine, { streams, frames, output, failures });
    return { taken, failures };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    for (const stream of streams) {
      if (failures.has(stream)) continue;
      const message = `the model failed on this step: ${reason}`;
      failures.set(stream, new CpcError("model_failed", message, { cause }));
    }
    return { failures };
  }
}

/** Takes the streams' hops and copies their states. */
function gather(engine: Engine, { hops, streams }: Batch<WorkerStream>) {
  const { plan, stateFloats } = engine.layout;
  const B = streams.length;
  const samples = new Float32Array(B * hops * plan.hopSamples); // [B, T · hop]
  const state = new Float32Array(B * stateFloats); // [B, S]
  // [B, T · rowsPerHop] each
  const masks = plan.convs.map((conv) => new Float32Array(B * hops * conv.rowsPerHop));
  const frames = streams.map((stream, b) => {
    state.set(stream.state, b * stateFloats);
    return stream.queue.take(hops, {
      samples: row(samples, b, B),
      masks: masks.map((mask) => row(mask, b, B)),
    });
  });
  return { input: { streams: B, hops, samples, state, masks }, frames };
}

/** Commits the new states and returns the wanted rows; notes streams that fail alone. */
async function commit(
  engine: Engine,
  { streams, frames, output, failures }: {
    streams: readonly WorkerStream[];
    frames: readonly StepFrames[];
    output: StepOutput;
    failures: Map<WorkerStream, CpcError>;
  },
): Promise<{ results: StepResult[]; data: Float32Array }> {
  const B = streams.length;
  const packer = new RowPacker(engine, streams[0].step);
  const results: StepResult[] = [];
  for (const [b, stream] of streams.entries()) {
    const { first, skip, count } = frames[b];
    const [state, latent] = [row(output.state, b, B), row(output.latent, b, B)];
    try {
      if (!allFinite(state) || !allFinite(latent)) throw overflowed();
      stream.state.set(state);
      stream.keepScore({ first });
    } catch (thrown) {
      if (!(thrown instanceof CpcError)) throw thrown;
      failures.set(stream, thrown);
      continue;
    }
    const rows = stream.wantedRows({ first, count });
    const place = packer.add({
      want: stream.want,
      score: stream.score,
      frames: { first, skip, count },
      rows: rows.map((f) => skip + f - first),
      latent,
      context: row(output.context, b, B),
      hidden: row(output.hidden, b, B),
    });
    results.push({
      lease: stream.lease,
      hopsTaken: stream.queue.hopsTaken,
      first: rows[0] ?? first,
      count: rows.length,
      frames: stream.queue.frames,
      want: stream.want,
      ...place,
      checkpoint: stream.checkpoint(),
    });
  }
  return { results, data: await packer.pack() };
}

function overflowed(): CpcError {
  return new CpcError(
    "invalid_audio",
    "the samples are so large that the model overflowed; send floats near ±1",
  );
}

/** Row b of a `[B, …]` array. */
function row(data: Float32Array, b: number, B: number): Float32Array {
  const width = data.length / B;
  return data.subarray(b * width, (b + 1) * width);
}

function allFinite(data: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i] * 0; // NaN as soon as one is not finite
  return sum === 0;
}
