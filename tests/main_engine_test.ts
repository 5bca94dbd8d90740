import assert from "node:assert/strict";
import { z } from "zod";

const ROOT = new URL("../", import.meta.url).pathname;

const serving = z.object({
  message: z.literal("serving"),
  engine: z.string(),
  device: z.string(),
  library: z.string(),
  notTaken: z.array(z.object({ name: z.string(), why: z.string() })),
});

/** Starts the server, waits for its `serving` line on standard error, and stops it. */
async function servingLine(flags: string[]): Promise<z.infer<typeof serving>> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const child = new Deno.Command(Deno.execPath(), {
    args: [...String(tasks.start).split(" ").slice(1), "--port", "0", "--workers", "1", ...flags],
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let text = "";
  for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (/"serving".*\n/.test(text)) child.kill("SIGTERM");
  }
  await child.status;
  const line = text.split("\n").find((line) => line.includes('"serving"'));
  assert.ok(line, text);
  return serving.parse(JSON.parse(line));
}

Deno.test("deno task start --engine tfjs says what auto took, and why none before", async () => {
  const { device, library, notTaken } = await servingLine(["--engine", "tfjs", "--device", "auto"]);
  const order = ["tfjs-node-gpu", "tfjs-node", "wasm"];
  const taken = order.findIndex((name) => library.startsWith(`${name} `));
  assert.deepEqual(notTaken.map(({ name }) => name), order.slice(0, taken));
  for (const { why } of notTaken) assert.ok(why);
  assert.equal(device === "wasm", taken === 2);
});

Deno.test("deno task start with onnx says why auto took neither cuda nor webgpu", async () => {
  const { engine, device, library, notTaken } = await servingLine([]);
  assert.equal(engine, "onnx");
  assert.match(library, /^onnxruntime-node \d/);
  const names = notTaken.map(({ name }) => name);
  assert.deepEqual(names, device === "cuda" ? ["webgpu"] : ["cuda", "webgpu"]);
});
