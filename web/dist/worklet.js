// Made of client/browser/worklet.ts by deno task build:web.
// client/browser/worklet.ts
var PIECE_SAMPLES = Math.ceil(sampleRate / 50 / 128) * 128;
var Capture = class extends AudioWorkletProcessor {
  #channels;
  #piece;
  #filled = 0;
  constructor({ processorOptions: { channels } }) {
    super();
    this.#channels = channels;
    this.#piece = new Float32Array(PIECE_SAMPLES * channels);
  }
  process([inputs = []]) {
    const samples = inputs[0]?.length ?? 0;
    for (let i = 0; i < samples; i++) {
      if (this.#channels === 1) {
        this.#add(inputs.reduce((sum, input) => sum + input[i], 0) / inputs.length);
      } else for (let c = 0; c < this.#channels; c++) this.#add(inputs[c]?.[i] ?? 0);
    }
    if (this.#filled + samples * this.#channels > this.#piece.length) {
      const piece = this.#piece.slice(0, this.#filled);
      this.port.postMessage(piece, [
        piece.buffer
      ]);
      this.#filled = 0;
    }
    return true;
  }
  #add(sample) {
    this.#piece[this.#filled++] = sample;
  }
};
registerProcessor("capture", Capture);
