import assert from "node:assert/strict";
import { isolated } from "../../commands/isolated.ts";

const program = (source: string) =>
  new URL(`data:application/javascript,${encodeURIComponent(source)}`);

Deno.test("isolated() gives the last line's value, whatever libraries print", async () => {
  const talks = program(
    `console.error("a driver's notice"); console.log("more");
      console.log(JSON.stringify({ args: Deno.args }))`,
  );
  assert.deepEqual(await isolated(talks, ["a", "b"], { boundMs: 60_000 }), { args: ["a", "b"] });
});

Deno.test("isolated() survives a program that crashes in native code", async () => {
  const crashes = program(`new Deno.UnsafePointerView(Deno.UnsafePointer.create(8n)).getInt32()`);
  await assert.rejects(isolated(crashes, [], { boundMs: 60_000 }), /crashed with SIG(SEGV|BUS)/);
});

Deno.test("isolated() stops a program that hangs", async () => {
  await assert.rejects(
    isolated(program("for (;;);"), [], { boundMs: 500 }),
    /did not answer within 0\.5 s and was stopped/,
  );
});

Deno.test("isolated() says how a program failed", async () => {
  const fails = program(`console.error("the library is missing"); Deno.exit(3)`);
  await assert.rejects(
    isolated(fails, [], { boundMs: 60_000 }),
    /status 3, saying: the library is missing/,
  );
});
