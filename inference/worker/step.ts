/** One step: audio and states of its streams in, new states and wanted rows out. */
import { CpcError } from "../../errors.ts";
import type { Engine, StepInput, StepOutput } from "../../model/engine.ts";
import type { HeadTiming, StepResult } from "../messages.ts";
import { allFinite } from "./all_finite.ts";
import { stepHeads } from "./heads/step_heads.ts";
import type { StepFrames } from "./hop_queue.ts";
import { row, stepEach } from "./row_by_row.ts";
import { type Packed, RowPacker } from "./row_packer.ts";
import type { Batch } from "./scheduler.ts";
import type { StepClock } from "./step_clock.ts";
import type { WorkerStream } from "./worker_stream.ts";

/** The result of a step. */
export interface Step {
  /** Of each stream that did not fail, and their rows; undefined when all failed. */
  readonly taken?: {
    readonly results: StepResult[];
    readonly data: Float32Array;
    readonly heads: readonly HeadTiming[];
  };
  readonly failures: ReadonlyMap<WorkerStream, CpcError>;
  /** Why the step was taken again, stream by stream, if it was. */
  readonly retried?: string;
}

/** A stream in a step. Each of its channels is a row of the batch, one after the other. */
interface Member {
  readonly stream: WorkerStream;
  readonly frames: StepFrames;
  /** Its rows: `from … to`. */
  readonly from: number;
  readonly to: number;
}

/**
 * Takes a step of streams of one engine. If the engine fails, each row takes it by itself, and only
 * those streams fail that have a row that fails then. State is committed only for the others.
 *
 * @param clock times the step's parts, if anyone wants to know
 */
export async function takeStep(
  { hops, streams }: Batch<WorkerStream>,
  clock?: StepClock,
): Promise<Step> {
  const [{ engine }] = streams;
  const failures = new Map<WorkerStream, CpcError>();
  const { input, members } = gather(engine, { hops, streams });
  clock?.ended("gather");
  try {
    const { output, failed, ...step } = await compute(engine, input);
    clock?.ended("engine");
    for (const [b, cause] of failed) {
      const member = members.find(({ from, to }) => b >= from && b < to)!; // every row is someone's
      failures.set(member.stream, modelFailed(cause));
    }
    if (failures.size === streams.length) return { failures, retried: reasonOf(step.retried) };
    const { packed, ...taken } = await commit(engine, {
      members,
      rows: input.streams,
      output,
      failures,
      clock,
    });
    const retried = step.retried ?? packed.retried;
    return { taken, failures, retried: retried === undefined ? undefined : reasonOf(retried) };
  } catch (cause) {
    for (const stream of streams) {
      if (!failures.has(stream)) failures.set(stream, modelFailed(cause));
    }
    return { failures };
  }
}

/** Steps all rows together; one by one if that fails. */
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
function gather(
  engine: Engine,
  { hops, streams }: Batch<WorkerStream>,
): { input: StepInput; members: Member[] } {
  const { plan, stateFloats } = engine.layout;
  const B = streams.reduce((sum, { channels }) => sum + channels, 0);
  const { inputs } = streams[0].step;
  const samples = inputs.take("samples", B * hops * plan.hopSamples); // [B, T · hop]
  const state = inputs.take("state", B * stateFloats); // [B, S]
  // [B, T · rowsPerHop] each
  const masks = plan.convs.map((conv, i) => inputs.take(`mask ${i}`, B * hops * conv.rowsPerHop));
  let to = 0;
  const members = streams.map((stream): Member => {
    const place = { from: to, to: to += stream.channels };
    state.set(stream.state, place.from * stateFloats);
    const frames = stream.queue.take(hops, {
      samples: rowsOf(samples, place, B),
      masks: masks.map((mask) => rowsOf(mask, place, B)),
    });
    return { stream, frames, ...place };
  });
  const latentOnly = streams.every(({ want }) => want.latentOnly);
  return { input: { streams: B, hops, samples, state, masks, latentOnly }, members };
}

