import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);

async function setup(args: string[], env: Record<string, string> = {}) {
  const permissions = ["--allow-read", "--allow-env", "--allow-run"]; // no writing: nothing is built here
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--cached-only", ...permissions, "commands/setup_tfjs.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test("setup:tfjs --help tells what it needs", async () => {
  const { code, stdout } = await setup(["--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /usage: deno task setup:tfjs \[--gpu\] \[--force\]/);
  assert.match(stdout, /python3 with pip, and g\+\+/);
});

Deno.test("setup:tfjs refuses unknown flags in one line", async () => {
  const { code, stderr } = await setup(["--cuda"]);
  assert.equal(code, 2);
  assert.match(stderr, /^setup:tfjs: .*--cuda.*\n$/);
});

Deno.test("setup:tfjs says in one line what is missing and how to install it", async () => {
  const { code, stderr } = await setup(["--force"], { PATH: "/nonexistent" });
  assert.equal(code, 2);
  assert.match(stderr, /^setup:tfjs: (cannot run python3: .*apt install python3|this build is for Linux on x86_64).*\n$/);
});
