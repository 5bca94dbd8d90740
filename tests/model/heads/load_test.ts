import assert from "node:assert/strict";
import { join } from "node:path";
import { OnnxBuilder } from "../../../model/engines/onnx_builder.ts";
import { OPERATORS } from "../../../model/heads/operators.ts";
import { sha256Of, withHeads } from "../../../model/heads/load.ts";
import type { Weights } from "../../../model/weights.ts";
import { type FadingHead, fadingHead, writeHead } from "../../support/heads.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";

const weights = randomWeights(tinyConfig, 3, "tiny");
const FEATURES = new TextEncoder().encode("the features");
const dims = tinyConfig.context.hidden;

/** A folder of weights with one head; `edit` may change its files. */
async function load(
  head: Omit<FadingHead, "dims"> & { features?: string } = {},
  { edit, given }: {
    edit?: (folder: string) => Promise<void> | void;
    given?: (folder: string) => Parameters<typeof withHeads>[1]["given"];
  } = {},
): Promise<Weights> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(join(folder, "model.safetensors"), FEATURES);
    const { name = "fading", features = sha256Of(FEATURES) } = head;
    const own = join(folder, "heads", name);
    await writeHead(fadingHead({ ...head, dims }), { folder: own, features });
    await edit?.(own);
    return await withHeads(weights, { folder, given: given?.(own) });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Refused with a message that has all these words. */
async function refused(loading: Promise<unknown>, ...words: string[]): Promise<void> {
  await assert.rejects(loading, (error: Error & { code?: string }) => {
    assert.equal(error.code, "weights_invalid");
    for (const word of words) assert.ok(error.message.includes(word), `${word}: ${error.message}`);
    return true;
  });
}

function editSpec(change: (spec: Record<string, unknown>) => void) {
  return async (folder: string) => {
    const file = join(folder, "head.json");
    const spec = JSON.parse(await Deno.readTextFile(file));
    change(spec);
    await Deno.writeTextFile(file, JSON.stringify(spec));
  };
}

function graphOf(build: (graph: OnnxBuilder) => void) {
  return async (folder: string) => {
    const graph = new OnnxBuilder();
    build(graph);
    await Deno.writeFile(join(folder, "head.onnx"), new Uint8Array(graph.encode()));
  };
}

Deno.test("withHeads() reads a weights folder's heads, or the built-in one alone", async () => {
  const { heads = [] } = await load({ every: 3 });
  assert.deepEqual(heads.map(({ name, spec }) => [name, spec.every]), [
    ["fading", 3],
    ["speaker", 10],
  ]);
  assert.ok(heads[0].graph.buffer instanceof SharedArrayBuffer);
  const empty = await Deno.makeTempDir();
  const { heads: builtIn = [] } = await withHeads(weights, { folder: empty });
  assert.deepEqual(builtIn.map(({ name, enrolled }) => [name, enrolled]), [["speaker", true]]);
  await Deno.remove(empty);
});

Deno.test("withHeads() takes a given head in place of the folder's own of that name", async () => {
  const { heads = [] } = await load({ every: 3 }, {
    edit: (folder) =>
      writeHead(fadingHead({ dims, every: 7 }), {
        folder: join(folder, "other"),
        features: sha256Of(FEATURES),
      }),
    given: (folder) => [{ name: "fading", folder: join(folder, "other"), anyFeatures: false }],
  });
  assert.deepEqual(heads.map(({ spec }) => spec.every), [7, 10]);
});

Deno.test("withHeads() takes a folder's own head speaker, not the built-in one", async () => {
  const { heads = [] } = await load({ name: "speaker", every: 3 });
  assert.deepEqual(heads.map(({ name, spec, enrolled }) => [name, spec.every, enrolled]), [
    ["speaker", 3, undefined],
  ]);
});

