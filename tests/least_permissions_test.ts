import assert from "node:assert/strict";

const ROOT = new URL("../", import.meta.url);

/**
 * The rights that are left once a start with these words has given up the others.
 *
 * @param options `env`: its environment; `then`: code that it runs before it looks
 */
async function leftOf(
  args: string[],
  { env = {}, then = "" }: { env?: Record<string, string>; then?: string } = {},
): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const flags = String(tasks.start).split(" ").filter((word) => word.startsWith("--allow-"));
  const program = `import "${new URL("least_permissions.ts", ROOT)}";
    ${then}
    for (const name of ["run", "write", "ffi", "net", "read"]) {
      if (Deno.permissions.querySync({ name }).state === "granted") console.log(name);
    }`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-lock",
      "--config",
      new URL("deno.json", ROOT).pathname,
      ...flags,
      `data:application/javascript,${encodeURIComponent(program)}`,
      ...args,
    ],
    env,
  }).output();
  assert.equal(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).trim().split("\n");
}

Deno.test("deno task start may write for a store in a file alone, and run nothing", async () => {
  const server = ["ffi", "net", "read"];
  const supervisor = ["run", "write", "net", "read"];
  const [none, one, file, two, assigned, variable, overridden] = await Promise.all([
    leftOf([]),
    leftOf(["--processes", "1"]),
    leftOf(["--store", "sqlite:x"]),
    leftOf(["--processes", "2"]),
    leftOf(["--processes=16"]),
    leftOf([], { env: { CPC_PROCESSES: "2" } }),
    leftOf(["--processes", "1"], { env: { CPC_PROCESSES: "2" } }),
  ]);
  assert.deepEqual([none, one, overridden], [server, server, server]);
  assert.deepEqual(file, ["write", ...server]);
  assert.deepEqual([two, assigned, variable], [supervisor, supervisor, supervisor]);
});

Deno.test("superviseApart() gives up all rights of its thread, save reading", async () => {
  const module = new URL("processes/supervise_apart.ts", ROOT);
  const then = `const { superviseApart } = await import("${module}");
    const refused = ["--host", "0.0.0.0"]; // it has no key
    await superviseApart(refused).catch(() => {});`;
  assert.deepEqual(await leftOf(["--processes", "2"], { then }), ["read"]);
  const env = { OTEL_DENO: "false" }; // given up later whenever it is set
  assert.deepEqual(await leftOf(["--processes", "2"], { env, then }), ["read"]);
});
