/** The records of a stored session, and their bytes. */
import v8 from "node:v8";
import { z } from "zod";
import { STREAM_ENCODINGS } from "../../audio/stream_encodings.ts";
import type { Checkpoint } from "../../inference/messages.ts";
import { isPiece, type Piece, type Snapshot } from "../../inference/snapshot.ts";
import { outputName } from "../protocol/selection.ts";
import type { Session } from "./session.ts";

/**
 * Of this layout, of the states in it, and of the resampler's filter; docs/upgrades.md says when it
 * changes.
 */
export const STATE_VERSION = 6;
/** First byte of what v8 has packed; of a plain record it is the version. */
const V8 = 255;
const PLAIN_HEAD_BYTES = 32;

/** A record of a server that packs them in another way. */
export class OtherVersion extends Error {
  override readonly name = "OtherVersion";

  constructor(version: number) {
    super(`state version ${version}, and this server reads version ${STATE_VERSION}`);
  }
}

const floats = z.custom<Float32Array>((x) => x instanceof Float32Array);
const bytes = z.custom<Uint8Array>((x) => x instanceof Uint8Array);
const halves = z.custom<Int16Array>((x) => x instanceof Int16Array);
const index = z.int().min(0);
const selection = z.object({
  output: z.array(outputName).readonly(),
  steps: z.array(z.int()).readonly(),
  every: z.int().min(1),
  voice: floats.optional(),
});

/** What a session is, wherever it is in its signal. */
const identitySchema = z.object({
  id: z.string(),
  owner: z.string(),
  config: selection.extend({
    model: z.string(),
    encoding: z.enum(STREAM_ENCODINGS),
    sample_rate: z.int(),
    channels: z.int(),
    channel: z.int().optional(),
    split: z.literal(1).optional(),
    format: z.enum(["json", "binary"]),
    dtype: z.enum(["f32", "f16"]),
  }),
  selections: z.tuple(
    [z.object({ fromFrame: index, selection })],
    z.object({
      fromFrame: index,
      selection,
    }),
  ),
  /** Time of day, in milliseconds. */
  openedAtMs: z.number(),
  /** Of the weights, the engine and its precision. */
  fingerprint: z.string(),
});
/** What a session is, wherever it is in its signal. */
export type Identity = z.infer<typeof identitySchema>;

const checkpointSchema = z.object({
  hopsTaken: index,
  state: floats.optional(),
  score: z.array(z.object({ since: index, next: index, draws: floats, hidden: floats }))
    .readonly().optional(),
  heads: z.array(z.object({
    head: z.string(),
    channel: index.optional(),
    row: index,
    filled: index,
    features: floats,
    state: z.array(index), // names of its pieces, which this record holds or one before it
    events: z.array(z.object({ on: z.boolean(), since: z.int(), rows: index })).readonly(),
  })).readonly().optional(),
});
const pieceSchema = z.tuple([
  index,
  z.object({
    runs: z.custom<Piece["runs"]>((x) => x instanceof Uint32Array),
    values: z.custom<Piece["values"]>((x) => x instanceof Float32Array),
  }).refine(isPiece, "holds other numbers than its runs say"),
]);

const storedStateSchema = z.object({ sample: index, frame: index, seq: index, from: index });
/** Where a state lies among the records of its session. */
export interface StoredState {
  /** The first sample (at 16 kHz) that it has not heard. */
  readonly sample: number;
  /** The first frame that can be computed from it. */
  readonly frame: number;
  /** The record that holds it. */
  readonly seq: number;
  /** The oldest record that a resume from it needs. */
  readonly from: number;
}

const resamplerSchema = z.object({
  fromRate: index,
  toRate: index,
  inputs: index,
  history: floats,
});

const recordSchema = z.tuple([
  z.literal(STATE_VERSION),
  index, // segment
  z.boolean(), // finished
  index, // samples
  bytes, // an incomplete sample
  z.array(resamplerSchema).optional(),
  index, // where its audio begins, in samples at 16 kHz
  z.union([floats, halves]), // [n, streams]
  identitySchema.optional(),
  z.array(checkpointSchema),
  z.array(pieceSchema),
  z.array(storedStateSchema),
]);
type Packed = z.infer<typeof recordSchema>;

/** One record: where the session is, and what is new. */
export interface SessionRecord {
  readonly position: Session["position"];
  /** Where {@linkcode audio} begins, in samples per channel at 16 kHz. */
  readonly start: number;
  /** `[n, streams]` */
  readonly audio: Float32Array | Int16Array;
  /** If it is new or changed. */
  readonly identity?: Identity;
  readonly checkpoints: readonly Checkpoint[];
  /** The pieces of heads' states that it holds, by name; its checkpoints may need earlier ones. */
  readonly pieces: ReadonlyMap<number, Piece>;
  /**
   * If it holds a state: all states that the store has then, oldest first, so that a resume opens
   * no more records than it needs.
   */
  readonly states: readonly StoredState[];
}

