/** The demo page: controls, one stream at a time, and panels that follow it. */
import { openFile, openMicrophone, type Source } from "../client/browser.ts";
import { StreamError } from "../client/mod.ts";
import { byId, write } from "./dom.ts";
import type { AudioFormat } from "./follower.ts";
import { Live } from "./live.ts";
import { ControlsPanel, type Mood } from "./panels/controls.ts";
import { EventsPanel } from "./panels/events.ts";
import { FiguresPanel } from "./panels/figures.ts";
import { HeadChoice } from "./panels/head_choice.ts";
import { HeadsPanel } from "./panels/heads.ts";
import { KeepPanel } from "./panels/keep.ts";
import { MicrophonesPanel } from "./panels/microphones.ts";
import { SoundPanel } from "./panels/sound.ts";
import { StepsPanel } from "./panels/steps.ts";
import { SurprisePanel } from "./panels/surprise.ts";
import { TrajectoryPanel } from "./panels/trajectory.ts";
import { VectorsPanel } from "./panels/vectors.ts";
import { Panels } from "./panels.ts";
import { Selected } from "./selected.ts";

const TELL_MS = 250;
const DEFAULT_FORMAT: AudioFormat = { sampleRate: 48_000, channels: 1 };

const controls = new ControlsPanel({
  microphone: () => void (live ? stop() : start(openMicrophones)),
  pause,
  reset: () => void reset(),
  file: (file, options) =>
    void start(() => openFile(file, { ...options, channels: selected.channels })),
  outputs: () => void changeOutputs(),
  model: changeModel,
  key: () => void askForModels(),
});
const choice = new HeadChoice(() => void changeHeads());
const selected = new Selected({ controls, heads: choice });
const microphones = new MicrophonesPanel(complain);
const surprise = new SurprisePanel();
const figures = new FiguresPanel(surprise);
const panels = new Panels([
  figures,
  new SoundPanel(),
  new HeadsPanel(),
  new EventsPanel(),
  new VectorsPanel(),
  surprise,
  new TrajectoryPanel(),
  new StepsPanel(),
  new KeepPanel(),
]);
let live: Live | undefined;
/** What the page shows now. */
let shown = controls.shown;
let format = DEFAULT_FORMAT;

// ---- what the panels show

function beginAudio(): void {
  panels.beginAudio(format);
  write("map-whose", format.channels === 2 ? "of speaker 1" : "");
  beginVectors();
}

function beginVectors(): void {
  shown = controls.shown;
  panels.beginVectors(shown);
}

function beginHeads(): void {
  panels.beginHeads(choice.chosen);
}

function show(mood: Mood, text: string): void {
  const isLive = live !== undefined;
  controls.show(mood, { text, isLive });
  choice.follow(isLive ? format.channels : undefined);
  microphones.show(choice.isOfTwo, { isLive });
}

function complain(error: unknown): void {
  controls.complain(error);
  show("error", "stopped");
}

// ---- one stream

async function start(openSource: () => Promise<Source>): Promise<void> {
  await stop();
  format = { ...format, channels: selected.channels };
  const mine = live = new Live({
    says: (text) => controls.say(text),
    begins(begun) {
      format = begun;
      beginAudio();
      panels.tell();
    },
    isLive(text) {
      show("live", "live");
      controls.say(text);
    },
    hears: (heard) => panels.hear(heard),
    takes(frames, ready) {
      if ((frames.channel ?? 0) !== 0) return; // pictures of vectors show one speaker
      panels.take({ frames, rows: frames[shown] ?? [], ready });
    },
    takesRows: (rows) => panels.takeRows(rows),
    takesEvent: (event) => panels.takeEvent(event),
    resumes: ({ state, attempt, error }) => {
      if (state === "resuming") {
        show("resuming", `reconnecting, attempt ${attempt}`);
        controls.say(
          `The connection was lost (${error?.message}). The page resumes it by itself; nothing ` +
            "is lost meanwhile.",
        );
      } else if (state === "open") {
        figures.countResumed();
        show("live", "live");
        controls.say("Connected again: the stream continues where it stopped.");
      }
    },
    ends(problem) {
      if (problem) complain(problem);
      void stop();
    },
  });
  controls.forgive();
  figures.begin();
  show("connecting", "starting");
  try {
    await mine.run(openSource, () => ({
      model: controls.model || undefined,
      output: selected.outputs,
      key: controls.key || undefined,
      weights: selected.weights,
    }));
    if (live === mine) live = undefined;
    if (!live) show("idle", "ended");
  } catch (error) {
    if (live === mine) live = undefined;
    complain(error);
    controls.say("");
    if (isOf(error, { code: "unauthorized" })) controls.focusKey();
    if (isOf(error, { param: "output" })) await lookForHeads();
  } finally {
    if (!live) figures.end();
    panels.tell();
  }
}

