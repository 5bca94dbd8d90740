/**
 * The decoders of a server's Opus sessions, which live as long as these, with or without a socket.
 */
import { LiveDecoder } from "../../audio/live_decoder.ts";
import { isOpus } from "../../audio/stream_encodings.ts";
import { CpcError } from "../../errors.ts";
import { MODEL_SAMPLE_RATE } from "../../model/architecture.ts";
import { HISTORY_SECONDS } from "./history.ts";
import type { Session } from "./session.ts";
import { type Waiting, WaitingList } from "./waiting_list.ts";

interface Shelved {
  readonly decoder: LiveDecoder;
  /** While its session has no socket. */
  place?: Place;
}

/** Where a decoder waits. */
interface Place extends Waiting {
  readonly id: string;
  readonly expiresAtMs: number;
}

/** Decoders by the names of their sessions. */
export class DecoderShelf {
  readonly #decoders = new Map<string, Shelved>();
  /** In order of expiry. */
  readonly #waiting = new WaitingList<Place>();
  readonly #maxKept: number;

  /**
   * @param options `maxKept`: most decoders of sessions without a socket; beyond this, the client
   *   with most of them loses the one that expires first
   */
  constructor({ maxKept }: { maxKept: number }) {
    this.#maxKept = maxKept;
  }

  /** Gives a new session its decoder, if it needs one. */
  begin(session: Session): void {
    const { encoding, channels, channel, split } = session.config;
    if (!isOpus(encoding)) return;
    session.live = new LiveDecoder({
      encoding,
      channels,
      channel,
      split: split !== undefined,
      streams: session.streams,
    });
    this.#decoders.set(session.id, { decoder: session.live });
  }

  /**
   * Finds the decoder of a session that is about to be resumed.
   *
   * @throws {CpcError} `unknown_resume_token` if another server has it
   */
  check(session: Session): void {
    if (!isOpus(session.config.encoding) || this.#decoders.has(session.id)) return;
    throw elsewhere(session);
  }

  /**
   * Gives a session that is resumed its decoder, once that has decoded all it was given.
   *
   * @throws {CpcError} `unknown_resume_token` if it is not here, too far ahead, or has more left to
   *   decode than a session remembers
   */
  async resume(session: Session): Promise<void> {
    if (!isOpus(session.config.encoding)) return;
    const shelved = this.#decoders.get(session.id);
    if (!shelved) throw elsewhere(session);
    this.#leave(shelved);
    if (shelved.decoder !== session.live && !session.adopt(shelved.decoder)) {
      throw elsewhere(session);
    }
    // what came before the connection was lost is part of the position that the client is told
    let samples = 0;
    while (await shelved.decoder.ready()) {
      samples += (session.take()?.length ?? 0) / session.streams;
      if (samples > HISTORY_SECONDS * MODEL_SAMPLE_RATE) throw tooMuchLeft();
    }
  }

  /**
   * A session lost its socket.
   *
   * @param options `client`: among whom the places are shared out
   */
  keep(session: Session, { expiresAtMs, client }: { expiresAtMs: number; client: string }): void {
    const { id, streams, isUnheard } = session;
    const shelved = this.#decoders.get(id);
    if (!shelved) return;
    this.#leave(shelved); // to the end
    shelved.place = { id, expiresAtMs, client, streams, isUnheard };
    this.#waiting.add(shelved.place);
    if (this.#waiting.size > this.#maxKept) this.#drop(this.#waiting.firstToGo!.id);
  }

  /** A session has ended for good. */
  drop({ id }: Pick<Session, "id">): void {
    this.#drop(id);
  }

  /** Drops what has expired. */
  expire(nowMs: number): void {
    for (const { id, expiresAtMs } of this.#waiting) {
      if (expiresAtMs > nowMs) return;
      this.#drop(id);
    }
  }

  /** Ends all decoders. */
  close(): void {
    for (const id of [...this.#decoders.keys()]) this.#drop(id);
  }

  #drop(id: string): void {
    const shelved = this.#decoders.get(id);
    if (!shelved) return;
    this.#leave(shelved);
    shelved.decoder.close();
    this.#decoders.delete(id);
  }

  #leave(shelved: Shelved): void {
    if (shelved.place) this.#waiting.remove(shelved.place);
    shelved.place = undefined;
  }
}

function tooMuchLeft(): CpcError {
  const why = `the session's decoder held more than ${HISTORY_SECONDS} s of audio that had not ` +
    "been computed; begin a new stream";
  return new CpcError("unknown_resume_token", why, { param: "resume" });
}

function elsewhere({ config }: Session): CpcError {
  const why =
    `a session with encoding=${config.encoding} can only be resumed at the server that has ` +
    "its decoder, while that runs; begin a new stream";
  return new CpcError("unknown_resume_token", why, { param: "resume" });
}
