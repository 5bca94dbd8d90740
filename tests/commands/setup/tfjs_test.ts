import assert from "node:assert/strict";
import { NATIVE_FOLDER, NATIVE_STAMP } from "../../../model/tfjs/native.ts";

const ROOT = new URL("../../../", import.meta.url);

async function setup(args: string[], env: Record<string, string> = {}, command = "tfjs") {
  // no writing: nothing is built here
  const permissions = ["--allow-read", "--allow-env", "--allow-run"];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--cached-only",
      ...permissions,
      `commands/setup/${command}.ts`,
      ...args,
    ],
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
  assert.match(stderr, /^deno task setup:tfjs: .*--cuda.*\n$/);
});

Deno.test("setup:tfjs says in one line what is missing and how to install it", async () => {
  const { code, stderr } = await setup(["--force"], { PATH: "/nonexistent" });
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^deno task setup:tfjs: (cannot run python3: .*apt install python3|this build is for Linux on x86_64).*\n$/,
  );
});

Deno.test("setup:tfjs names pip or g++ when only that is missing", async () => {
  // the test before has seen the refusal
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return;
  const tools = await Deno.makeTempDir();
  try {
    const tool = (name: string, body: string) =>
      Deno.writeTextFile(`${tools}/${name}`, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    await tool("python3", `[ "$1" = --version ]`); // without pip
    const noPip = await setup(["--force"], { PATH: tools });
    assert.equal(noPip.code, 2);
    assert.match(
      noPip.stderr,
      /^deno task setup:tfjs: cannot run python3 -m pip: python3 has no pip.*apt install python3-pip.*\n$/,
    );
    await tool("python3", "exit 0");
    const noCompiler = await setup(["--force"], { PATH: tools });
    assert.equal(noCompiler.code, 2);
    assert.match(
      noCompiler.stderr,
      /^deno task setup:tfjs: cannot run g\+\+: .*apt install g\+\+.*\n$/,
    );
  } finally {
    await Deno.remove(tools, { recursive: true });
  }
});

Deno.test("setup:tfjs a second time sees that all is in place", async () => {
  const isBuilt = await Deno.stat(new URL(`cpu/${NATIVE_STAMP}`, NATIVE_FOLDER)).then(
    () => true,
    () => false,
  );
  if (!isBuilt) return; // tests/model/engines/tfjs_node_test.ts names it as left out
  const { code, stdout, stderr } = await setup([]); // it may not write
  assert.equal(code, 0, stderr);
  assert.match(stdout, /@tensorflow\/tfjs-node 4\.22\.0 is in place in \.tfjs\/cpu; use --force/);
});

Deno.test("setup:onnx-cuda tells what it needs, and names what is missing", async () => {
  const help = await setup(["--help"], {}, "onnx_cuda");
  assert.equal(help.code, 0);
  assert.match(help.stdout, /usage: deno task setup:onnx-cuda \[--force\][^]*driver 580/);
  const flag = await setup(["--gpu"], {}, "onnx_cuda");
  assert.equal(flag.code, 2);
  assert.match(flag.stderr, /^deno task setup:onnx-cuda: .*--gpu.*\n$/);
  const missing = await setup(["--force"], { PATH: "/nonexistent" }, "onnx_cuda");
  assert.equal(missing.code, 2);
  assert.match(
    missing.stderr,
    /^deno task setup:onnx-cuda: (cannot run python3: .*apt install python3|this build is for Linux on x86_64).*\n$/,
  );
});
