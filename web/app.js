/** The demo page: controls, one stream at a time, and what is shown of it. */
import { connect } from "/client.js";
import { npy, wav } from "./files.js";
import { OnlinePca } from "./pca.js";
import { Path, readColours, ScrollMap, Wave } from "./plots.js";
import { Scores } from "./scores.js";
import { openFile, openMicrophone } from "./sources.js";
import { explain } from "./words.js";

const $ = (id) => document.getElementById(id);
/** Most that is kept for a download, in bytes of each kind. */
const KEPT_BYTES = 128 * 1024 * 1024;
const TELL_MS = 250;

const view = {
  wave: new Wave($("wave")),
  map: new ScrollMap($("map"), "diverging"),
  path: new Path($("path")),
  scores: new Scores({ holder: $("surprise"), canvas: $("steps"), body: $("step-rows") }),
  colours: readColours(),
};
let pca;
/** What the stream has given, for the pictures and the downloads. */
let kept;
/** The stream and its source while one runs. */
let live;
let models = [];

// ---- what is shown

function clear({ sampleRate = 48_000, output = $("output").value } = {}) {
  kept = {
    sampleRate,
    output,
    rows: [],
    audio: [],
    bytes: 0,
    first: 0,
    samples: 0,
    sent: [],
    frames: 0,
    full: false,
  };
  pca = undefined;
  view.wave.begin(sampleRate);
  view.map.clear();
  view.map.kind = output === "latent" ? "rising" : "diverging";
  view.map.scale = output === "latent" ? 0.01 : 0.8;
  view.map.offset = undefined;
  view.path.clear();
  view.scores.clear();
  $("map-name").textContent = output === "latent" ? "Latent" : "Context";
  $("map-hint").textContent = output === "latent"
    ? "one column each 10 ms"
    : "one column each 10 ms, less the mean so far";
  recolour();
}

function recolour() {
  view.colours = readColours();
  view.map.recolour(view.colours);
  view.scores.recolour(view.colours);
  changed();
}

let isDirty = false;
function changed() {
  if (isDirty) return;
  isDirty = true;
  requestAnimationFrame(() => {
    isDirty = false;
    view.wave.draw(view.colours);
    view.map.draw();
    view.scores.draw();
    const { ring } = view.map;
    const places = pca
      ? Array.from(
        { length: ring.size },
        (_, i) => pca.project(ring.at(ring.total - ring.size + i)),
      )
      : [];
    view.path.draw(places, view.colours);
  });
}

function tell() {
  const { power } = view.wave;
  const level = power > 0 ? 10 * Math.log10(power) : -Infinity;
  $("level").value = Math.max(-60, level);
  $("n-level").textContent = level > -100 ? `${level.toFixed(0)} dBFS` : "–";
  $("n-seconds").textContent = `${(kept.samples / kept.sampleRate).toFixed(1)} s`;
  $("n-frames").textContent = String(kept.frames);
  $("n-surprise").textContent = view.scores.surprise === undefined
    ? "–"
    : `${view.scores.surprise.toFixed(2)} nats`;
  view.scores.tell();
  $("save-vectors").disabled = kept.rows.length === 0;
  $("save-audio").disabled = kept.audio.length === 0;
  const width = kept.rows[0]?.length ?? 0;
  const limit = kept.full ? "; the rest was too much to keep" : "";
  $("kept").textContent = width ? `${kept.rows.length} × ${width} ${kept.output}${limit}` : "";
  if (!live) return;
  const now = performance.now();
  const { speed } = live;
  speed.push([now, kept.frames]);
  while (speed.length > 2 && now - speed[0][0] > 2000) speed.shift();
  const frames = kept.frames - speed[0][1];
  const seconds = (now - speed[0][0]) / 1000;
  if (seconds > 0.4 && live.stream) {
    $("n-speed").textContent = `${(frames / live.stream.ready.frame_rate / seconds).toFixed(2)} ×`;
  }
  if (live.latencyMs !== undefined) $("n-latency").textContent = `${live.latencyMs.toFixed(0)} ms`;
}

function say(text) {
  $("status").textContent = text;
}

function complain(error) {
  const text = typeof error === "string" ? error : explain(error);
  $("problem").textContent = text;
  $("problem").hidden = false;
  setState("error", "stopped");
}

