/** The microphone, unprocessed: no rate conversion, no noise suppression. */
import type { Give, Source } from "./source.ts";
import { WORKLET } from "./worklet_text.ts";

/** Options of {@linkcode openMicrophone}. */
export interface MicrophoneOptions {
  /**
   * Address of `worklet.js` of this package; default: a `blob:` address, which a page's
   * Content-Security-Policy must then allow in `script-src`.
   */
  readonly workletUrl?: string | URL;
}

/**
 * Asks for the microphone.
 *
 * @throws {DOMException} if the browser or the visitor refuses
 */
export async function openMicrophone({ workletUrl }: MicrophoneOptions = {}): Promise<Source> {
  if (!navigator.mediaDevices) {
    throw new DOMException("no microphone without a secure context", "SecurityError");
  }
  const media = await navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  let context: AudioContext | undefined;
  try {
    context = new AudioContext();
    await addWorklet(context, workletUrl);
    return new Microphone(media, context);
  } catch (error) {
    media.getTracks().forEach((track) => track.stop());
    await context?.close();
    throw error;
  }
}

async function addWorklet(context: AudioContext, url?: string | URL): Promise<void> {
  if (url !== undefined) return await context.audioWorklet.addModule(url);
  const made = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(made);
  } finally {
    URL.revokeObjectURL(made);
  }
}

class Microphone implements Source {
  isPaused = false;
  readonly #media: MediaStream;
  readonly #context: AudioContext;
  #capture: AudioWorkletNode | undefined;

  constructor(media: MediaStream, context: AudioContext) {
    this.#media = media;
    this.#context = context;
  }

  get name(): string {
    return this.#media.getAudioTracks()[0]?.label || "microphone";
  }

  get sampleRate(): number {
    return this.#context.sampleRate;
  }

  async run(give: Give, ended: (problem?: string) => void): Promise<void> {
    this.#capture = new AudioWorkletNode(this.#context, "capture", { numberOfOutputs: 0 });
    this.#capture.port.onmessage = ({ data }: MessageEvent<Float32Array<ArrayBuffer>>) => {
      if (!this.isPaused) void give(data);
    };
    for (const track of this.#media.getAudioTracks()) {
      track.onended = () => ended("The microphone was unplugged or its permission was withdrawn.");
    }
    this.#context.createMediaStreamSource(this.#media).connect(this.#capture);
    await this.#context.resume();
  }

  stop(): void {
    if (this.#capture) this.#capture.port.onmessage = null;
    this.#media.getTracks().forEach((track) => track.stop());
    if (this.#context.state !== "closed") void this.#context.close();
  }
}
