import assert from "node:assert/strict";
import { loadModels } from "../../web/models.ts";

/** Answers every request with this. */
async function answering(body: object, use: () => Promise<void>): Promise<void> {
  const { fetch } = globalThis;
  globalThis.fetch = () => Promise.resolve(Response.json(body));
  try {
    await use();
  } finally {
    globalThis.fetch = fetch;
  }
}

Deno.test("loadModels() leaves out heads that need a voice, and throws errors", async () => {
  const heads = [{ name: "speaker", voice: true }, { name: "speech" }];
  await answering({ data: [{ id: "tiny", heads }] }, async () => {
    const [model] = await loadModels("");
    assert.deepEqual(model.heads.map(({ name }) => name), ["speech"]);
  });
  await answering({ error: { code: "unauthorized", message: "no key" } }, async () => {
    await assert.rejects(loadModels("k"), { code: "unauthorized", message: "no key" });
  });
});
