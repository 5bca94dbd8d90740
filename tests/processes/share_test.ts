import assert from "node:assert/strict";
import { serverCommand } from "../../processes/command.ts";
import { shareOf } from "../../processes/share.ts";
import { serverMemory } from "../../routes/memory_plan.ts";
import { loadWeights } from "../../model/weights.ts";
import { serverConfigOf } from "../support/config.ts";

const common = { processes: 3, port: 4321 };

Deno.test("shareOf() divides the workers, at least one each, and gives all the same port", () => {
  const workers = (flags: string[]) =>
    [1, 2, 3].map((process) => shareOf(serverConfigOf(flags), { ...common, process }).workers);
  assert.deepEqual(workers(["--workers", "8"]), [3, 3, 2]);
  assert.deepEqual(workers(["--workers", "2"]), [1, 1, 1]);
  const { port, store } = shareOf(serverConfigOf([]), {
    ...common,
    process: 1,
    privateStore: "/f",
  });
  const folder = { kind: "folder", folder: "/f", server: 1, servers: 3 };
  assert.deepEqual([port, store], [4321, folder]);
});

Deno.test("serverCommand() has start's rights: no programs, its store's folder alone", () => {
  const inFile = serverCommand({ kind: "sqlite", file: "/var/lib/cpc/s.db" });
  assert.ok(inFile.includes("--allow-write=/var/lib/cpc"));
  assert.ok(serverCommand({ kind: "memory" }, "/tmp/own").includes("--allow-write=/tmp/own"));
  const none = serverCommand({ kind: "redis", url: "redis://127.0.0.1" });
  assert.ok(!none.some((word) => /^--allow-(write|run|all)|^-A/.test(word)));
  for (const right of ["--allow-net", "--allow-ffi", "--allow-read", "--frozen"]) {
    assert.ok(none.includes(right), right);
  }
  assert.ok(none.some((word) => word.startsWith("--v8-flags=--initial-heap-size=")), "its heap");
});

Deno.test("serverMemory() plans all processes within one budget", async () => {
  const models = [await loadWeights("weights/cpc-small")];
  const flags = ["--workers", "4", "--memory-budget", "4GB"];
  const plan = (processes: string) =>
    serverMemory(serverConfigOf([...flags, "--processes", processes]), models);
  const [one, two] = [plan("1"), plan("2")];
  assert.ok(one.total <= 4e9 && two.total <= 4e9);
  assert.ok(two.maxStreams < one.maxStreams && two.maxStreams > 0);
  assert.ok(two.requests >= 2 * 256 * 2 ** 20);
});
