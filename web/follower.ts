/** The interface of the page's panels: they follow a stream. */
import type { Frames, HeadEvent, HeadMessage, Ready } from "../client/mod.ts";
import type { Channels } from "../client/browser/source.ts";
import type { Head } from "./models.ts";
import type { Colours } from "./pictures/colours.ts";

/** The kind of vectors shown. */
export type Shown = "context" | "latent";

/** The audio of a source. */
export interface AudioFormat {
  readonly sampleRate: number;
  readonly channels: Channels;
}

/** Audio that was handed to the client. */
export interface Heard {
  /** As it was handed over: interleaved if there are two channels. */
  readonly samples: Float32Array<ArrayBuffer>;
  /** Samples of each channel. */
  readonly length: number;
}

/** Received frames. */
export interface Taken {
  readonly frames: Frames;
  /** Vectors of the shown output. */
  readonly rows: readonly Float32Array[];
  readonly ready: Ready;
}

/** A panel that follows a stream. */
export interface Follower {
  /** A stream or a segment begins; its audio counts from 0. */
  beginAudio?(format: AudioFormat): void;
  hear?(heard: Heard): void;
  /** From now on, vectors are of another kind. */
  beginVectors?(shown: Shown): void;
  take?(taken: Taken): void;
  /** From now on, rows and events come from these heads. */
  beginHeads?(heads: readonly Head[]): void;
  /** Rows of a head. */
  takeRows?(rows: HeadMessage): void;
  takeEvent?(event: HeadEvent): void;
  /** Paints, at most once per screen refresh. */
  draw?(colours: Colours): void;
  /** Writes a few times a second, since nobody can read faster. */
  tell?(): void;
}
