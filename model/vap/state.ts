/**
 * What a network remembers between rows: keys and values of the newest N rows, and its place in the
 * ring of them.
 */
import type { VapSizes } from "./network.ts";

/** One state of a head. */
export interface VapState {
  readonly name: string;
  readonly shape: readonly number[];
}

/** The state that holds the place: rows so far up to 2N, then N … 2N − 1 in turn. */
export const POSITION = "position";

/** The rings of an attention. */
export function ringsOf(attention: string): { keys: string; values: string } {
  return { keys: `${attention}.keys`, values: `${attention}.values` };
}

/** Names of the attentions, in order. */
export function attentionsOf({ channels, channelLayers, jointLayers }: VapSizes): string[] {
  const kinds = channels === 2 ? ["self", "cross"] : ["self"];
  return [
    ...Array.from({ length: channelLayers }, (_, l) => `channel.${l}.self`),
    ...Array.from({ length: jointLayers }, (_, l) => kinds.map((kind) => `joint.${l}.${kind}`))
      .flat(),
  ];
}

/**
 * Every state of a head.
 *
 * @param windowRows N
 */
export function statesOf(sizes: VapSizes, windowRows: number): VapState[] {
  const { channels, heads, width } = sizes;
  const shape = [channels * heads, windowRows, width / heads]; // [channels · H, N, d]
  return [
    { name: POSITION, shape: [1] },
    ...attentionsOf(sizes).map(ringsOf).flatMap(({ keys, values }) => [
      { name: keys, shape },
      { name: values, shape },
    ]),
  ];
}
