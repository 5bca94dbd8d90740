import assert from "node:assert/strict";
import { storePlaceOf } from "../../../config/store.ts";
import { openResumeStore } from "../../../streaming/session/open_store.ts";

const pool = { models: new Map(), engine: "onnx", precision: "fp32" } as const;
const limits = { resumeWindowS: 60, maxKeptSessions: 16 };

Deno.test("openResumeStore() opens a store that outlives the server, or none", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const store = await openResumeStore(
      { ...limits, store: storePlaceOf(`sqlite:${folder}/sessions.db`)! },
      pool,
    );
    assert.deepEqual([store?.outlives, store?.works], [true, true]);
    await store?.close();
    const none = await openResumeStore({ ...limits, store: storePlaceOf("memory:")! }, pool);
    assert.equal(none, undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