/** Ends the running stream, after its last vectors. */
async function stop(): Promise<void> {
  const ending = live;
  if (!ending) return;
  live = undefined;
  show("idle", "ended");
  try {
    const done = await ending.stop();
    if (!done) return;
    const { seconds, frames, stats: { compute_s } } = done;
    const msOfOne = (1000 * compute_s / Math.max(1, frames)).toFixed(1);
    controls.say(
      `Done: ${
        seconds.toFixed(2)
      } s of audio, ${frames} vectors, each in ${msOfOne} ms of computing.`,
    );
  } catch {
    // it ended in another way, and has said so
  }
}

// ---- what the controls do

async function openMicrophones(): Promise<Source> {
  const source = await openMicrophone({
    workletUrl: "/assets/worklet.js",
    channels: selected.channels,
    devices: selected.channels === 2 ? microphones.devices : [""],
  });
  await microphones.list();
  return source;
}

function pause(): void {
  const isPaused = live?.togglePause();
  if (isPaused === undefined) return;
  controls.showPaused(isPaused);
  controls.say(isPaused ? "Paused: the model waits, and forgets nothing." : "Continuing.");
}

async function reset(): Promise<void> {
  const answer = live?.reset();
  if (!answer) return;
  beginAudio();
  try {
    const { segment } = await answer;
    controls.say(`Reset: the model has forgotten everything (segment ${segment}).`);
  } catch {
    // the stream has ended, and has said so
  }
}

async function changeOutputs(): Promise<void> {
  const isOther = shown !== controls.shown;
  await update();
  if (isOther) beginVectors();
  explainScores();
}

async function changeHeads(): Promise<void> {
  beginHeads();
  microphones.show(choice.isOfTwo, { isLive: live !== undefined });
  await update();
}

function changeModel(): void {
  explainScores();
  selected.offerHere();
  offerHeads();
}

async function update(): Promise<void> {
  try {
    await live?.update(selected.outputs);
  } catch {
    // the stream has ended, and has said so
  }
}

/** Shows the model's heads. @returns the chosen ones that it does not have */
function offerHeads(): string[] {
  const gone = selected.offerHeads();
  microphones.show(choice.isOfTwo, { isLive: live !== undefined });
  beginHeads();
  return gone;
}

/** The server has refused an output: a chosen head may be gone. */
async function lookForHeads(): Promise<void> {
  try {
    await selected.load();
  } catch {
    return; // what it refused is on the page
  }
  const gone = offerHeads();
  if (gone.length === 0) return;
  controls.complain(
    `The server no longer has the head ${gone.join(" and ")}, so it is off the list. Start again.`,
  );
}

function explainScores(): void {
  surprise.explain({ isOn: controls.isScoring, isPossible: selected.canScore });
}

async function askForModels(): Promise<void> {
  try {
    await selected.load();
    controls.forgive();
    controls.say(
      "Press the button and speak, or drop an audio file. Keys: M microphone, P pause, R reset.",
    );
  } catch (error) {
    if (isOf(error, { code: "unauthorized" }) && !controls.key) {
      controls.say("This server requires a key: type it above.");
    } else complain(error);
  }
  changeModel();
}

/** Whether it is an error of the server with these members. */
function isOf(error: unknown, members: { code?: string; param?: string }): boolean {
  return error instanceof StreamError &&
    Object.entries(members).every(([name, value]) => error[name as "code" | "param"] === value);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => panels.recolour());
new ResizeObserver(() => panels.drawSoon()).observe(byId("map", HTMLCanvasElement));
beginAudio();
setInterval(() => panels.tell(), TELL_MS);
show("idle", "idle");
void askForModels();
