/** An audio file: played aloud at its own speed, or sent as fast as the server takes it. */
import { StreamError } from "../stream_error.ts";
import { flacRate, interleave, readWav, type Sound, toMono } from "./sound_file.ts";
import type { Channels, Give, Source } from "./source.ts";

/** Sample rates that a stream takes. */
const RATES = { lowest: 8000, highest: 96_000 };
const FALLBACK_RATE = 48_000;
const PIECE_SECONDS = 0.5;
const TICK_MS = 20;

/**
 * Reads a file.
 *
 * @param options `isFast`: sent as fast as the server takes it; `channels`: 1 (default) for the
 *   mean of the file's, 2 for a file of two speakers
 * @throws {DOMException} when the browser cannot decode it
 * @throws {StreamError} `not_stereo` when two channels are wanted of a file that has not two
 */
export async function openFile(
  file: File,
  { isFast, channels = 1 }: { isFast: boolean; channels?: Channels },
): Promise<Source> {
  const read = await decode(await file.arrayBuffer());
  const has = read.channels.length;
  if (channels === 2 && has !== 2) {
    throw new StreamError("not_stereo", `${file.name} must have 2 channels, not ${has}`);
  }
  const sound = channels === 2 ? read : { ...read, channels: [toMono(read.channels)] };
  return isFast ? new PouredFile(file.name, sound) : new PlayedFile(file.name, sound);
}

abstract class FileSource implements Source {
  isPaused = false;
  protected isStopped = false;

  constructor(readonly name: string, protected readonly sound: Sound) {}

  get sampleRate(): number {
    return this.sound.sampleRate;
  }

  get channels(): Channels {
    return this.sound.channels.length === 2 ? 2 : 1;
  }

  /** Samples of each channel. */
  protected get length(): number {
    return this.sound.channels[0]?.length ?? 0;
  }

  /** Interleaved samples. */
  protected slice(from: number, to: number): Float32Array<ArrayBuffer> {
    return interleave(this.sound.channels.map((channel) => channel.slice(from, to)));
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
    const piece = Math.round(PIECE_SECONDS * this.sampleRate);
    for (let at = 0; at < this.length && !this.isStopped; at += piece) {
      while (this.isPaused && !this.isStopped) await tick();
      await give(this.slice(at, at + piece));
    }
  }
}

class PlayedFile extends FileSource {
  readonly #player = new AudioContext();

  protected override async giveAll(give: Give): Promise<void> {
    const { sampleRate, length } = this;
    this.#play();
    let at = 0;
    let elapsedMs = 0;
    let lastMs = performance.now();
    while (at < length && !this.isStopped) {
      await tick();
      const nowMs = performance.now();
      if (this.isPaused !== (this.#player.state === "suspended")) {
        void (this.isPaused ? this.#player.suspend() : this.#player.resume());
      }
      if (!this.isPaused) elapsedMs += nowMs - lastMs;
      lastMs = nowMs;
      const due = Math.min(length, Math.round(elapsedMs / 1000 * sampleRate));
      if (due > at) void give(this.slice(at, due));
      at = due;
    }
  }

  override stop(): void {
    super.stop();
    if (this.#player.state !== "closed") void this.#player.close();
  }

  #play(): void {
    const { sampleRate, length, channels: numberOfChannels } = this;
    const node = this.#player.createBufferSource();
    node.buffer = new AudioBuffer({ length, sampleRate, numberOfChannels });
    for (const [c, channel] of this.sound.channels.entries()) {
      node.buffer.copyToChannel(channel, c);
    }
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
  if (plain?.channels[0]?.length && isStreamable(plain.sampleRate)) return plain;
  const stated = flacRate(bytes);
  const sampleRate = stated && isStreamable(stated) ? stated : FALLBACK_RATE;
  const audio = await new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(bytes);
  return {
    sampleRate,
    channels: Array.from(
      { length: audio.numberOfChannels },
      (_, channel) => audio.getChannelData(channel),
    ),
  };
}
