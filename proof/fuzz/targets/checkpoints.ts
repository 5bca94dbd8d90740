/** Checkpoints of PyTorch: pickles, both serialisations, and the models in them. */
import fc from "fast-check";
import { importCheckpoint } from "../../../model/checkpoints/checkpoint.ts";
import { unpickle } from "../../../model/checkpoints/pickle.ts";
import { below } from "../../../model/seeded.ts";
import { checkpointFixture } from "../../../tests/support/checkpoints.ts";
import {
  Call,
  dict,
  Named,
  pickle,
  stateDict,
  torchLegacy,
  torchZip,
  type Value,
} from "../../../tests/support/torch_writer.ts";
import { arbitrary } from "../arbitrary.ts";
import { base64 } from "../base64.ts";
import { mutated, mutatedJson } from "../mutation.ts";
import { target, WORKER_STALL_MS } from "../target.ts";

const MOST_SHOWN = 3000;
/** One in so many inputs is a mutant of a real checkpoint, which is a thousand times as long. */
const REAL_SHARE = 0.02;

/** Values that a checkpoint may hold, nested. */
const { value: VALUE } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<Value>(null, true, false, 1.5, -1, 1n << 70n, "", "gEncoder", "state_dict"),
    fc.string().map((text): Value => text),
    fc.integer().map((number): Value => number),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4 }).map((members) => dict(members)),
    fc.constantFrom("os system", "collections OrderedDict", "torch._utils _rebuild_tensor_v2")
      .map((name): Value => new Named(name)),
    fc.array(tie("value"), { maxLength: 3 }).map((args): Value =>
      new Call("collections OrderedDict", args)
    ),
  ),
}));

/** Single pickles. */
export const pickles = target<Uint8Array>({
  about: "pickles",
  share: 0.08,
  stallMs: WORKER_STALL_MS,
  open() {
    const any = arbitrary(VALUE);
    return {
      draw(random) {
        const { bytes } = pickle(any(random));
        return random() < 0.3 ? bytes : mutated([bytes, pickle(any(random)).bytes], random);
      },
      feed: (bytes) => void unpickle(bytes),
      show: (bytes) => base64(bytes.subarray(0, MOST_SHOWN)),
    };
  },
});

/** Whole files of `torch.save`. */
export const checkpoints = target<{ file: Uint8Array; args?: unknown }>({
  about: "files of torch.save, and their checkpoint_args.json",
  share: 0.04,
  stallMs: WORKER_STALL_MS,
  open() {
    const real = ["hub_lstm2", "cpc_audio_conv4", "cpc_audio_lstm1"].map(checkpointFixture);
    const any = arbitrary(VALUE);
    const weights = [["encoder.0.weight", { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] }]] as const;
    const small = [
      torchZip(stateDict(weights)),
      torchLegacy(stateDict(weights)),
    ];
    return {
      draw(random) {
        if (random() < REAL_SHARE) {
          const { bytes, args } = real[below(real.length, random)];
          return { file: mutated([bytes], random), args: args && mutatedJson(args, random) };
        }
        if (random() < 0.6) return { file: mutated(small, random) };
        const value = any(random);
        const file = random() < 0.5 ? torchZip(value) : torchLegacy(value);
        return { file: random() < 0.5 ? file : mutated([file], random) };
      },
      feed: ({ file, args }) => void importCheckpoint(file, { args }),
      show: ({ file, args }) =>
        `${base64(file.subarray(0, MOST_SHOWN))} (${file.length} bytes) ${JSON.stringify(args)}`,
    };
  },
});
