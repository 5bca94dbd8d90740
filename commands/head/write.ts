/** The folder of a trained head: its graph, what it says of itself, and its card. */
import { basename, join, resolve } from "node:path";
import type { HeadSpec } from "../../model/heads/spec.ts";
import { headGraph } from "../../training/heads/graph.ts";
import { HeadHearing } from "../../training/heads/hearing.ts";
import type { HeardRecording } from "../../training/heads/rows.ts";
import type { HeadTrainer } from "../../training/heads/trainer.ts";
import type { Scale } from "../../training/heads/windows.ts";
import { writeWhole } from "../embed/folder.ts";
import { type EventRow, type FigureRow, headCard, shown, shownEvent } from "./card.ts";
import { measureHead } from "./measure.ts";
import type { HeadFlags } from "./options.ts";
import type { HeadPlan } from "./plan.ts";

/** Thresholds of events, as in docs/heads.md: change them in head.json. */
const EVENT = { on: 0.5, off: 0.35, min_on_s: 0.1, min_off_s: 0.3 };

/** Recordings by what they are for. */
export interface Parts {
  readonly train: HeardRecording[];
  readonly dev: HeardRecording[];
  readonly test: HeardRecording[];
}

/** A head that has been trained, and on what. */
export interface TrainedHead {
  readonly trainer: HeadTrainer;
  readonly plan: HeadPlan;
  readonly heard: {
    readonly parts: Parts;
    /** How the held-out ones were chosen. */
    readonly by: string;
    /** Seconds of a row. */
    readonly rowS: number;
    readonly hopSamples: number;
    readonly scale: Scale;
  };
  /** `features`: SHA-256 of its `model.safetensors`. */
  readonly model: { readonly id: string; readonly features: string };
}

/** Figures of a head, on each set of recordings. */
interface Measured {
  readonly figures: FigureRow[];
  readonly events: EventRow[];
}

/** Writes the folder, and prints the figures. */
export async function writeHead(flags: HeadFlags, head: TrainedHead): Promise<void> {
  const { trainer, heard: { scale } } = head;
  const spec = specOf(flags, head);
  const [{ name: output, shape: [given] }] = spec.outputs as [HeadSpec["outputs"][number]];
  const { shape } = trainer.network;
  const graph = headGraph(trainer.best, { shape, scale, every: flags.every, output, given });
  const measured = await measuredOn(graph, { spec, head });
  const text = (content: string) => new TextEncoder().encode(content);
  await writeWhole(join(flags.out, "head.onnx"), graph);
  await writeWhole(join(flags.out, "head.json"), text(JSON.stringify(spec, null, 2) + "\n"));
  await writeWhole(join(flags.out, "README.md"), text(cardOf(flags, { head, measured })));
  for (const { set, name, estimate } of measured.figures) {
    console.log(`${set}: ${name} ${shown(estimate)}`);
  }
  for (const row of measured.events) {
    console.log(`${row.set}: events of ${row.event}: ${shownEvent(row)}`);
  }
  console.log(`head of ${(graph.length / 1024).toFixed(1)} KiB written to ${flags.out}`);
}

function specOf(
  { input, every, type, hidden }: HeadFlags,
  { plan: { labels, positive, events }, model: { features } }: TrainedHead,
): HeadSpec {
  const output = positive ?? "label";
  const given = positive ? [positive] : labels;
  return {
    input,
    channels: 1,
    every,
    features,
    state: type === "gru" ? [{ name: "h", shape: [hidden] }] : [],
    outputs: [{ name: output, shape: [given.length], labels: [...given] }],
    events: (positive ? [positive] : events).map((event) => ({
      event,
      output,
      index: given.indexOf(event),
      ...EVENT,
    })),
  };
}

/** Runs the head over the recordings that it did not learn from. */
async function measuredOn(
  graph: Uint8Array,
  { spec, head: { trainer, plan, heard: { parts, hopSamples } } }: {
    spec: HeadSpec;
    head: TrainedHead;
  },
): Promise<Measured> {
  const hearing = await HeadHearing.create(graph, spec);
  const measured: Measured = { figures: [], events: [] };
  for (const [set, recordings] of [["held out", parts.dev], ["test", parts.test]] as const) {
    if (recordings.length === 0) continue;
    const { figures, events } = await measureHead(hearing, recordings, {
      set,
      width: trainer.network.shape.width,
      labels: plan.labels,
      positive: plan.positive !== undefined,
      hopSamples,
    });
    measured.figures.push(...figures);
    measured.events.push(...events);
  }
  await hearing.dispose();
  return measured;
}

function cardOf(
  { out, input, type, hidden, every, seed }: HeadFlags,
  { head: { trainer, plan, heard, model }, measured }: { head: TrainedHead; measured: Measured },
): string {
  const { parts, by, rowS } = heard;
  const { step, bestStep } = trainer.progress;
  return headCard({
    name: basename(resolve(out)),
    model: model.id,
    input,
    type,
    hidden: type === "linear" ? undefined : hidden,
    every,
    rowsPerSecond: 1 / rowS,
    labels: plan.labels,
    positive: plan.positive,
    augmentation: describe(plan.augmentation),
    minutes: { train: minutesOf(parts.train, rowS), heldOut: minutesOf(parts.dev, rowS) },
    heldOutBy: by,
    steps: step,
    bestStep,
    parameters: [...trainer.best.values()].reduce((sum, { length }) => sum + length, 0),
    seed,
    ...measured,
  });
}

function describe({ noises, copies, snrDb, levelDb }: HeadPlan["augmentation"]): string {
  if (copies === 0) return "none";
  const noise = noises.length > 0 ? `${noises.join(", ")} at ${snrDb.join(" to ")} dB, ` : "";
  return `${copies} of each recording: ${noise}level ${levelDb.join(" to ")} dB`;
}

/** Minutes of rows with a label. */
export function minutesOf(heard: readonly HeardRecording[], rowS: number): number {
  const rows = heard.reduce(
    (sum, { labels }) => sum + labels.reduce((own, label) => own + (label < 0 ? 0 : 1), 0),
    0,
  );
  return rows * rowS / 60;
}
