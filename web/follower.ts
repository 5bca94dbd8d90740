/** The interface of the page's panels: they follow a stream. */
import type { Frames, Ready } from "../client/mod.ts";
import type { Colours } from "./pictures/colours.ts";

/** The kind of vectors shown. */
export type Shown = "context" | "latent";

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
  beginAudio?(sampleRate: number): void;
  /** Audio was handed to the client, mono. */
  hear?(samples: Float32Array<ArrayBuffer>): void;
  /** From now on, vectors are of another kind. */
  beginVectors?(shown: Shown): void;
  take?(taken: Taken): void;
  /** Paints, at most once per screen refresh. */
  draw?(colours: Colours): void;
  /** Writes a few times a second, since nobody can read faster. */
  tell?(): void;
}
