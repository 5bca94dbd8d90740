/** The demo page: controls, one stream at a time, and panels that follow it. */
import { openFile, openMicrophone, type Source } from "../client/browser.ts";
import type { Output } from "../client/mod.ts";
import { byId } from "./dom.ts";
import type { Follower } from "./follower.ts";
import { Live } from "./live.ts";
import { loadModels, type Model } from "./models.ts";
import { ControlsPanel, type Mood } from "./panels/controls.ts";
import { FiguresPanel } from "./panels/figures.ts";
import { KeepPanel } from "./panels/keep.ts";
import { SoundPanel } from "./panels/sound.ts";
import { StepsPanel } from "./panels/steps.ts";
import { SurprisePanel } from "./panels/surprise.ts";
import { TrajectoryPanel } from "./panels/trajectory.ts";
import { VectorsPanel } from "./panels/vectors.ts";
import { readColours } from "./pictures/colours.ts";

const TELL_MS = 250;
const DEFAULT_RATE = 48_000;

const controls = new ControlsPanel({
  microphone: () =>
    void (live ? stop() : start(() => openMicrophone({ workletUrl: "/assets/worklet.js" }))),
  pause,
  reset: () => void reset(),
  file: (file, options) => void start(() => openFile(file, options)),
  outputs: () => void changeOutputs(),
  model: explainScores,
  key: () => void askForModels(),
});
const surprise = new SurprisePanel();
const figures = new FiguresPanel(surprise);
const panels: readonly Follower[] = [
  figures,
  new SoundPanel(),
  new VectorsPanel(),
  surprise,
  new TrajectoryPanel(),
  new StepsPanel(),
  new KeepPanel(),
];
let live: Live | undefined;
let models: readonly Model[] = [];
/** What the page shows now. */
let shown = controls.shown;
let sampleRate = DEFAULT_RATE;

// ---- what the panels show

let colours = readColours();
let isDrawDue = false;

/** Schedules drawing, at most once per screen refresh. */
function drawSoon(): void {
  if (isDrawDue) return;
  isDrawDue = true;
  requestAnimationFrame(() => {
    isDrawDue = false;
    for (const panel of panels) panel.draw?.(colours);
  });
}

function tell(): void {
  for (const panel of panels) panel.tell?.();
}

function beginAudio(): void {
  for (const panel of panels) panel.beginAudio?.(sampleRate);
  beginVectors();
}

function beginVectors(): void {
  shown = controls.shown;
  for (const panel of panels) panel.beginVectors?.(shown);
  drawSoon();
}

function show(mood: Mood, text: string): void {
  controls.show(mood, { text, isLive: live !== undefined });
}

function complain(error: unknown): void {
  controls.complain(error);
  show("error", "stopped");
}

// ---- one stream

async function start(openSource: () => Promise<Source>): Promise<void> {
  await stop();
  const mine = live = new Live({
    says: (text) => controls.say(text),
    begins(rate) {
      sampleRate = rate;
      beginAudio();
      tell();
    },
    isLive(text) {
      show("live", "live");
      controls.say(text);
    },
    hears(samples) {
      for (const panel of panels) panel.hear?.(samples);
      drawSoon();
    },
    takes(frames, ready) {
      const taken = { frames, rows: frames[shown] ?? [], ready };
      for (const panel of panels) panel.take?.(taken);
      drawSoon();
    },
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
      output: outputs(),
      key: controls.key || undefined,
    }));
    if (live === mine) live = undefined;
    if (!live) show("idle", "ended");
  } catch (error) {
    if (live === mine) live = undefined;
    complain(error);
    controls.say("");
    if (error instanceof Error && "code" in error && error.code === "unauthorized") {
      controls.focusKey();
    }
  } finally {
    if (!live) figures.end();
    tell();
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
    controls.say(`Done: ${done.seconds.toFixed(2)} s of audio, ${done.frames} vectors.`);
  } catch {
    // it ended in another way, and has said so
  }
}

// ---- what the controls do

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
  try {
    await live?.update(outputs());
  } catch (error) {
    complain(error);
  }
  if (isOther) beginVectors();
  explainScores();
}

function outputs(): Output[] {
  return [controls.shown, ...(controls.isScoring && canScore() ? ["score" as const] : [])];
}

function canScore(): boolean {
  return models.find(({ id }) => id === controls.model)?.dims.steps !== 0;
}

function explainScores(): void {
  surprise.explain({ isOn: controls.isScoring, isPossible: canScore() });
}

async function askForModels(): Promise<void> {
  try {
    models = await loadModels(controls.key);
    controls.offerModels(models.map(({ id }) => id));
    controls.forgive();
    controls.say(
      "Press the button and speak, or drop an audio file. Keys: M microphone, P pause, R reset.",
    );
  } catch (error) {
    const needsKey = error instanceof Error && "code" in error && error.code === "unauthorized";
    if (needsKey && !controls.key) controls.say("This server requires a key: type it above.");
    else complain(error);
  }
  explainScores();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours = readColours();
  drawSoon();
});
new ResizeObserver(drawSoon).observe(byId("map", HTMLCanvasElement));
beginAudio();
setInterval(tell, TELL_MS);
show("idle", "idle");
void askForModels();
