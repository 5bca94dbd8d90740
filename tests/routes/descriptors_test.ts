import assert from "node:assert/strict";
import { UsageError } from "../../errors.ts";
import { descriptorLimit, socketBounds } from "../../routes/descriptors.ts";

Deno.test("socketBounds() leaves descriptors for everything else", () => {
  const bounds = (descriptors: number) =>
    socketBounds({ descriptors, maxStreams: 1024, workers: 2 });
  assert.deepEqual(bounds(20_000), { open: 2048, closing: 511 });
  assert.deepEqual(bounds(2292), { open: 2048, closing: 148 });
  assert.deepEqual(bounds(1300), { open: 1300 - 144, closing: 48 });
});

Deno.test("socketBounds() refuses streams that do not fit, and says what does", () => {
  assert.throws(
    () => socketBounds({ descriptors: 1024, maxStreams: 1024, workers: 2 }),
    (error: Error) =>
      error instanceof UsageError &&
      /--max-streams 1024 takes 1200 file descriptors.*may open 1024.*848 streams/.test(
        error.message,
      ),
  );
});

Deno.test("descriptorLimit() is the process's hard limit", async () => {
  const module = new URL("../../routes/descriptors.ts", import.meta.url).href;
  const program = `import { descriptorLimit } from "${module}"; console.log(descriptorLimit());`;
  const { stdout } = await new Deno.Command("sh", {
    args: [
      "-c",
      'ulimit -Sn 500; ulimit -Hn 900; exec "$0" run --quiet --allow-ffi "$1"',
      Deno.execPath(),
      `data:application/typescript,${encodeURIComponent(program)}`,
    ],
  }).output();
  assert.equal(new TextDecoder().decode(stdout), "900\n");
  assert.ok(descriptorLimit() > 0);
});

Deno.test("descriptorLimit() is 1024 where the system does not tell", () => {
  const real = Deno.dlopen;
  const refuses = () => ({ symbols: { getrlimit: () => -1 }, close() {} });
  const isMissing = () => {
    throw new Error("no such library");
  };
  try {
    for (const dlopen of [refuses, isMissing]) {
      Object.assign(Deno, { dlopen });
      assert.equal(descriptorLimit(), 1024);
    }
  } finally {
    Object.assign(Deno, { dlopen: real });
  }
});
