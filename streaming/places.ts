/** Streams of several servers that share their bounds: who counts them, and what is counted. */

/** A stream that wants a place among those of all servers. */
export interface WantedPlace {
  /** Name of the key; "" without one. */
  readonly owner: string;
  /** How many streams it counts as. */
  readonly streams: number;
  /** Name of the session that it resumes; an older connection of it counts no more. */
  readonly session?: string;
  /** Most streams of all servers, and of the owner (Infinity for no bound). */
  readonly most: number;
  readonly ownMost: number;
}

/** A stream's place. */
export interface Place {
  /** The stream has a session, which may be resumed elsewhere, and counts as `streams`. */
  name(session: string, streams: number): void;
  /** It counts as so many streams, which a resume learns from its session; or says what is full. */
  grow(streams: number): Promise<"server" | "key" | undefined>;
  leave(): void;
}

/** Counts the streams of all servers. */
export interface PlacesOfAll {
  /** Takes a place; or says what is full. */
  take(wanted: WantedPlace): Promise<Place | "server" | "key">;
}
