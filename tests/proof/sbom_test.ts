import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { UsageError } from "../../errors.ts";
import { billOfMaterials } from "../../proof/sbom.ts";

const integrity = `sha512-${Buffer.alloc(64, 7).toString("base64")}`;
const LOCK = {
  version: "5",
  specifiers: { "npm:@a/b@1": "1.2.3_c@2.0.0" },
  npm: {
    "@a/b@1.2.3_c@2.0.0": { integrity, dependencies: ["c"] },
    "c@2.0.0": { integrity },
  },
};

Deno.test("billOfMaterials() lists packages with their hashes, and who needs whom", () => {
  const bill = billOfMaterials(JSON.stringify(LOCK));
  assert.deepEqual(bill.components[0], {
    type: "library",
    "bom-ref": "pkg:npm/%40a/b@1.2.3",
    name: "@a/b",
    version: "1.2.3",
    purl: "pkg:npm/%40a/b@1.2.3",
    hashes: [{ alg: "SHA-512", content: "07".repeat(64) }],
  });
  assert.deepEqual(bill.dependencies, [
    { ref: "cpc-stream", dependsOn: ["pkg:npm/%40a/b@1.2.3"] },
    { ref: "pkg:npm/%40a/b@1.2.3", dependsOn: ["pkg:npm/c@2.0.0"] },
    { ref: "pkg:npm/c@2.0.0", dependsOn: [] },
  ]);
});

Deno.test("billOfMaterials() refuses what is no lock file, or lacks a package", () => {
  for (const text of ["", "{}", JSON.stringify({ ...LOCK, npm: {} })]) {
    assert.throws(() => billOfMaterials(text), UsageError, text);
  }
});

Deno.test("billOfMaterials() knows every package of the locks of this project", async () => {
  for (const path of ["deno.lock", "commands/deno.lock", "tests/deno.lock"]) {
    const text = await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
    const { components, dependencies } = billOfMaterials(text);
    const refs = new Set(components.map((component) => component["bom-ref"]));
    assert.ok(refs.has("pkg:npm/hono@4.13.19"), path);
    for (const { dependsOn } of dependencies) assert.ok(dependsOn.every((ref) => refs.has(ref)));
  }
});
