import assert from "node:assert/strict";
import { join } from "node:path";
import { startServer } from "../../bench/load.ts";
import { benchPeers } from "../../bench/peers/peers.ts";
import { writeThinModel } from "../../bench/thin_model.ts";

async function withThinModel(use: (model: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await writeThinModel(join(folder, "thin"));
    await writeThinModel(join(folder, "other"), { seed: 2 });
    await use(join(folder, "thin"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const server = (name: string, model: string) => ({
  name,
  exact: true,
  start: () => startServer(["--model", model, "--workers", "1"], { cores: 1 }),
});

Deno.test("benchPeers() measures every server that starts, once answers agree", async () => {
  await withThinModel(async (model) => {
    const broken = {
      name: "broken",
      exact: true,
      start: () => Promise.reject(new Error("not set up")),
    };
    const { rows, leftOut, limitFlops } = await benchPeers(
      [server("first", model), broken, server("second", model)],
      { model, seconds: 1, most: 1, bare: ["fp32"], print() {} },
    );
    assert.deepEqual(leftOut, [{ name: "broken", why: "not set up" }]);
    assert.ok(limitFlops > 1e8, `${limitFlops}`);
    assert.deepEqual(rows.map(({ name }) => name), [
      "first",
      "second",
      "the bare step, fp32",
    ]);
    for (const { alone, server, largest, full } of rows) {
      assert.ok(alone.messages > 0);
      if (server) {
        assert.ok(server.startMs > 0 && server.memoryMB > 10);
        assert.ok(server.difference <= 1e-4, `${server.difference}`);
      }
      assert.equal(full, largest === 1 ? alone : undefined); // a busy machine may hold none
    }
  });
});

Deno.test("benchPeers() times nothing if one answers otherwise", async () => {
  await withThinModel(async (model) => {
    const printed: string[] = [];
    const other = server("other", join(model, "../other"));
    await assert.rejects(
      benchPeers([server("first", model), other], {
        model,
        seconds: 1,
        most: 1,
        print: (line) => printed.push(line),
      }),
      /other: contexts differ from ours by /,
    );
    assert.equal(printed.length, 1); // the first one's start
  });
});