function setState(state, text) {
  $("state").dataset.state = state;
  $("state").textContent = text;
  const isLive = live !== undefined;
  $("microphone").textContent = isLive ? "Stop" : "Start microphone";
  $("pause").disabled = $("reset").disabled = !isLive;
  if (!isLive) setPaused(false);
  $("model").disabled = $("key").disabled = isLive;
}

function setPaused(paused) {
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Go on" : "Pause";
}

// ---- one stream

async function start(openSource) {
  await stop();
  const mine = live = {
    source: undefined,
    stream: undefined,
    speed: [],
    segment: 0,
    resumed: 0,
    latencyMs: undefined,
    busy: undefined,
  };
  $("problem").hidden = true;
  $("n-resumed").textContent = "0";
  $("n-latency").textContent = $("n-speed").textContent = "–";
  setState("connecting", "starting");
  say("Asking for the sound …");
  try {
    mine.source = await openSource();
    if (live !== mine) return mine.source.stop();
    say("Connecting …");
    const { sampleRate } = mine.source;
    clear({ sampleRate });
    tell();
    mine.stream = await connect(location.origin, {
      sampleRate,
      model: $("model").value || undefined,
      output: outputs(),
      key: $("key").value || undefined,
      timeoutMs: 6000,
    });
    if (live !== mine) return mine.stream.close();
    listen(mine);
    setState("live", "live");
    say(`${mine.source.name}, ${sampleRate} Hz, to ${mine.stream.ready.model}`);
    mine.busy = mine.source.run((samples) => give(mine, samples), (why) => {
      if (why) complain(why);
      void stop();
    });
    mine.busy.catch(() => {}); // the stream says why it ended
    const error = await mine.stream.closed;
    mine.source.stop();
    if (live === mine) live = undefined;
    if (error) complain(error);
    else if (live === undefined) setState("idle", "ended");
  } catch (error) {
    mine.source?.stop();
    if (live !== mine) return;
    live = undefined;
    complain(error);
    say("");
    if (error.code === "unauthorized") $("key").focus();
  } finally {
    tell();
  }
}

/** Ends what runs: the last vectors come first. */
async function stop() {
  const ending = live;
  if (!ending) return;
  live = undefined;
  ending.source?.stop();
  setState("idle", "ended");
  if (!ending.stream) return;
  try {
    const done = await ending.stream.finish();
    say(`Done: ${done.seconds.toFixed(2)} s of audio, ${done.frames} vectors.`);
  } catch {
    // it has ended in another way, and said so
  }
}

function outputs() {
  const model = models.find(({ id }) => id === $("model").value);
  const canScore = $("score").checked && model?.dims.steps !== 0;
  return [$("output").value, ...(canScore ? ["score"] : [])];
}

function give(mine, samples) {
  kept.samples += samples.length;
  kept.sent.push([kept.samples, performance.now()]);
  if (kept.sent.length > 4000) kept.sent.splice(0, 2000);
  keep(kept.audio, samples);
  view.wave.push(samples);
  changed();
  return mine.stream.send(samples).catch(() => {}); // `closed` says why
}

function keep(list, floats) {
  if (kept.bytes > KEPT_BYTES) return kept.full = true;
  kept.bytes += floats.length * 4;
  list.push(floats);
}

function listen(mine) {
  const { stream } = mine;
  stream.on("frames", (frames) => mine.segment === frames.segment && take(mine, frames));
  stream.on("warning", ({ code, message }) => {
    if (code === "backlog") {
      say("The server computes more slowly than audio comes: the vectors lag behind.");
    } else if (code !== "idle") say(message);
  });
  stream.on("state", ({ state, attempt, error }) => {
    if (state === "resuming") {
      setState("resuming", `reconnecting, attempt ${attempt}`);
      say(
        `The connection was lost (${error.message}). It is taken up again by itself; nothing is lost meanwhile.`,
      );
    } else if (state === "open") {
      $("n-resumed").textContent = String(++mine.resumed);
      setState("live", "live");
      say("Connected again: the stream goes on where it was.");
    }
  });
}

