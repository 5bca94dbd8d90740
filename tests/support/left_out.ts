/**
 * Engines that a machine may not have: named in the output of the tests, and demanded where they
 * were installed for the tests.
 */
import assert from "node:assert/strict";

/**
 * Puts "LEFT OUT: engine: why" among the tests, as ignored: `deno test --quiet` hides what is
 * printed, but not that. With `CPC_REQUIRE_ENGINES=1` it fails instead.
 *
 * @param options `needsCard`: it takes hardware that cannot be installed, so it is never demanded
 */
export function leftOut(engine: string, why: string, { needsCard = false } = {}): void {
  const name = `LEFT OUT: ${engine}: ${why}`;
  const isDemanded = !needsCard && Deno.env.get("CPC_REQUIRE_ENGINES") === "1";
  Deno.test({
    name,
    ignore: !isDemanded,
    fn: () => assert.fail(`${engine} must be tested here: ${why}`),
  });
}
