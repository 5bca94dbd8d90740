/** Passes on the microphone's samples as floats, mono or interleaved, in pieces of about 20 ms. */

// Globals of an audio worklet, which TypeScript's libraries lack.
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(
  name: string,
  kind: new (node: { processorOptions: { channels: number } }) => AudioWorkletProcessor,
): void;

const PIECE_SAMPLES = Math.ceil(sampleRate / 50 / 128) * 128;

class Capture extends AudioWorkletProcessor {
  readonly #channels: number;
  readonly #piece: Float32Array;
  #filled = 0;

  constructor({ processorOptions: { channels } }: { processorOptions: { channels: number } }) {
    super();
    this.#channels = channels;
    this.#piece = new Float32Array(PIECE_SAMPLES * channels);
  }

  process([inputs = []]: readonly Float32Array[][]): boolean {
    const samples = inputs[0]?.length ?? 0; // 0 while no input is connected
    for (let i = 0; i < samples; i++) {
      if (this.#channels === 1) {
        this.#add(inputs.reduce((sum, input) => sum + input[i]!, 0) / inputs.length);
      } else for (let c = 0; c < this.#channels; c++) this.#add(inputs[c]?.[i] ?? 0);
    }
    if (this.#filled + samples * this.#channels > this.#piece.length) {
      const piece = this.#piece.slice(0, this.#filled);
      this.port.postMessage(piece, [piece.buffer]);
      this.#filled = 0;
    }
    return true;
  }

  #add(sample: number): void {
    this.#piece[this.#filled++] = sample;
  }
}

registerProcessor("capture", Capture);