/** Rows `from … to` of a `[B, …]` array. */
function rowsOf(
  data: Float32Array,
  { from, to }: Pick<Member, "from" | "to">,
  B: number,
): Float32Array {
  const width = data.length / B;
  return data.subarray(from * width, to * width);
}

/** Commits the new states and gives the wanted rows; notes further streams that fail alone. */
async function commit(
  engine: Engine,
  { members, rows: B, output, failures, clock }: {
    members: readonly Member[];
    rows: number;
    output: StepOutput;
    failures: Map<WorkerStream, CpcError>;
    clock?: StepClock;
  },
): Promise<NonNullable<Step["taken"]> & { packed: Packed }> {
  const packer = new RowPacker(engine, members[0].stream.step);
  const stepHops = output.latent.length / B / engine.layout.dims.latent;
  const taken: { readonly stream: WorkerStream; readonly result: StepResult }[] = [];
  for (const member of members) {
    const { stream, frames: { first, skip, count }, from } = member;
    if (failures.has(stream)) continue;
    const state = rowsOf(output.state, member, B);
    try {
      if (!allFinite(state) || !allFinite(rowsOf(output.latent, member, B))) throw overflowed();
      stream.state.set(state);
      stream.keepScores({ first });
      stream.heads.keep(stream.want, { first });
    } catch (thrown) {
      if (!(thrown instanceof CpcError)) throw thrown;
      failures.set(stream, thrown);
      continue;
    }
    const rows = stream.wantedRows({ first, count });
    const { length: offset } = packer;
    for (let c = 0; c < stream.channels; c++) {
      packer.add({
        stream: taken.length,
        want: stream.want,
        score: stream.scores[c],
        frames: { first, skip, count },
        rows: rows.map((f) => skip + f - first),
        latent: row(output.latent, from + c, B),
        context: row(output.context, from + c, B),
        hidden: row(output.hidden, from + c, B),
      });
    }
    if (stream.heads.all.length > 0) {
      const { context, latent } = output;
      stream.heads.hear({ first, count, context, latent, from, hops: stepHops, skip });
    }
    const result = {
      lease: stream.lease,
      channels: stream.channels,
      hopsTaken: stream.queue.hopsTaken,
      first: rows[0] ?? first,
      count: rows.length,
      frames: stream.queue.frames,
      want: stream.want,
      offset,
      length: packer.length - offset,
    };
    taken.push({ stream, result });
  }
  clock?.ended("scatter");
  const heads = await takeHeads(taken.map(({ stream }) => stream), failures);
  clock?.ended("heads");
  const results = taken.map(({ stream, result }): StepResult => ({
    ...result,
    heads: stream.heads.take(),
    checkpoint: failures.has(stream) ? undefined : stream.checkpoint(),
  }));
  const packed = await packer.pack();
  for (const [i, cause] of packed.failures) failures.set(taken[i].stream, modelFailed(cause));
  clock?.ended("scatter");
  return {
    results: results.filter((_, i) => !failures.has(taken[i].stream)),
    data: packed.data,
    heads,
    packed,
  };
}

/** Computes the rows of the streams' heads; notes the streams whose heads fail. */
async function takeHeads(
  streams: readonly WorkerStream[],
  failures: Map<WorkerStream, CpcError>,
): Promise<HeadTiming[]> {
  const { failures: failed, timings } = await stepHeads(streams.flatMap(({ heads }) => heads.all));
  if (failed.size === 0) return timings;
  for (const stream of streams) {
    const head = stream.heads.all.find((head) => failed.has(head));
    if (head) failures.set(stream, failed.get(head)!);
  }
  return timings;
}

function overflowed(): CpcError {
  return new CpcError(
    "invalid_audio",
    "the samples are so large that the model overflowed; send floats near ±1",
  );
}
