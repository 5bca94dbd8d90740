import assert from "node:assert/strict";
import { parseTrainingConfig } from "../../training/config.ts";
import { linesOf, linesOfDoctor } from "../../proof/gpu/report.ts";
import { run, Steps } from "../../proof/gpu/steps.ts";

Deno.test("Steps.take() names a step that failed, and goes on", async () => {
  const printed: string[] = [];
  const steps = new Steps((line) => printed.push(line));
  assert.equal(await steps.take("first", () => Promise.resolve(7)), 7);
  assert.equal(steps.anyFailed, false);
  assert.equal(await steps.take("second", () => Promise.reject(new Error("no card"))), undefined);
  assert.equal(await steps.take("third", () => Promise.resolve("on")), "on");
  assert.ok(steps.anyFailed);
  assert.deepEqual(steps.outcomes.map(({ name, failed }) => [name, failed]), [
    ["first", undefined],
    ["second", "no card"],
    ["third", undefined],
  ]);
  assert.match(printed.join("\n"), /== second: FAILED: no card, 0 s/);
});

Deno.test("run() gives what a program prints, and refuses other exit statuses", async () => {
  const shell = (script: string, options = {}) => run("sh", { args: ["-c", script], ...options });
  assert.equal(await shell('printf %s "$WORD"', { env: { WORD: "card" } }), "card");
  await assert.rejects(shell("exit 1"), /exit status 1/);
  assert.equal(await shell("printf beyond; exit 1", { most: 1 }), "beyond");
  await assert.rejects(shell("exit 2", { most: 1 }), /exit status 2/);
  await assert.rejects(shell("exec sleep 60", { minutes: 0.001 }), /took more than 0.001 min/);
});

Deno.test("linesOfDoctor() says which engines work, and what is in software or missing", () => {
  assert.deepEqual(
    linesOfDoctor({
      machine: [{ name: "Vulkan", detail: "Card 9 (discrete)" }],
      engines: [
        { engine: "onnx", device: "webgpu", works: true },
        { engine: "tfjs", device: "webgpu", works: true, warning: "in software" },
        { engine: "onnx", device: "cuda", works: false, why: "no driver" },
      ],
    }),
    [
      "Vulkan: Card 9 (discrete)",
      "✓ onnx on webgpu",
      "✓ tfjs on webgpu: in software",
      "– onnx on cuda: no driver",
    ],
  );
});

Deno.test("linesOf() has a row for each engine: what failed, what is in software", () => {
  const text = linesOf({
    date: "2026-11-27T10:00:00Z",
    machine: [{ name: "Vulkan", detail: "Card 9" }],
    rows: [
      { name: "onnx on webgpu", largest: 2.7e-5, live: 1000 },
      { name: "tfjs on webgpu", warning: "computes in software" },
    ],
    trained: {
      config: "c.json",
      steps: 40,
      audioSecondsPerSecond: 12.34,
      nce: { first: 4, last: 3 },
    },
    torch: { torch: "2.11", device: "Card 9", rates: { training: 5.06 } },
    steps: [{ name: "doctor", seconds: 1 }, { name: "live", seconds: 2, failed: "no room" }],
  }).join("\n");
  assert.match(text, /^2026-11-27\nVulkan: Card 9\n/);
  assert.match(text, /\| onnx on webgpu \| 2\.7e-5 \| 1000 \|\n/);
  assert.match(text, /\| tfjs on webgpu \(computes in software\) \| – \| – \|\n/);
  assert.match(
    text,
    /training on WebGPU, c\.json: 12\.3 audio-s\/s; nce 4\.000 → 3\.000 in 40 steps/,
  );
  assert.match(text, /\nFAILED: live: no room$/);
  assert.match(text, /PyTorch 2\.11 on Card 9: training 5\.06 audio-s\/s/);
});

Deno.test("proof/gpu/software.json is small enough for a driver in software", async () => {
  const file = new URL("../../proof/gpu/software.json", import.meta.url).pathname;
  const { batch } = parseTrainingConfig(await Deno.readTextFile(file), file);
  assert.ok(batch.voices * batch.windows_per_voice * batch.window_samples <= 200);
});