function take(mine, { first, count, every, time, steps, score, ...values }) {
  const rows = values[kept.output] ?? [];
  for (const [i, row] of rows.entries()) {
    if (kept.rows.length === 0) kept.first = first;
    if (!kept.full) keep(kept.rows, row);
    if (!pca) {
      pca = new OnlinePca(row.length);
      if (kept.output === "context") view.map.offset = pca.mean;
    }
    pca.add(row);
    view.map.push(row);
    if (kept.output === "latent") {
      for (const x of row) if (x > view.map.scale) view.map.scale += (x - view.map.scale) * 0.05;
    }
    if (score) view.scores.push(time + i * every / 100, score[i], steps);
  }
  kept.frames = first + count;
  const { hop, lookahead, sample_rate: rate } = mine.stream.ready;
  const needed = ((kept.frames - 1) * hop + lookahead) * rate / 16_000;
  const sent = kept.sent.findIndex(([samples]) => samples >= needed);
  if (sent >= 0) {
    const ms = performance.now() - kept.sent[sent][1];
    mine.latencyMs = mine.latencyMs === undefined
      ? ms
      : mine.latencyMs + (ms - mine.latencyMs) * 0.1;
    kept.sent.splice(0, sent);
  }
  if (view.scores.any) $("score-note").hidden = true;
  changed();
}

// ---- controls

$("microphone").onclick = () => live ? void stop() : void start(openMicrophone);
$("pause").onclick = () => {
  if (!live?.source) return;
  live.source.paused = !live.source.paused;
  setPaused(live.source.paused);
  say(live.source.paused ? "Paused: the model waits and remembers." : "Going on.");
};
$("reset").onclick = async () => {
  if (!live?.stream) return;
  live.segment++;
  clear(kept);
  try {
    const { segment } = await live.stream.reset();
    say(`Reset: the model has forgotten everything (segment ${segment}).`);
  } catch {
    // the stream has ended, and said so
  }
};
$("output").onchange = $("score").onchange = async () => {
  const isOther = kept.output !== $("output").value;
  const stream = live?.stream;
  try {
    await stream?.update({ output: outputs() });
  } catch (error) {
    complain(error);
  }
  if (isOther) {
    const { samples, sent, audio } = kept;
    clear({ sampleRate: kept.sampleRate });
    Object.assign(kept, { samples, sent, audio });
  }
  explainScores();
};
$("model").onchange = explainScores;
$("file").onchange = () => {
  takeFile($("file").files[0]);
  $("file").value = ""; // the same file may be chosen again
};
$("save-vectors").onclick = () =>
  save(npy(kept.rows, kept.rows[0].length), `${kept.output}_from_${kept.first}.npy`);
$("save-audio").onclick = () => save(wav(kept.audio, kept.sampleRate), "audio.wav");
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", () => document.body.classList.remove("dragging"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  takeFile(event.dataTransfer.files[0]);
});
document.addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
  if (ctrlKey || metaKey || altKey || /^(INPUT|SELECT|BUTTON|TEXTAREA)$/.test(target.tagName)) {
    return;
  }
  const button = { m: "microphone", p: "pause", r: "reset" }[key];
  if (button) $(button).click();
});
$("key").onchange = loadModels;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
new ResizeObserver(changed).observe($("map"));

function takeFile(file) {
  if (file) void start(() => openFile(file, { fast: $("speed").value === "fast" }));
}

function save(bytes, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function explainScores() {
  const model = models.find(({ id }) => id === $("model").value);
  const note = $("score-note");
  note.hidden = view.scores.any && $("score").checked;
  if (model?.dims.steps === 0) {
    note.textContent = "This model has no predictors, so there is nothing to score.";
  } else if (!$("score").checked) note.textContent = "Scores are switched off.";
  else {note.textContent =
      "Begins when the stream has enough past to compare with, after about a second and a half.";}
}

async function loadModels() {
  const key = $("key").value;
  try {
    const answer = await fetch("/v1/models", {
      headers: key ? { authorization: `Bearer ${key}` } : {},
    });
    const body = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(body.error.message), { code: body.error.code });
    models = body.data;
    $("model").replaceChildren(...models.map(({ id }) => new Option(id, id)));
    $("problem").hidden = true;
    say("Press the button and speak, or drop an audio file. Keys: M microphone, P pause, R reset.");
  } catch (error) {
    if (error.code === "unauthorized" && !key) say("This server wants a key: type it above.");
    else complain(error.code ? error : { code: "connection_lost" });
  }
  explainScores();
}

for (const id of ["origin", "origin2"]) $(id).textContent = location.origin;
clear();
setInterval(tell, TELL_MS);
setState("idle", "idle");
void loadModels();
