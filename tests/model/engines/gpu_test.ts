/**
 * What computes on NVIDIA cards, held against the fixtures as `deno task doctor --check` does it:
 * in processes of their own.
 */
import assert from "node:assert/strict";
import { CANDIDATES } from "../../../commands/doctor/candidates.ts";
import { checkOf } from "../../../commands/doctor/engines.ts";
import { nvidiaDriver } from "../../../model/nvidia.ts";
import { leftOut } from "../../support/left_out.ts";

const noCard = await Promise.try(nvidiaDriver).then(
  () => undefined,
  (error: Error) => error.message,
);
for (const candidate of CANDIDATES.filter(({ device }) => device === "cuda" || device === "gpu")) {
  const name = `${candidate.engine} on ${candidate.device}`;
  const check = noCard === undefined ? await checkOf(candidate) : undefined;
  if (check?.works) {
    Deno.test(`${name}: every fixture as PyTorch computes it`, () =>
      assert.ok(check.passed, JSON.stringify(check)));
  } else leftOut(name, check?.why ?? noCard ?? "", { needsCard: true });
}
