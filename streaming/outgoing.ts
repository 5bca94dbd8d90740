/** The outgoing side of one socket: messages, and frames in the requested format. */
import { formatRow } from "../formats/float_text.ts";
import { channelBlock, headsFrom } from "../inference/frame_block.ts";
import type { FrameBlock, Want } from "../inference/messages.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { rowTime } from "../model/heads/spec.ts";
import { encodeBinary, encodeJson, type FrameShape, rowsFrom } from "./protocol/frames.ts";
import { encodeHead } from "./protocol/head_rows.ts";
import type { ServerMessage } from "./protocol/messages.ts";
import type { Session } from "./session/session.ts";
import type { Wire } from "./wire.ts";

/** Times what is done with a step's frames, in ms; the server's profile implements it. */
export interface FrameClock {
  took(part: "encode" | "send", ms: number): void;
}

/** The outgoing side of a socket. */
export class Outgoing {
  /** Frames before this one are not sent, since a resumed client has them. */
  firstFrame = 0;
  readonly #wire: Pick<Wire, "bufferedAmount" | "send">;
  readonly #maxBytes: number;
  readonly #onSent: () => void;
  readonly #clock?: FrameClock;
  #ended = false;
  /** Time that the socket took for messages; only with a clock. */
  #sendingMs = 0;

  /**
   * @param options `maxBytes`: most bytes that may wait to be read; `onSent`: called when some of
   *   them have left; `clock`: times the frames
   */
  constructor(
    wire: Pick<Wire, "bufferedAmount" | "send">,
    { maxBytes, onSent, clock }: { maxBytes: number; onSent: () => void; clock?: FrameClock },
  ) {
    this.#wire = wire;
    this.#maxBytes = maxBytes;
    this.#onSent = onSent;
    this.#clock = clock;
  }

  /** Bytes that wait to be read by the client. */
  get waitingBytes(): number {
    return this.#wire.bufferedAmount;
  }

  /** Whether more bytes wait than may: the reader is slow. */
  get full(): boolean {
    return this.waitingBytes > this.#maxBytes;
  }

  /** Sends a message. */
  say(message: ServerMessage): void {
    this.#write(JSON.stringify(message));
  }

  /**
   * Sends the frames of a step, a message for each channel, and before them what heads gave with
   * them: a client that lost its connection in between gets those rows again, but never misses one.
   * Returns how many frames the client gets.
   */
  frames(stepped: FrameBlock, session: Session): number {
    if (!this.#clock) return this.#frames(stepped, session);
    const startedMs = performance.now();
    const sendingMs = this.#sendingMs;
    const sent = this.#frames(stepped, session);
    const sendMs = this.#sendingMs - sendingMs;
    this.#clock.took("encode", performance.now() - startedMs - sendMs);
    this.#clock.took("send", sendMs);
    return sent;
  }

  #frames(stepped: FrameBlock, session: Session): number {
    this.#heads(stepped, session);
    const shape = frameShape(session, stepped.want);
    const { format, dtype, split } = session.config;
    let sent = 0;
    for (let c = 0; c < stepped.channels; c++) {
      const block = rowsFrom(channelBlock(stepped, c), { first: this.firstFrame, shape });
      if (block.count === 0) return 0;
      const channel = split ? c : undefined;
      this.#write(
        format === "binary"
          ? encodeBinary(block, { shape, dtype, channel })
          : encodeJson(block, { shape, formatRow, channel }),
      );
      sent += block.count;
    }
    return sent;
  }

  #heads({ heads }: FrameBlock, session: Session): void {
    if (!heads) return;
    const { hopSamples } = session.layout.plan;
    for (const block of headsFrom(heads, this.firstFrame)) {
      const { head, channel, every, count, events } = block;
      const spec = session.heads.get(head)?.spec;
      if (!spec) continue; // the session was opened with it, so it is there
      if (count > 0) this.#write(encodeHead(block, { spec, hopSamples, formatRow }));
      for (const { event, state, row } of events) {
        const whose = channel === undefined ? {} : { channel };
        const time = rowTime(row, { every, hopSamples });
        this.say({ type: "event", head, ...whose, event, state, time });
      }
    }
  }

  /** Sends nothing more. */
  end(): void {
    this.#ended = true;
  }

  #write(data: string | Uint8Array): void {
    if (this.#ended) return;
    const startedMs = this.#clock && performance.now();
    this.#wire.send(data, this.#onSent);
    if (startedMs !== undefined) this.#sendingMs += performance.now() - startedMs;
  }
}

/** What the codec needs to know about a stream's frames. */
function frameShape({ layout, config }: Session, want: Want): FrameShape {
  const { dims, plan } = layout;
  return {
    contextWidth: dims.context,
    latentWidth: dims.latent,
    frameSeconds: plan.hopSamples / MODEL_SAMPLE_RATE,
    steps: want.prediction.length || want.score.length || config.steps.length,
  };
}
