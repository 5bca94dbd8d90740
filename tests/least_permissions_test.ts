import assert from "node:assert/strict";

const ROOT = new URL("../", import.meta.url);

/** The rights that are left once a start with these words has given up the others. */
async function leftOf(args: string[], env: Record<string, string> = {}): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const flags = String(tasks.start).split(" ").filter((word) => word.startsWith("--allow-"));
  const program = `import "${new URL("least_permissions.ts", ROOT)}";
    for (const name of ["run", "write", "ffi", "net", "read"]) {
      if (Deno.permissions.querySync({ name }).state === "granted") console.log(name);
    }`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      ...flags,
      `data:application/javascript,${encodeURIComponent(program)}`,
      ...args,
    ],
    env,
  }).output();
  assert.equal(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).trim().split("\n");
}

Deno.test("deno task start keeps the right to write for a store in a file alone, and to run programs for a supervisor alone", async () => {
  const server = ["ffi", "net", "read"];
  const supervisor = ["run", "write", "net", "read"];
  const [none, one, file, two, assigned, variable, overridden] = await Promise.all([
    leftOf([]),
    leftOf(["--processes", "1"]),
    leftOf(["--store", "sqlite:x"]),
    leftOf(["--processes", "2"]),
    leftOf(["--processes=16"]),
    leftOf([], { CPC_PROCESSES: "2" }),
    leftOf(["--processes", "1"], { CPC_PROCESSES: "2" }),
  ]);
  assert.deepEqual([none, one, overridden], [server, server, server]);
  assert.deepEqual(file, ["write", ...server]);
  assert.deepEqual([two, assigned, variable], [supervisor, supervisor, supervisor]);
});
