/** Weights folders: config.json, and the tensors beside it. */
import fc from "fast-check";
import { streamingPlan } from "../../../model/architecture.ts";
import {
  readSafetensors,
  safetensorsMetadata,
  writeSafetensors,
} from "../../../model/safetensors.ts";
import { below } from "../../../model/seeded.ts";
import { expectedTensors, parseConfig } from "../../../model/weights.ts";
import { anyConfig, randomWeights, tinyConfig } from "../../../tests/support/models.ts";
import { arbitrary } from "../arbitrary.ts";
import { base64 } from "../base64.ts";
import { mutated, mutatedJson, mutatedText } from "../mutation.ts";
import { target, WORKER_STALL_MS } from "../target.ts";

const MOST_SHOWN = 3000;

/** `config.json`, and the plans that a served model would take from it. */
export const config = target<string>({
  about: "config.json, its tensors' shapes and its streaming plan",
  share: 0.1,
  stallMs: WORKER_STALL_MS,
  open() {
    const any = arbitrary(anyConfig);
    return {
      draw(random) {
        const valid = any(random);
        if (random() < 0.3) return mutatedText([JSON.stringify(valid)], random);
        return JSON.stringify(mutatedJson(valid, random));
      },
      feed(text) {
        const parsed = parseConfig(text);
        streamingPlan(parsed);
        expectedTensors(parsed);
      },
    };
  },
});

/** `model.safetensors`: bytes changed, and its header changed as JSON. */
export const safetensors = target<Uint8Array>({
  about: "model.safetensors",
  share: 0.12,
  stallMs: WORKER_STALL_MS,
  open() {
    const { tensors } = randomWeights(
      { ...tinyConfig, encoder: tinyConfig.encoder.slice(0, 2), predictors: null },
      3,
    );
    const few = new Map([...tensors].slice(-3));
    const seeds = [
      writeSafetensors(few),
      writeSafetensors(new Map([["bias", { shape: [2], data: Float32Array.of(1, 2) }]])),
      writeSafetensors(new Map()),
    ];
    const names = arbitrary(fc.string({ unit: "binary" }));
    return {
      draw(random) {
        if (random() < 0.6) return mutated(seeds, random);
        const seed = seeds[below(seeds.length, random)];
        const view = new DataView(seed.buffer, seed.byteOffset);
        const end = 8 + Number(view.getBigUint64(0, true));
        const header = JSON.parse(new TextDecoder().decode(seed.subarray(8, end)));
        if (random() < 0.2) header[names(random)] = header.bias;
        const text = new TextEncoder().encode(JSON.stringify(mutatedJson(header, random)));
        const file = new Uint8Array(8 + text.length + seed.length - end);
        new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
        file.set(text, 8);
        file.set(seed.subarray(end), 8 + text.length);
        return file;
      },
      feed(file) {
        readSafetensors(file);
        safetensorsMetadata(file, "the file");
      },
      show: (file) => base64(file.subarray(0, MOST_SHOWN)),
    };
  },
});
