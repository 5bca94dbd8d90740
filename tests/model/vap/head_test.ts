import assert from "node:assert/strict";
import { OnnxHead } from "../../../model/engines/onnx_head.ts";
import { headSpecSchema } from "../../../model/heads/spec.ts";
import { vapGraph } from "../../../model/vap/graph.ts";
import { headJson } from "../../../model/vap/head.ts";
import { modelDims } from "../../../model/weights.ts";
import { maxDifference } from "../../support/golden.ts";
import { featureRows, OUTPUTS, TOLERANCE, vapFixture } from "../../support/vap.ts";

Deno.test("headJson() and vapGraph() make a head whose state stays in its memory", async () => {
  const fixture = vapFixture("vap_mono_10hz");
  const { network, windowRows, weights } = fixture;
  const spec = headSpecSchema.parse(
    headJson(network.sizes, { windowRows, features: "0".repeat(64) }),
  );
  const graph = vapGraph(network, { windowRows });
  const dims = modelDims(weights.config);
  const head = await OnnxHead.create({ name: "vap", spec, graph, folder: "vap" }, { dims });
  try {
    const alone = head.newState();
    const [keys, values] = [alone[1], alone[2]];
    const company = [head.newState(), head.newState()];
    for (const [r, row] of featureRows(fixture).entries()) {
      const answers = await head.step(row, [alone]);
      const wanted = OUTPUTS.map((output) => Number(fixture.expected.get(output)!.data[r]));
      assert.ok(maxDifference(answers, wanted) <= TOLERANCE, `row ${r}`);
      const both = await head.step(Float32Array.from([...row, ...row]), company);
      assert.deepEqual(both, Float32Array.from([...answers, ...answers]), `row ${r} in company`);
    }
    assert.ok(alone[1] === keys && alone[2] === values);
    assert.ok(keys.some((x) => x !== 0));
    assert.deepEqual(company, [alone, alone]);
  } finally {
    await head.dispose();
  }
});
