import assert from "node:assert/strict";
import { UsageError } from "../../errors.ts";
import { descriptorLimit, socketBounds } from "../../routes/descriptors.ts";

Deno.test("socketBounds() leaves descriptors for everything else", () => {
  const bounds = (descriptors: number) =>
    socketBounds({ descriptors, maxStreams: 1024, workers: 2 });
  assert.deepEqual(bounds(20_000), { open: 2048, closing: 511 });
  assert.deepEqual(bounds(2292), { open: 2048, closing: 148 });
  assert.deepEqual(bounds(1300), { open: 1300 - 144, closing: 48 });
  assert.deepEqual(bounds(1200), { open: 1056, closing: 48 }); // just enough
  const shared = socketBounds({ descriptors: 20_000, maxStreams: 1024, workers: 2, processes: 3 });
  assert.equal(shared.open, 1024 + 342);
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

Deno.test("socketBounds() allows no stream where not even the rest fits", () => {
  assert.throws(
    () => socketBounds({ descriptors: 100, maxStreams: 1, workers: 1 }),
    /may open 100: raise the limit \(ulimit -n\)$/,
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

/** What comes of a C library that states these limits, and raises the soft one or not. */
function limitIn({ soft, hard, raises }: { soft: bigint; hard: bigint; raises: boolean }) {
  const asked: unknown[] = [];
  const symbols = {
    getrlimit(resource: number, limits: BigUint64Array) {
      limits.set([soft, hard]);
      return resource - 7; // that of open files on Linux
    },
    setrlimit(resource: number, limits: BigUint64Array) {
      asked.push(resource, ...limits);
      return raises ? 0 : -1;
    },
  };
  let closed = 0;
  const real = Deno.dlopen;
  Object.assign(Deno, { dlopen: () => ({ symbols, close: () => closed++ }) });
  try {
    return [descriptorLimit(), asked, closed];
  } finally {
    Object.assign(Deno, { dlopen: real });
  }
}

Deno.test(
  "descriptorLimit() raises the soft limit to the hard one, and stays with it where it may not",
  {
    ignore: Deno.build.os !== "linux",
  },
  () => {
    const limits = { soft: 500n, hard: 900n };
    assert.deepEqual(limitIn({ ...limits, raises: true }), [900, [7, 900n, 900n], 1]);
    assert.deepEqual(limitIn({ ...limits, raises: false }), [500, [7, 900n, 900n], 1]);
    const endless = { soft: 500n, hard: 2n ** 64n - 1n, raises: true };
    assert.equal(limitIn(endless)[0], 2 ** 31);
  },
);