/**
 * A record as bytes. Most hold nothing but a little audio, fifty a second for each stream, so that
 * is laid out by hand; v8's serializer, which takes longer, packs the others.
 *
 * @param names of the pieces that its checkpoints need; those that it holds, by default
 */
export function pack(
  { position, start, audio, identity, checkpoints, pieces, states }: SessionRecord,
  names: ReadonlyMap<Piece, number> = new Map(Array.from(pieces, ([name, piece]) => [piece, name])),
): Uint8Array {
  const { segment, finished, decoder, resampler } = position;
  const isPlain = !finished && !resampler && !identity && checkpoints.length === 0 &&
    decoder.pending.length === 0 && audio instanceof Int16Array;
  if (isPlain) return packPlain(audio, [segment, decoder.samples, start]);
  const packed: Packed = [
    STATE_VERSION,
    segment,
    finished,
    decoder.samples,
    new Uint8Array(decoder.pending),
    resampler && [...resampler],
    start,
    audio,
    identity,
    checkpoints.map(({ heads, score, ...rest }) => ({
      ...rest,
      ...(score && { score }),
      ...(heads &&
        { heads: heads.map((head) => ({ ...head, state: namesOf(head.state, names) })) }),
    })),
    [...pieces],
    [...states],
  ];
  return v8.serialize(packed);
}

function namesOf(state: Snapshot, names: ReadonlyMap<Piece, number>): number[] {
  return state.map((piece) => {
    const name = names.get(piece);
    if (name === undefined) throw new TypeError("a piece of a head's state has no name");
    return name;
  });
}

/** The version, padding, three numbers of 8 bytes, and the samples. */
function packPlain(audio: Int16Array, numbers: readonly [number, number, number]): Uint8Array {
  const packed = new Uint8Array(PLAIN_HEAD_BYTES + audio.byteLength);
  packed[0] = STATE_VERSION;
  new Float64Array(packed.buffer, 8, numbers.length).set(numbers);
  new Int16Array(packed.buffer, PLAIN_HEAD_BYTES).set(audio);
  return packed;
}

function unpackOther(packed: Uint8Array): unknown {
  const values: unknown = v8.deserialize(packed);
  const version: unknown = Array.isArray(values) ? values[0] : undefined;
  if (typeof version === "number" && version !== STATE_VERSION) throw new OtherVersion(version);
  return values;
}

/** Most records are plain, and a resume opens hundreds: a schema would take half of its time. */
function unpackPlain(packed: Uint8Array): SessionRecord {
  const [version] = packed;
  if (version !== undefined && version !== STATE_VERSION) throw new OtherVersion(version);
  if (packed.length < PLAIN_HEAD_BYTES || packed.length % 2 !== 0) throw noRecord();
  const bytes = new Uint8Array(packed); // aligned
  const numbers = new Float64Array(bytes.buffer, 8, 3);
  if (!numbers.every((one) => Number.isSafeInteger(one) && one >= 0)) throw noRecord();
  const [segment, samples, start] = numbers;
  return {
    position: {
      segment: segment!,
      finished: false,
      decoder: { samples: samples!, pending: new Uint8Array(0) },
    },
    start: start!,
    audio: new Int16Array(bytes.buffer, PLAIN_HEAD_BYTES),
    checkpoints: [],
    pieces: new Map(),
    states: [],
  };
}

function noRecord(): TypeError {
  return new TypeError("not a record of a session");
}

/**
 * A record.
 *
 * @param known the pieces that the session's records before it hold, by name; its own are added
 * @throws {OtherVersion} if another version packed it
 * @throws {TypeError} if the bytes are no record
 */
export function unpack(packed: Uint8Array, known = new Map<number, Piece>()): SessionRecord {
  if (packed[0] !== V8) return unpackPlain(packed);
  const read = recordSchema.safeParse(unpackOther(packed));
  if (!read.success) throw noRecord();
  const [, segment, finished, samples, pending, resampler, start, audio, identity, ...others] =
    read.data;
  const position = { segment, finished, decoder: { samples, pending }, resampler };
  const [checkpoints, pieces, states] = others;
  for (const [name, piece] of pieces) known.set(name, piece);
  return {
    position,
    start,
    audio,
    identity,
    checkpoints: checkpoints.flatMap((one) => resolve(one, known)),
    pieces: new Map(pieces),
    states,
  };
}

/**
 * A checkpoint with the pieces that it names. One that needs pieces of records which the store has
 * dropped is too old for any resume: nothing is given.
 */
function resolve(
  { heads, ...rest }: z.infer<typeof checkpointSchema>,
  known: ReadonlyMap<number, Piece>,
): Checkpoint[] {
  if (!heads) return [rest];
  if (heads.some(({ state }) => !state.every((name) => known.has(name)))) return [];
  const stateOf = (names: readonly number[]) => names.flatMap((name) => known.get(name) ?? []);
  return [{ ...rest, heads: heads.map((head) => ({ ...head, state: stateOf(head.state) })) }];
}
