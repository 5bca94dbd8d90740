/** One step: audio and states of its streams in, new states and wanted rows out. */
import { CpcError } from "../../errors.ts";
import type { Engine, StepInput, StepOutput } from "../../model/engine.ts";
import type { StepResult } from "../messages.ts";
import type { StepFrames } from "./hop_queue.ts";
import { row, stepEach } from "./row_by_row.ts";
import { type Packed, RowPacker } from "./row_packer.ts";
import type { Batch } from "./scheduler.ts";
import type { WorkerStream } from "./worker_stream.ts";

/** The result of a step. */
export interface Step {
  /** Of each stream that did not fail, and their rows; undefined when all failed. */
  readonly taken?: { readonly results: StepResult[]; readonly data: Float32Array };
  readonly failures: ReadonlyMap<WorkerStream, CpcError>;
  /** Why the step was taken again, stream by stream, if it was. */
  readonly retried?: string;
}

/**
 * Takes a step of streams of one engine. If the engine fails, each stream takes it by itself, and
 * only those fail that fail then. State is committed only for the others.
 */
export async function takeStep({ hops, streams }: Batch<WorkerStream>): Promise<Step> {
  const [{ engine }] = streams;
  const failures = new Map<WorkerStream, CpcError>();
  const { input, frames } = gather(engine, { hops, streams });
  try {
    const { output, failed, ...step } = await compute(engine, input);
    for (const [b, cause] of failed) failures.set(streams[b], modelFailed(cause));
    if (failures.size === streams.length) return { failures, retried: reasonOf(step.retried) };
    const { packed, ...taken } = await commit(engine, { streams, frames, output, failures });
    const retried = step.retried ?? packed.retried;
    return { taken, failures, retried: retried === undefined ? undefined : reasonOf(retried) };
  } catch (cause) {
    for (const stream of streams) {
      if (!failures.has(stream)) failures.set(stream, modelFailed(cause));
    }
    return { failures };
  }
}

/** Steps all streams together; one by one if that fails. */
async function compute(
  engine: Engine,
  input: StepInput,
): Promise<Awaited<ReturnType<typeof stepEach>> & { retried?: unknown }> {
  try {
    return { output: await engine.step(input), failed: new Map() };
  } catch (retried) {
    return { ...await stepEach(engine, input), retried };
  }
}

function modelFailed(cause: unknown): CpcError {
  const message = `the model failed on this step: ${reasonOf(cause)}`;
  return new CpcError("model_failed", message, { cause });
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Takes the streams' hops, and copies their states. */
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

/** Commits the new states and gives the wanted rows; notes further streams that fail alone. */
async function commit(
  engine: Engine,
  { streams, frames, output, failures }: {
    streams: readonly WorkerStream[];
    frames: readonly StepFrames[];
    output: StepOutput;
    failures: Map<WorkerStream, CpcError>;
  },
): Promise<{ results: StepResult[]; data: Float32Array; packed: Packed }> {
  const B = streams.length;
  const packer = new RowPacker(engine, streams[0].step);
  const results: StepResult[] = [];
  const added: WorkerStream[] = [];
  for (const [b, stream] of streams.entries()) {
    if (failures.has(stream)) continue;
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
    added.push(stream);
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
  const packed = await packer.pack();
  for (const [i, cause] of packed.failures) failures.set(added[i], modelFailed(cause));
  return { results: results.filter((_, i) => !packed.failures.has(i)), data: packed.data, packed };
}

function overflowed(): CpcError {
  return new CpcError(
    "invalid_audio",
    "the samples are so large that the model overflowed; send floats near ±1",
  );
}

/** Four sums, since each addition waits for the one before; in float64 those of floats are finite. */
function allFinite(data: Float32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < data.length; i += 4) {
    a += data[i];
    b += data[i + 1];
    c += data[i + 2];
    d += data[i + 3];
  }
  for (; i < data.length; i++) a += data[i];
  return Number.isFinite(a + b + c + d);
}
