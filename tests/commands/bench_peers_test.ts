import assert from "node:assert/strict";
import { join } from "node:path";
import { comparePeers } from "../../commands/bench_peers.ts";

/** Exit status, and what was written to standard error. */
async function run(...args: string[]): Promise<{ status: number; said: string }> {
  const { error } = console;
  let said = "";
  console.error = (line: string) => said += `${line}\n`;
  try {
    return { status: await comparePeers(args), said };
  } finally {
    console.error = error;
  }
}

Deno.test("deno task bench:peers exits with 2 and one line for an unusable Python", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const old = join(folder, "old-python");
    await Deno.writeTextFile(old, "#!/bin/sh\necho 'AssertionError: 3.9.2' >&2\nexit 1\n", {
      mode: 0o755,
    });
    for (const [python, why] of [[join(folder, "none"), "none"], [old, "3\\.9\\.2"]] as const) {
      const { status, said } = await run("--python", python, "--folder", join(folder, "peers"));
      assert.equal(status, 2);
      assert.match(
        said,
        navigator.hardwareConcurrency < 2
          ? /^deno task bench:peers: the comparison needs Linux and two cores.*\n$/
          : new RegExp(
            `^deno task bench:peers: --python .*: needs Python 3.11 or later.*${why}.*\n$`,
          ),
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
