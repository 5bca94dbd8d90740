/** The streams of all servers, counted in one place. */
import type { WantedPlace } from "../streaming/places.ts";

/** A stream that wants a place; one that resumes a session counts once with that session's own. */
export type Wanted = Omit<WantedPlace, "most" | "ownMost">;

/** Most streams of all, and of the owner. */
export interface PlaceBounds {
  readonly most: number;
  readonly ownMost?: number;
}

/** Places that count together: those of one session, or a single one. */
interface Group {
  readonly owner: string;
  /** Its name among the sessions. */
  readonly session?: string;
  streams: number;
  readonly places: Set<string>;
}

/** Counts the streams of all servers, by owner too. */
export class Places {
  /** By place. */
  readonly #groups = new Map<string, Group>();
  /** By owner and session. */
  readonly #sessions = new Map<string, Group>();
  readonly #owners = new Map<string, number>();
  #streams = 0;

  /** Streams of all servers. */
  get streams(): number {
    return this.#streams;
  }

  /**
   * Takes a place.
   *
   * @param server the server's number
   * @param options `place`: the server's own number for it
   * @returns what is full; undefined if the place is taken
   */
  take(server: number, { place, wanted, bounds: { most, ownMost = Infinity } }: {
    place: number;
    wanted: Wanted;
    bounds: PlaceBounds;
  }): "server" | "key" | undefined {
    const { owner, streams, session } = wanted;
    if (session === undefined || !this.#sessions.has(sessionOf(owner, session))) {
      const full = this.#full(owner, { more: streams, most, ownMost });
      if (full) return full;
    }
    this.#join(placeOf(server, place), wanted);
    return undefined;
  }

  /**
   * A place turns out to be that of several streams.
   *
   * @returns what is full; the place then counts as before
   */
  grow(server: number, { place, streams, bounds: { most, ownMost = Infinity } }: {
    place: number;
    streams: number;
    bounds: PlaceBounds;
  }): "server" | "key" | undefined {
    const group = this.#groups.get(placeOf(server, place));
    const more = group ? streams - group.streams : 0;
    if (!group || more <= 0) return undefined;
    const full = this.#full(group.owner, { more, most, ownMost });
    if (!full) this.#count(group, more);
    return full;
  }

  #full(
    owner: string,
    { more, most, ownMost }: { more: number; most: number; ownMost: number },
  ): "server" | "key" | undefined {
    if (this.#streams + more > most) return "server";
    if ((this.#owners.get(owner) ?? 0) + more > ownMost) return "key";
    return undefined;
  }

  /** The stream of a place has a session: it may be resumed elsewhere, and counts as `streams`. */
  name(
    server: number,
    { place, session, streams }: { place: number; session: string; streams: number },
  ): void {
    const name = placeOf(server, place);
    const owner = this.#groups.get(name)?.owner;
    if (owner === undefined) return;
    this.#leave(name);
    this.#join(name, { owner, session, streams });
  }

  /** A stream has ended. */
  leave(server: number, place: number): void {
    this.#leave(placeOf(server, place));
  }

  /** A server has ended, and its streams with it. */
  forget(server: number): void {
    const prefix = placeOf(server, "");
    for (const name of [...this.#groups.keys()]) if (name.startsWith(prefix)) this.#leave(name);
  }

  #join(place: string, { owner, streams, session }: Wanted): void {
    const name = session === undefined ? undefined : sessionOf(owner, session);
    const group = name === undefined ? undefined : this.#sessions.get(name);
    if (group) {
      group.places.add(place);
      this.#groups.set(place, group);
      this.#count(group, Math.max(0, streams - group.streams));
      return;
    }
    const alone: Group = { owner, session: name, streams: 0, places: new Set([place]) };
    this.#groups.set(place, alone);
    if (name !== undefined) this.#sessions.set(name, alone);
    this.#count(alone, streams);
  }

  #leave(place: string): void {
    const group = this.#groups.get(place);
    if (!group) return;
    this.#groups.delete(place);
    group.places.delete(place);
    if (group.places.size > 0) return;
    this.#count(group, -group.streams);
    if (group.session !== undefined) this.#sessions.delete(group.session);
  }

  #count(group: Group, more: number): void {
    group.streams += more;
    this.#streams += more;
    const left = (this.#owners.get(group.owner) ?? 0) + more;
    if (left > 0) this.#owners.set(group.owner, left);
    else this.#owners.delete(group.owner);
  }
}

function placeOf(server: number, place: number | ""): string {
  return `${server}/${place}`;
}

function sessionOf(owner: string, session: string): string {
  return `${owner}/${session}`;
}
