// Made of client/browser/worklet.ts by deno task build:web.
// client/browser/worklet.ts
var PIECE_SAMPLES = Math.ceil(sampleRate / 50 / 128) * 128;
var Capture = class extends AudioWorkletProcessor {
  #piece = new Float32Array(PIECE_SAMPLES);
  #filled = 0;
  process([channels = []]) {
    const samples = channels[0]?.length ?? 0;
    for (let i = 0; i < samples; i++) {
      const sum = channels.reduce((sum2, channel) => sum2 + channel[i], 0);
      this.#piece[this.#filled + i] = sum / channels.length;
    }
    this.#filled += samples;
    if (this.#filled + samples > PIECE_SAMPLES) {
      const piece = this.#piece.slice(0, this.#filled);
      this.port.postMessage(piece, [
        piece.buffer
      ]);
      this.#filled = 0;
    }
    return true;
  }
};
registerProcessor("capture", Capture);
