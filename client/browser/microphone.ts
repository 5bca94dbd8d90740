/** The microphone, or two of them, unprocessed: no rate conversion, no noise suppression. */
import type { Channels, Give, Source } from "./source.ts";
import { WORKLET } from "./worklet_text.ts";

/** Options of {@linkcode openMicrophone}. */
export interface MicrophoneOptions {
  /**
   * Address of `worklet.js` of this package; default: a `blob:` address, which a page's
   * Content-Security-Policy must then allow in `script-src`.
   */
  readonly workletUrl?: string | URL;
  /** 2: one for each of two speakers; default 1, the mean of what the device gives. */
  readonly channels?: Channels;
  /**
   * The browser's ids of the devices, `""` for its own choice, which is the default. For two
   * channels, one device with two or two devices with one each.
   */
  readonly devices?: readonly string[];
}

/**
 * Asks for the microphone.
 *
 * @throws {DOMException} if the browser or the visitor refuses; `OverconstrainedError` where a
 *   device is gone, or has one channel and two are asked of it
 */
export async function openMicrophone(
  { workletUrl, channels = 1, devices = [""] }: MicrophoneOptions = {},
): Promise<Source> {
  if (!navigator.mediaDevices) {
    throw new DOMException("no microphone without a secure context", "SecurityError");
  }
  const media: MediaStream[] = [];
  let context: AudioContext | undefined;
  try {
    for (const device of devices) {
      media.push(await ask(device, { isStereo: channels > devices.length }));
    }
    context = new AudioContext();
    await addWorklet(context, workletUrl);
    return new Microphone(media, { context, channels });
  } catch (error) {
    release(media);
    await context?.close();
    throw error;
  }
}

async function ask(device: string, { isStereo }: { isStereo: boolean }): Promise<MediaStream> {
  return await navigator.mediaDevices.getUserMedia({
    audio: {
      ...(device !== "" && { deviceId: { exact: device } }),
      ...(isStereo && { channelCount: { exact: 2 } }),
      echoCancellation: false,
      noiseSuppression: false,
      autoGainControl: false,
    },
  });
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

function release(media: readonly MediaStream[]): void {
  for (const track of media.flatMap((one) => one.getTracks())) track.stop();
}

class Microphone implements Source {
  isPaused = false;
  readonly channels: Channels;
  readonly #media: readonly MediaStream[];
  readonly #context: AudioContext;
  #capture: AudioWorkletNode | undefined;

  constructor(
    media: readonly MediaStream[],
    { context, channels }: { context: AudioContext; channels: Channels },
  ) {
    this.#media = media;
    this.#context = context;
    this.channels = channels;
  }

  get name(): string {
    return this.#tracks.map(({ label }) => label || "microphone").join(" and ");
  }

  get sampleRate(): number {
    return this.#context.sampleRate;
  }

  get #tracks(): MediaStreamTrack[] {
    return this.#media.flatMap((one) => one.getAudioTracks());
  }

  async run(give: Give, ended: (problem?: string) => void): Promise<void> {
    const { channels } = this;
    this.#capture = new AudioWorkletNode(this.#context, "capture", {
      numberOfOutputs: 0,
      processorOptions: { channels },
      ...(channels === 2 && {
        channelCount: 2,
        channelCountMode: "explicit",
        channelInterpretation: "discrete",
      }),
    });
    this.#capture.port.onmessage = ({ data }: MessageEvent<Float32Array<ArrayBuffer>>) => {
      if (!this.isPaused) void give(data);
    };
    for (const track of this.#tracks) {
      track.onended = () => ended("A microphone was unplugged or its permission was withdrawn.");
    }
    this.#connect(this.#capture);
    await this.#context.resume();
  }

  stop(): void {
    if (this.#capture) this.#capture.port.onmessage = null;
    release(this.#media);
    if (this.#context.state !== "closed") void this.#context.close();
  }

  /** One device as it is; of several, each becomes a channel. */
  #connect(capture: AudioNode): void {
    const nodes = this.#media.map((one) => this.#context.createMediaStreamSource(one));
    if (nodes.length === 1) return void nodes[0]?.connect(capture);
    const merger = this.#context.createChannelMerger(nodes.length);
    for (const [channel, node] of nodes.entries()) node.connect(merger, 0, channel);
    merger.connect(capture);
  }
}
