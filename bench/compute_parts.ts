/** Parts of `deno task bench` that measure engines in this process. */
import { PRECISIONS } from "../model/engine.ts";
import { loadModels } from "../model/heads/load.ts";
import { loadWeights } from "../model/weights.ts";
import { benchEngines, linesOf } from "./engines.ts";
import { benchHeads } from "./heads.ts";
import { benchInt8 } from "./int8.ts";
import { pad } from "./print.ts";
import { benchProfile } from "./profile.ts";
import { benchProfileCost } from "./profile_cost.ts";
import { benchScheduler } from "./scheduler.ts";
import { benchScore } from "./score.ts";
import { benchStep } from "./step.ts";

const SHAPES: [streams: number, hops: number][] = [
  [1, 1],
  [4, 1],
  [8, 1],
  [16, 1],
  [32, 1],
  [64, 1],
  [1, 8],
  [1, 64],
];
/** Rounds of the step part. */
const STEP_ROUNDS = 9;
/** The engines part: live batches, and a file. */
const ENGINES = { shapes: [[1, 1], [8, 1], [32, 1], [1, 64]], rounds: 9, roundMs: 300 } as const;

/** Live streams on a server with `--profile` and on one without. */
const PROFILE_COST = { streams: 8, seconds: 4, rounds: 7 } as const;

/** The engine in both precisions, compared with a matrix product. */
export async function step(model: string): Promise<void> {
  console.log(
    `\nstep: one thread; medians of ${STEP_ROUNDS} rounds in which the matrix product and ` +
      "the engines take turns;",
  );
  console.log(
    "share = operations of the plain model per second / those of a 256×4096×512 fp32 MatMul " +
      "in ONNX Runtime",
  );
  console.log("               fp32                             int8");
  console.log(
    "streams  hops       ms  live streams   share       ms  live streams  fp32/int8  " +
      "denormals/others",
  );
  const rows = await benchStep(await loadWeights(model), { shapes: SHAPES, rounds: STEP_ROUNDS });
  for (const { streams, hops, fp32, int8, int8Gain, denormals } of rows) {
    const cells = [
      pad(streams, 7),
      pad(hops, 4),
      pad(fp32.stepMs.toFixed(2), 7),
      pad(fp32.liveStreams.toFixed(1), 12),
      pad((fp32.shareOfGemm * 100).toFixed(0) + " %", 6),
      pad(int8.stepMs.toFixed(2), 7),
      pad(int8.liveStreams.toFixed(1), 12),
      pad(int8Gain.toFixed(2), 9),
      pad(denormals.toFixed(2), 16),
    ];
    console.log(cells.join("  "));
  }
}

/** Every engine and device that works here. */
export async function engines(model: string): Promise<void> {
  const table = await benchEngines(await loadWeights(model), ENGINES);
  console.log(
    "\nengines: seconds of audio computed per second, one thread, fp32 unless stated; in " +
      "brackets, the ratio to the first",
  );
  console.log(
    `engine in the same round; medians of ${ENGINES.rounds} rounds in which the engines take turns`,
  );
  for (const line of linesOf(table, ENGINES.shapes)) console.log(line);
}

/** The effect of 8 bits. */
export async function int8(model: string): Promise<void> {
  console.log(
    "\nint8: distance of the recorded fixtures' features from fp32's, √(Σ difference² / Σ " +
      "fp32²), at several levels",
  );
  console.log("level dB   latent  context  prediction");
  const percent = (share?: number) =>
    share === undefined ? "none" : `${(share * 100).toFixed(2)} %`;
  for (
    const { decibels, latent, context, prediction } of await benchInt8(await loadWeights(model), [
      20,
      0,
      -20,
      -40,
      -60,
    ])
  ) {
    console.log(
      `${pad(decibels, 8)}  ${pad(percent(latent), 7)}  ${pad(percent(context), 7)}  ${
        pad(percent(prediction), 10)
      }`,
    );
  }
}

