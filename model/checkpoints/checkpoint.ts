/** From the bytes of a PyTorch checkpoint to a model of this project. */
import { MODEL_SAMPLE_RATE, type ModelConfig, modelConfigSchema } from "../architecture.ts";
import { checkTensors } from "../weights.ts";
import { isBshall, readBshall } from "./bshall.ts";
import { isCdck, readCdck } from "./cdck.ts";
import { isCpcAudio, readCpcAudio } from "./cpc_audio.ts";
import type { Recognised } from "./imported.ts";
import { type PickleValue, TensorRef } from "./pickle_values.ts";
import { naming, refuse, shown } from "./refuse.ts";
import { StateDict } from "./state_dict.ts";
import { TorchFile } from "./torch_file.ts";

/** A checkpoint as a model: complete, checked and ready for a weights folder. */
export interface ImportedCheckpoint extends Omit<Recognised, "config"> {
  /** `input_scale` is the kind's default. */
  readonly config: ModelConfig;
}

/**
 * Reads a checkpoint without running anything in it.
 *
 * @param bytes the whole file
 * @param options `name`: its name in messages; `args`: the parsed `checkpoint_args.json`, where
 *   there is one
 * @throws {CpcError} `checkpoint_invalid`, naming what the file is not, what it lacks, or why it
 *   cannot be streamed
 */
export function importCheckpoint(
  bytes: Uint8Array,
  options: { name?: string; args?: unknown } = {},
): ImportedCheckpoint {
  const { name = "the checkpoint", args } = options;
  return naming(name, () => {
    const { config: architecture, ...recognised } = recognise(TorchFile.open(bytes), args);
    const config = modelConfigSchema.safeParse({
      version: 1,
      sample_rate: MODEL_SAMPLE_RATE,
      ...architecture,
      input_scale: recognised.inputScale.value,
    });
    if (!config.success) {
      const { path, message } = config.error.issues[0]!;
      return refuse(`its architecture is out of bounds: ${path.join(".")}: ${message}`);
    }
    checkTensors(config.data, recognised.tensors);
    return { ...recognised, config: config.data };
  });
}

function recognise(file: TorchFile, args: unknown): Recognised {
  const { root } = file;
  if (!(root instanceof Map)) {
    return refuse("it does not hold a dict, as a checkpoint or a state_dict would");
  }
  const member = (key: string) => {
    const value = root.get(key);
    return value instanceof Map ? value : undefined;
  };
  const others = (...read: string[]) =>
    [...root.keys()].filter((key): key is string => typeof key === "string" && !read.includes(key))
      .map(shown);

  const model = member("gEncoder");
  if (model) {
    const criterion = member("cpcCriterion");
    const read = readCpcAudio(new StateDict(file, model), {
      kind: "CPC_audio",
      args: args ?? needArgs(),
      criterion: criterion && new StateDict(file, criterion),
    });
    return { ...read, skipped: [...others("gEncoder", "cpcCriterion"), ...read.skipped] };
  }
  const [config, weights] = [member("config"), member("weights")];
  if (config && weights) {
    const read = readCpcAudio(new StateDict(file, weights), {
      kind: "CPC_audio hub",
      args: plainObject(config),
    });
    return { ...read, skipped: [...others("config", "weights"), ...read.skipped] };
  }
  const wrapped = member("state_dict");
  const state = new StateDict(file, wrapped ?? root);
  const skipped = wrapped ? others("state_dict") : [];
  if (isCdck(state)) return { ...readCdck(state), skipped };
  if (isBshall(state)) return { ...readBshall(state), skipped };
  if (isCpcAudio(state)) {
    const read = readCpcAudio(state, { kind: "CPC_audio", args: args ?? needArgs() });
    return { ...read, skipped: [...skipped, ...read.skipped] };
  }
  if (state.hasUnder("vap_head.")) {
    refuse("it is a voice activity projection: name the CPC network that it hears with --cpc");
  }
  const found = state.untaken.slice(0, 4).map(shown).join(", ") ||
    [...root.keys()].slice(0, 4).map(String).map(shown).join(", ");
  return refuse(
    `it is not a known model (CDCK2, CDCK5, CDCK6, CPC_audio, bshall/cpc); it holds ${
      found || "nothing"
    }`,
  );
}

function needArgs(): never {
  return refuse(
    "there is no checkpoint_args.json beside it. That file says whether the context network can " +
      "be streamed (cpc_mode, arMode): put the one from its training there (a file with {} " +
      "stands for the project's defaults)",
  );
}

/** The members that are plain values; tensors and nested values have no place in arguments. */
function plainObject(map: ReadonlyMap<PickleValue, PickleValue>): Record<string, unknown> {
  return Object.fromEntries(
    [...map].filter(([key, value]) => typeof key === "string" && !(value instanceof TensorRef)),
  );
}
