import assert from "node:assert/strict";
import { repeatable, text } from "../../config/kinds.ts";
import { environmentName, flagOf, twinned } from "../../config/setting.ts";

const help = "";

Deno.test("flagOf() and environmentName() follow from the name", () => {
  const [one, many] = [text({ help }), repeatable(text({ help }))];
  assert.equal(flagOf("idleTimeoutS", one), "idle-timeout");
  assert.equal(flagOf("maxStreams", one), "max-streams");
  assert.equal(flagOf("apiKeys", many), "api-key");
  assert.equal(environmentName("idleTimeoutS", one), "CPC_IDLE_TIMEOUT");
  assert.equal(environmentName("apiKeys", many), "CPC_API_KEY");
  const { only } = twinned("CPC_BENCH_", { only: one });
  assert.equal(environmentName("only", only), "CPC_BENCH_ONLY");
});
