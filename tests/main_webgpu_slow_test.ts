/** The server on WebGPU, where a Vulkan driver is named; docs/gpu.md has one in software. */
import assert from "node:assert/strict";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { startServer } from "../bench/load.ts";
import { FP32_TOLERANCE } from "../conformance/check.ts";
import { createEngine } from "../model/engines/create.ts";
import { vulkanDevices } from "../model/vulkan.ts";
import { loadWeights } from "../model/weights.ts";
import { fixturePcm, fixtureSamples, maxDifference } from "./support/golden.ts";
import { leftOut } from "./support/left_out.ts";
import { streamWhole } from "./support/stream.ts";

const MODEL = new URL("../weights/cpc-small", import.meta.url).pathname;
const WAV = "italian_short.wav";
/** 0.3 s: a driver in software takes seconds for them. */
const SAMPLES = 4800;

/** Streams s16le audio; resolves to all contexts. A driver in software may keep one stream live. */
function contextsOf(url: string, pcm: Uint8Array): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const again = () => contextsOf(url, pcm).then(resolve, reject);
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/stream`);
    const contexts: number[] = [];
    socket.on("error", reject);
    socket.on("close", () => resolve(contexts));
    socket.on("message", (data: Uint8Array) => {
      const message = JSON.parse(new TextDecoder().decode(data));
      if (message.type === "frames") contexts.push(...message.context.flat());
      else if (message.type === "ready") {
        socket.send(pcm);
        socket.send('{"type":"finish"}');
      } else if (message.type === "error") {
        socket.removeAllListeners("close");
        if (message.retryable) setTimeout(again, message.retry_after_ms ?? 1000);
        else reject(new Error(message.message));
      }
    });
  });
}

const driver = Deno.env.get("VK_DRIVER_FILES") ?? Deno.env.get("VK_ICD_FILENAMES");
const why = driver === undefined
  ? "set VK_DRIVER_FILES to a Vulkan driver, such as Chromium's SwiftShader (docs/gpu.md)"
  : await Promise.try(vulkanDevices).then(() => undefined, (error: Error) => error.message);
if (why !== undefined) leftOut("deno task start on webgpu", why);
else {
  Deno.test("deno task start --device webgpu streams the CPU's numbers, one worker", async () => {
    const engine = await createEngine("onnx", await loadWeights(MODEL), {
      device: "cpu",
      precision: "fp32",
      threads: 1,
    });
    const truth = await streamWhole(engine, fixtureSamples(WAV).slice(0, SAMPLES));
    await engine.dispose();
    const server = await startServer(["--device", "webgpu", "--model", MODEL]);
    try {
      const pcm = fixturePcm(WAV).subarray(0, 2 * SAMPLES);
      for (const contexts of await Promise.all([1, 2].map(() => contextsOf(server.url, pcm)))) {
        assert.equal(contexts.length, truth.context.length);
        const difference = maxDifference(contexts, truth.context);
        assert.ok(difference <= FP32_TOLERANCE, `|Δ| ${difference}`);
      }
      assert.match(await (await fetch(`${server.url}/metrics`)).text(), /^cpc_workers 1$/m);
    } finally {
      assert.equal((await server.stop()).code, 0);
    }
  });
}
