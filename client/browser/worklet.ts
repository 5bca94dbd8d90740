/** Passes on the microphone's samples as mono floats, in pieces of about 20 ms. */

// Globals of an audio worklet, which TypeScript's libraries lack.
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, kind: new () => AudioWorkletProcessor): void;

const PIECE_SAMPLES = Math.ceil(sampleRate / 50 / 128) * 128;

class Capture extends AudioWorkletProcessor {
  readonly #piece = new Float32Array(PIECE_SAMPLES);
  #filled = 0;

  process([channels = []]: readonly Float32Array[][]): boolean {
    const samples = channels[0]?.length ?? 0; // 0 while no input is connected
    for (let i = 0; i < samples; i++) {
      const sum = channels.reduce((sum, channel) => sum + channel[i]!, 0);
      this.#piece[this.#filled + i] = sum / channels.length;
    }
    this.#filled += samples;
    if (this.#filled + samples > PIECE_SAMPLES) {
      const piece = this.#piece.slice(0, this.#filled);
      this.port.postMessage(piece, [piece.buffer]);
      this.#filled = 0;
    }
    return true;
  }
}

registerProcessor("capture", Capture);