Deno.test("withHeads() refuses a head of other features, unless any will do", async () => {
  const features = "a".repeat(64);
  await refused(load({ features }), "fading", "aaaaaaaaaaaa", "?any-features");
  const { heads = [] } = await load({ features }, {
    given: (folder) => [{ name: "fading", folder, anyFeatures: true }],
  });
  assert.deepEqual(heads.map(({ name }) => name), ["fading", "speaker"]);
});

Deno.test("withHeads() names the file or the member at fault in head.json", async () => {
  await refused(
    load({}, { edit: (folder) => Deno.remove(join(folder, "head.json")) }),
    "head.json",
  );
  await refused(
    load({}, { edit: (folder) => Deno.remove(join(folder, "head.onnx")) }),
    "head.onnx",
  );
  const cases: [(spec: Record<string, unknown>) => void, string][] = [
    [(spec) => spec.input = "prediction", "input"],
    [(spec) => spec.channels = 3, "channels"],
    [(spec) => spec.every = 0, "every"],
    [(spec) => spec.features = "none", "sha256"],
    [(spec) => spec.outputs = [], "outputs"],
    [(spec) => spec.evnets = [], "evnets"],
    [(spec) => spec.outputs = [{ name: "a", shape: [2], labels: ["one"] }], "label"],
    [(spec) => spec.outputs = [{ name: "a", shape: [1] }, { name: "a", shape: [1] }], "a twice"],
    [(spec) => spec.events = [{ event: "e", output: "no", on: 1, off: 0 }], "output no"],
    [(spec) => spec.events = [{ event: "e", output: "loud", index: 1, on: 1, off: 0 }], "number 1"],
    [(spec) => spec.events = [{ event: "e", output: "loud", on: 0, off: 1 }], "off above its on"],
  ];
  for (const [change, word] of cases) {
    await refused(load({}, { edit: editSpec(change) }), "head.json", word);
  }
});

Deno.test("withHeads() names the input, output or operator at fault in head.onnx", async () => {
  const input = (graph: OnnxBuilder) => graph.input("features", ["B", 1, 2, dims]);
  await refused(
    load({}, { edit: (folder) => Deno.writeTextFile(join(folder, "head.onnx"), "no graph") }),
    "head.onnx",
    "no ONNX model",
  );
  await refused(
    load({}, { edit: editSpec((spec) => spec.state = [{ name: "other", shape: [1] }]) }),
    "lacks the input state.other [B, 1]",
    "state.fade",
  );
  await refused(
    load({}, { edit: editSpec((spec) => spec.state = []) }),
    "input state.fade",
    "does not name",
  );
  await refused(load({}, { edit: editSpec((spec) => spec.every = 4) }), "features", "[B, 1, 4, 6]");
  await refused(
    load({}, { edit: editSpec((spec) => spec.outputs = [{ name: "loud", shape: [1] }]) }),
    "output level",
    "does not name",
  );
  await refused(
    load({ spec: { state: [] } }, {
      edit: graphOf((graph) => {
        const noise = graph.node("RandomNormalLike", [input(graph)]);
        graph.output("level", noise, ["B", 1, dims]);
      }),
    }),
    "operator RandomNormalLike",
    "docs/heads.md",
  );
  await refused(
    load({ spec: { state: [] } }, {
      edit: graphOf((graph) => {
        const features = graph.input("features", [1, 1, 2, dims]);
        graph.output("level", features, ["B", 1, dims]);
      }),
    }),
    "batch of 1",
  );
});

Deno.test("docs/heads.md lists the operators that a head may use, and no others", async () => {
  const page = await Deno.readTextFile(new URL("../../../docs/heads.md", import.meta.url));
  const [, section = ""] = /Allowed operators([^]*?)`start` logs/.exec(page) ?? [];
  const listed = section.split("\n- ").slice(1)
    .flatMap((item) => item.slice(item.lastIndexOf(":") + 1).match(/[A-Za-z0-9]+/g) ?? []);
  assert.deepEqual(listed.toSorted(), Object.values(OPERATORS).flat().toSorted());
});
