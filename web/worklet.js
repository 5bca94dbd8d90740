/** Hands the microphone's samples on, as mono floats, in pieces of about 20 ms. */
const PIECE_SAMPLES = Math.ceil(sampleRate / 50 / 128) * 128;

class Capture extends AudioWorkletProcessor {
  #piece = new Float32Array(PIECE_SAMPLES);
  #filled = 0;

  process([channels]) {
    if (channels.length === 0) return true; // no input is connected
    const samples = channels[0].length;
    for (let i = 0; i < samples; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
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
