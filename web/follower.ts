/** What the parts of the page have in common: they follow a stream. */
import type { Frames, Ready } from "../client/mod.ts";
import type { Colours } from "./pictures/colours.ts";

/** The vectors that are shown. */
export type Shown = "context" | "latent";

/** Frames that came. */
export interface Taken {
  readonly frames: Frames;
  /** Vectors of the output that is shown. */
  readonly rows: readonly Float32Array[];
  readonly ready: Ready;
}

/** A part of the page that follows a stream. */
export interface Follower {
  /** A stream or a segment begins: its audio counts from 0. */
  beginAudio?(sampleRate: number): void;
  /** Audio was handed to the client, mono. */
  hear?(samples: Float32Array<ArrayBuffer>): void;
  /** Other vectors come from now on. */
  beginVectors?(shown: Shown): void;
  take?(taken: Taken): void;
  /** Paints: at most once for each picture of the screen. */
  draw?(colours: Colours): void;
  /** Writes: a few times a second, people could not read more. */
  tell?(): void;
}