/** Live scores on top of predictions. */
export async function score(model: string): Promise<void> {
  console.log(
    "\nscore: one thread, steps of one hop of each stream in turns, medians; on top = what " +
      "scores add to a step with predictions",
  );
  console.log("streams  precision  context ms  prediction ms  prediction, score ms  on top");
  for (const precision of PRECISIONS) {
    for (
      const { streams, ...row } of await benchScore(await loadWeights(model), {
        streams: [1, 4, 8, 16, 32],
        precision,
      })
    ) {
      console.log(
        `${pad(streams, 7)}  ${pad(precision, 9)}  ${pad(row.contextMs.toFixed(2), 10)}  ${
          pad(row.predictionMs.toFixed(2), 13)
        }  ${pad(row.scoreMs.toFixed(2), 20)}  ${pad((row.onTop * 100).toFixed(1) + " %", 6)}`,
      );
    }
  }
}

/** What heads add to a step. */
export async function heads(model: string): Promise<void> {
  console.log(
    "\nheads: one thread, steps of one hop of each stream with and without the head in " +
      "turns, medians; on top = what it",
  );
  console.log("adds to a step, its rows' transport included; µs a row = the head's own time");
  console.log("head              streams  step ms  with head ms   on top  µs a row");
  const [weights] = await loadModels([model]);
  const rows = await benchHeads(weights!, { streams: [1, 8, 32], steps: 1500 });
  for (const { head, streams, stepMs, withHeadMs, onTop, usPerRow } of rows) {
    console.log(
      `${head.padEnd(16)}  ${pad(streams, 7)}  ${pad(stepMs.toFixed(2), 7)}  ${
        pad(withHeadMs.toFixed(2), 12)
      }  ${pad((onTop * 100).toFixed(1) + " %", 7)}  ${pad(usPerRow.toFixed(1), 8)}`,
    );
  }
}

/** What decides who waits. */
export async function scheduler(model: string, seconds: number): Promise<void> {
  console.log(
    "\nscheduler: one worker, no sockets; speakers send 20 ms at a time; latency from " +
      "sending the audio that completes a frame",
  );
  console.log("to its coming, in ms; floods' and uploads' seconds of audio per second; medians");
  let last = "";
  for await (const row of benchScheduler(await loadWeights(model), { seconds })) {
    if (row.crowd !== last) {
      console.log(`\n${row.crowd.padEnd(30)}     p50     p99    flood  uploads`);
    }
    last = row.crowd;
    const figures = [row.p50Ms, row.p99Ms, row.floodRate, row.uploadRate];
    console.log(`${row.policy.padEnd(30)}${figures.map((x) => pad(x.toFixed(1), 8)).join("")}`);
  }
}

/** Where a step's time goes. */
export async function profile(model: string): Promise<void> {
  console.log(
    "\nprofile: a step of one hop per stream, context wanted, in this process; medians in ms;",
  );
  console.log("recurrence: the context network's part of the engine, measured by itself");
  console.log("streams  gather  engine  recurrence  scatter   post  encode  engine's share");
  const rows = await benchProfile(await loadWeights(model), { streams: [1, 4, 8, 16, 32] });
  for (const { streams, gather, engine, recurrence, scatter, post, encode } of rows) {
    const cells = [
      pad(streams, 7),
      pad(gather.toFixed(3), 6),
      pad(engine.toFixed(3), 6),
      pad(recurrence.toFixed(3), 10),
      pad(scatter.toFixed(3), 7),
      pad(post.toFixed(3), 5),
      pad(encode.toFixed(3), 6),
      pad((100 * engine / (gather + engine + scatter + post + encode)).toFixed(1) + " %", 14),
    ];
    console.log(cells.join("  "));
  }
  const { streams, plainMs, profiledMs, ratio } = await benchProfileCost(model, PROFILE_COST);
  console.log(
    "cost of --profile: a server's time on processors for a second of each of " +
      `${streams} live streams, in turns: ${plainMs.toFixed(1)} ms without, ` +
      `${profiledMs.toFixed(1)} with, ratio ${ratio.toFixed(3)}`,
  );
}
