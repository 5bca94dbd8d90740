/**
 * Checks a head against its model and its graph: everything that can be told without running it.
 */
import { CpcError } from "../../errors.ts";
import type { Dims } from "../weights.ts";
import { isAllowed } from "./operators.ts";
import { type GraphValue, readGraph } from "./read_graph.ts";
import type { HeadSpec } from "./spec.ts";

/** Inputs or outputs of a head's graph by name: their shapes without the batch. */
export interface HeadShapes {
  readonly inputs: ReadonlyMap<string, readonly number[]>;
  readonly outputs: ReadonlyMap<string, readonly number[]>;
}

/** What goes into a head's graph, and what comes out of it. */
export function headShapes(
  { input, channels, every, state, outputs }: HeadSpec,
  dims: Pick<Dims, "context" | "latent">,
): HeadShapes {
  return {
    inputs: new Map([
      ["features", [channels, every, dims[input]]],
      ...state.map(({ name, shape }) => [`state.${name}`, shape] as const),
    ]),
    outputs: new Map([
      ...outputs.map(({ name, shape }) => [name, shape] as const),
      ...state.map(({ name, shape }) => [`next.${name}`, shape] as const),
    ]),
  };
}

/**
 * Checks the graph of a head.
 *
 * @param options `dims`: of the model whose features it hears; `file`: the graph's path
 * @throws {CpcError} `weights_invalid`, naming the input, output or operator at fault
 */
export function checkGraph(
  graph: Uint8Array,
  { spec, dims, file }: { spec: HeadSpec; dims: Pick<Dims, "context" | "latent">; file: string },
): void {
  const { operators, inputs, outputs, external, functions } = readGraph(graph, file);
  const refuse = (why: string) => new CpcError("weights_invalid", `${file}: ${why}`);
  if (external) throw refuse("its numbers lie in other files; save it as one file");
  if (functions.length > 0) {
    throw refuse(`it defines functions of its own (${functions[0]}); export it without them`);
  }
  const alien = operators.find((operator) => !isAllowed(operator));
  if (alien) {
    const { opType, domain, name } = alien;
    const where = name ? ` (node ${name})` : "";
    throw refuse(
      `a head may not use the operator ${domain ? `${domain}.` : ""}${opType}${where}; ` +
        "docs/heads.md lists those that it may",
    );
  }
  const shapes = headShapes(spec, dims);
  checkValues(inputs, { kind: "input", expected: shapes.inputs, refuse });
  checkValues(outputs, { kind: "output", expected: shapes.outputs, refuse });
}

function checkValues(
  values: readonly GraphValue[],
  { kind, expected, refuse }: {
    kind: string;
    expected: ReadonlyMap<string, readonly number[]>;
    refuse: (why: string) => CpcError;
  },
): void {
  const byName = new Map(values.map((value) => [value.name, value]));
  for (const [name, shape] of expected) {
    const found = byName.get(name);
    const wanted = `[B, ${shape.join(", ")}]`;
    if (!found) {
      const has = [...byName.keys()].join(", ") || "none";
      throw refuse(`the graph lacks the ${kind} ${name} ${wanted}; its ${kind}s are ${has}`);
    }
    if (!found.isFloat) throw refuse(`the ${kind} ${name} must hold 32-bit floats`);
    if (!found.shape) continue; // the trial tells
    const [batch, ...sizes] = found.shape;
    const fits = sizes.length === shape.length &&
      sizes.every((size, i) => size === undefined || size === shape[i]);
    const has = `[${found.shape.map((size) => size ?? "?").join(", ")}]`;
    if (!fits) throw refuse(`the ${kind} ${name} must have shape ${wanted}, it has ${has}`);
    if (batch !== undefined && kind === "input") {
      throw refuse(
        `the ${kind} ${name} has a batch of ${batch} alone, ${has}: its first size must be free`,
      );
    }
  }
  for (const name of byName.keys()) {
    if (!expected.has(name)) {
      throw refuse(`the graph has the ${kind} ${name}, which head.json does not name`);
    }
  }
}
