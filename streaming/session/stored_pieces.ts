/** Which pieces of heads' states a session's records hold, so that each is recorded once. */
import type { Checkpoint } from "../../inference/messages.ts";
import type { Piece } from "../../inference/snapshot.ts";

interface StoredPiece {
  readonly name: number;
  /** The record that holds it. */
  readonly seq: number;
}

/** The pieces of one session. */
export class StoredPieces {
  readonly #stored = new Map<Piece, StoredPiece>();
  #nextName = 0;

  /** The name of each. */
  get names(): ReadonlyMap<Piece, number> {
    return new Map(Array.from(this.#stored, ([piece, { name }]) => [piece, name]));
  }

  /** A record that was read holds some. */
  found(pieces: ReadonlyMap<number, Piece>, seq: number): void {
    for (const [name, piece] of pieces) {
      this.#stored.set(piece, { name, seq });
      this.#nextName = Math.max(this.#nextName, name + 1);
    }
  }

  /**
   * Names the pieces that a record must hold so that its checkpoints can be restored.
   *
   * @param options `seq`: the record's number; `since`: one from which earlier records are too old
   *   to be relied on: what they hold is recorded again, so that they need not be kept for ever
   */
  add(
    checkpoints: readonly Checkpoint[],
    { seq, since }: { seq: number; since: number },
  ): ReadonlyMap<number, Piece> {
    const added = new Map<number, Piece>();
    for (const piece of piecesOf(checkpoints)) {
      if ((this.#stored.get(piece)?.seq ?? -1) >= since) continue;
      const name = this.#nextName++;
      this.#stored.set(piece, { name, seq });
      added.set(name, piece);
    }
    return added;
  }

  /** The oldest record that a checkpoint of record `seq` needs. */
  oldestOf(checkpoint: Checkpoint, seq: number): number {
    let oldest = seq;
    for (const piece of piecesOf([checkpoint])) {
      oldest = Math.min(oldest, this.#stored.get(piece)?.seq ?? seq);
    }
    return oldest;
  }

  /** Records before this one are gone. */
  dropBefore(seq: number): void {
    for (const [piece, stored] of this.#stored) {
      if (stored.seq < seq) this.#stored.delete(piece);
    }
  }
}

function piecesOf(checkpoints: readonly Checkpoint[]): Set<Piece> {
  return new Set(
    checkpoints.flatMap(({ heads = [] }) => heads.flatMap(({ state }) => state)),
  );
}
