/**
 * Where audio comes from: the microphone, or a file. A source gives mono floats at its own rate.
 */
import { flacRate, readWav } from "./files.js";

/** Rates that a stream takes. */
const RATES = { lowest: 8000, highest: 96_000 };
const FALLBACK_RATE = 48_000;
const FILE_PIECE_SECONDS = 0.5;
const TICK_MS = 20;

/** The microphone, as the device gives it: no rate conversion, no noise suppression. */
export async function openMicrophone() {
  if (!navigator.mediaDevices) {
    throw new DOMException("no microphone without a secure context", "SecurityError");
  }
  const media = await navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  let context;
  try {
    context = new AudioContext();
    await context.audioWorklet.addModule("/assets/worklet.js");
  } catch (error) {
    media.getTracks().forEach((track) => track.stop());
    await context?.close();
    throw error;
  }
  const [track] = media.getAudioTracks();
  let capture;
  return {
    name: track.label || "microphone",
    sampleRate: context.sampleRate,
    paused: false,
    async run(give, ended) {
      capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
      capture.port.onmessage = ({ data }) => this.paused || give(data);
      track.onended = () => ended("The microphone was unplugged or its permission was withdrawn.");
      context.createMediaStreamSource(media).connect(capture);
      await context.resume();
    },
    stop() {
      if (capture) capture.port.onmessage = null;
      media.getTracks().forEach((track) => track.stop());
      if (context.state !== "closed") void context.close();
    },
  };
}

/** A file, at its own speed (and heard) or as fast as the server takes it. */
export async function openFile(file, { fast }) {
  const { sampleRate, samples } = await decode(await file.arrayBuffer());
  let stopped = false;
  let player;
  return {
    name: file.name,
    sampleRate,
    paused: false,
    async run(give, ended) {
      if (fast) await this.pour(give);
      else await this.play(give);
      if (!stopped) ended();
    },
    async pour(give) {
      const piece = Math.round(FILE_PIECE_SECONDS * sampleRate);
      for (let at = 0; at < samples.length && !stopped; at += piece) {
        while (this.paused && !stopped) await tick();
        await give(samples.slice(at, at + piece));
      }
    },
    async play(give) {
      player = new AudioContext();
      const node = player.createBufferSource();
      node.buffer = new AudioBuffer({ length: samples.length, sampleRate });
      node.buffer.copyToChannel(samples, 0);
      node.connect(player.destination);
      node.start();
      let at = 0;
      let elapsedMs = 0;
      let lastMs = performance.now();
      while (at < samples.length && !stopped) {
        await tick();
        const nowMs = performance.now();
        if (this.paused !== (player.state === "suspended")) {
          void (this.paused ? player.suspend() : player.resume());
        }
        if (!this.paused) elapsedMs += nowMs - lastMs;
        lastMs = nowMs;
        const due = Math.min(samples.length, Math.round(elapsedMs / 1000 * sampleRate));
        if (due > at) void give(samples.slice(at, due));
        at = due;
      }
    },
    stop() {
      stopped = true;
      void player?.close();
    },
  };
}

function tick() {
  return new Promise((resolve) => setTimeout(resolve, TICK_MS));
}

async function decode(bytes) {
  const isStreamable = (rate) => rate >= RATES.lowest && rate <= RATES.highest;
  const plain = readWav(bytes);
  if (plain?.samples.length > 0 && isStreamable(plain.sampleRate)) return plain;
  const stated = flacRate(bytes);
  const sampleRate = isStreamable(stated) ? stated : FALLBACK_RATE;
  const audio = await new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(bytes);
  return { sampleRate, samples: toMono(audio) };
}

function toMono(audio) {
  const mono = new Float32Array(audio.length);
  for (let channel = 0; channel < audio.numberOfChannels; channel++) {
    const samples = audio.getChannelData(channel);
    for (let i = 0; i < mono.length; i++) mono[i] += samples[i] / audio.numberOfChannels;
  }
  return mono;
}
