/** Turns valid inputs into almost valid ones: bytes, texts and JSON values. */
import { below } from "../../model/seeded.ts";

/** Numbers in [0, 1). */
export type Random = () => number;

/** Integers at which sizes, signs and types end. */
const EDGES = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0xffffn, 0x7fffffffn, 0xffffffffn, 2n ** 53n];
const WIDTHS = [1, 2, 4, 8];
const LONGEST_INSERT = 64;

type Change = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

const CHANGES: readonly Change[] = [
  function flipBit(bytes, random) {
    if (bytes.length > 0) bytes[below(bytes.length, random)] ^= 1 << below(8, random);
    return bytes;
  },
  function setByte(bytes, random) {
    if (bytes.length > 0) bytes[below(bytes.length, random)] = below(256, random);
    return bytes;
  },
  function setInteger(bytes, random) {
    const width = WIDTHS[below(WIDTHS.length, random)];
    if (bytes.length < width) return bytes;
    const at = below(bytes.length - width + 1, random);
    const edge = EDGES[below(EDGES.length, random)] + BigInt(below(3, random) - 1);
    const little = random() < 0.5;
    for (let i = 0; i < width; i++) {
      bytes[at + (little ? i : width - 1 - i)] = Number((edge >> BigInt(8 * i)) & 0xffn);
    }
    return bytes;
  },
  function truncate(bytes, random) {
    return bytes.slice(0, below(bytes.length + 1, random));
  },
  function remove(bytes, random) {
    const at = below(bytes.length + 1, random);
    return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + below(LONGEST_INSERT, random)));
  },
  function insert(bytes, random) {
    const at = below(bytes.length + 1, random);
    const noise = Uint8Array.from(
      { length: 1 + below(LONGEST_INSERT, random) },
      () => below(256, random),
    );
    return joined(bytes.subarray(0, at), noise, bytes.subarray(at));
  },
  function repeat(bytes, random) {
    const from = below(bytes.length + 1, random);
    const part = bytes.slice(from, from + 1 + below(LONGEST_INSERT, random));
    return joined(bytes.subarray(0, from), part, bytes.subarray(from));
  },
  function splice(bytes, random, other) {
    return joined(
      bytes.subarray(0, below(bytes.length + 1, random)),
      other.subarray(below(other.length + 1, random)),
    );
  },
];

/**
 * A mutant of a seed: one to eight small changes, where parts of other seeds may be among them. One
 * in fifty is left as it is.
 */
export function mutated(seeds: readonly Uint8Array[], random: Random): Uint8Array<ArrayBuffer> {
  const pick = () => seeds[below(seeds.length, random)];
  let bytes: Uint8Array = pick().slice();
  if (random() < 0.02) return Uint8Array.from(bytes);
  for (let left = 1 + below(8, random); left > 0; left--) {
    bytes = CHANGES[below(CHANGES.length, random)](bytes, random, pick());
  }
  return Uint8Array.from(bytes);
}

/** A mutant of a text. */
export function mutatedText(seeds: readonly string[], random: Random): string {
  const bytes = mutated(seeds.map((seed) => new TextEncoder().encode(seed)), random);
  return new TextDecoder().decode(bytes);
}

/** Values that parsers may not expect. */
const ODD: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1,
  0.5,
  -0,
  1e308,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  "",
  "0",
  "1e9",
  "\u0000",
  "\ud800",
  "x".repeat(300),
  [],
  {},
  [[]],
  ["__proto__", "constructor"],
];

/** A copy of a JSON value in which one to three nodes are replaced, removed, doubled or renamed. */
export function mutatedJson(value: unknown, random: Random): unknown {
  const copy = structuredClone(value);
  const root = { value: copy };
  for (let left = 1 + below(3, random); left > 0; left--) changeNode(root, random);
  return root.value;
}

function changeNode(root: { value: unknown }, random: Random): void {
  const places: [Record<string, unknown>, string][] = [];
  const visit = (parent: object) => {
    for (const key of Object.keys(parent)) {
      const holder = parent as Record<string, unknown>;
      places.push([holder, key]);
      const child = holder[key];
      if (typeof child === "object" && child !== null) visit(child);
    }
  };
  visit(root);
  const [parent, key] = places[below(places.length, random)];
  const odd = () => structuredClone(ODD[below(ODD.length, random)]);
  switch (below(5, random)) {
    case 0:
      if (parent !== root as object) delete parent[key];
      break;
    case 1:
      if (Array.isArray(parent)) break; // a large index would make it huge
      Object.defineProperty(parent, JSON.stringify(odd()).replaceAll('"', "").slice(0, 40), {
        value: parent[key],
        enumerable: true,
        configurable: true,
        writable: true,
      });
      break;
    case 2:
      parent[key] = [parent[key], parent[key]];
      break;
    default:
      parent[key] = odd();
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
