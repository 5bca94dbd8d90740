/** Which states of a head its graph can write over, so that a large state is never copied. */
import { type GraphSummary } from "./read_graph.ts";

/** Operators that change parts of their first input, and copy nothing if it is their output too. */
const SCATTERS = ["ScatterElements", "ScatterND"];

/**
 * The states that only a scatter reads, which gives the next one: whatever else the graph does with
 * them, it does with the next. Then both may be the same memory.
 *
 * @param names of the head's states
 */
export function statesInPlace(
  { operators }: Pick<GraphSummary, "operators">,
  names: readonly string[],
): Set<string> {
  return new Set(names.filter((name) => {
    const readers = operators.filter(({ inputs }) => inputs.includes(`state.${name}`));
    const [only] = readers;
    return readers.length === 1 && only !== undefined && only.domain === "" &&
      SCATTERS.includes(only.opType) && only.outputs[0] === `next.${name}` &&
      only.inputs.indexOf(`state.${name}`) === 0 &&
      only.inputs.lastIndexOf(`state.${name}`) === 0;
  }));
}
