/** An audio file: played aloud at its own speed, or sent as fast as the server takes it. */
import { flacRate, readWav, type Sound } from "./sound_file.ts";
import type { Give, Source } from "./source.ts";

/** Sample rates that a stream takes. */
const RATES = { lowest: 8000, highest: 96_000 };
const FALLBACK_RATE = 48_000;
const PIECE_SECONDS = 0.5;
const TICK_MS = 20;

/**
 * Reads a file.
 *
 * @throws {DOMException} when the browser cannot decode it
 */
export async function openFile(file: File, { isFast }: { isFast: boolean }): Promise<Source> {
  const sound = await decode(await file.arrayBuffer());
  return isFast ? new PouredFile(file.name, sound) : new PlayedFile(file.name, sound);
}

abstract class FileSource implements Source {
  isPaused = false;
  protected isStopped = false;

  constructor(readonly name: string, protected readonly sound: Sound) {}

  get sampleRate(): number {
    return this.sound.sampleRate;
  }

  async run(give: Give, ended: () => void): Promise<void> {
    await this.giveAll(give);
    if (!this.isStopped) ended();
  }

  stop(): void {
    this.isStopped = true;
  }

  protected abstract giveAll(give: Give): Promise<void>;
}

class PouredFile extends FileSource {
  protected override async giveAll(give: Give): Promise<void> {
    const { samples, sampleRate } = this.sound;
    const piece = Math.round(PIECE_SECONDS * sampleRate);
    for (let at = 0; at < samples.length && !this.isStopped; at += piece) {
      while (this.isPaused && !this.isStopped) await tick();
      await give(samples.slice(at, at + piece));
    }
  }
}

class PlayedFile extends FileSource {
  readonly #player = new AudioContext();

  protected override async giveAll(give: Give): Promise<void> {
    const { samples, sampleRate } = this.sound;
    this.#play();
    let at = 0;
    let elapsedMs = 0;
    let lastMs = performance.now();
    while (at < samples.length && !this.isStopped) {
      await tick();
      const nowMs = performance.now();
      if (this.isPaused !== (this.#player.state === "suspended")) {
        void (this.isPaused ? this.#player.suspend() : this.#player.resume());
      }
      if (!this.isPaused) elapsedMs += nowMs - lastMs;
      lastMs = nowMs;
      const due = Math.min(samples.length, Math.round(elapsedMs / 1000 * sampleRate));
      if (due > at) void give(samples.slice(at, due));
      at = due;
    }
  }

  override stop(): void {
    super.stop();
    if (this.#player.state !== "closed") void this.#player.close();
  }

  #play(): void {
    const { samples, sampleRate } = this.sound;
    const node = this.#player.createBufferSource();
    node.buffer = new AudioBuffer({ length: samples.length, sampleRate });
    node.buffer.copyToChannel(samples, 0);
    node.connect(this.#player.destination);
    node.start();
  }
}

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, TICK_MS));
}

async function decode(bytes: ArrayBuffer): Promise<Sound> {
  const isStreamable = (rate: number) => rate >= RATES.lowest && rate <= RATES.highest;
  const plain = readWav(bytes);
  if (plain && plain.samples.length > 0 && isStreamable(plain.sampleRate)) return plain;
  const stated = flacRate(bytes);
  const sampleRate = stated && isStreamable(stated) ? stated : FALLBACK_RATE;
  const audio = await new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(bytes);
  return { sampleRate, samples: toMono(audio) };
}

function toMono(audio: AudioBuffer): Float32Array<ArrayBuffer> {
  const mono = new Float32Array(audio.length);
  for (let channel = 0; channel < audio.numberOfChannels; channel++) {
    for (const [i, x] of audio.getChannelData(channel).entries()) {
      mono[i]! += x / audio.numberOfChannels;
    }
  }
  return mono;
}
