/** The files that `deno task convert` reads and writes. */
import { dirname, join } from "node:path";
import { CpcError, UsageError } from "../../errors.ts";
import { type Dtype, type Tensor, writeSafetensors } from "../../model/safetensors.ts";

/** Largest file to read, in bytes. */
const MAX_FILE_BYTES = 2 * 1024 ** 3;
/** Largest finite 16-bit float. */
const F16_MAX = 65504;

/**
 * A safetensors file, with matrices in the type of `stored`, and tensors of one dimension (biases,
 * norms, statistics) in F32.
 *
 * @throws {CpcError} for values that do not fit 16 bits
 */
export function pack(
  tensors: ReadonlyMap<string, Tensor>,
  stored: "f32" | "f16",
): Uint8Array<ArrayBuffer> {
  const dtype: Dtype = stored === "f16" ? "F16" : "F32";
  const isMatrix = (name: string) => tensors.get(name)!.shape.filter((size) => size > 1).length > 1;
  for (const [name, { data }] of dtype === "F16" ? tensors : []) {
    if (!isMatrix(name)) continue;
    const large = data.find((x) => Math.abs(x) > F16_MAX);
    if (large !== undefined) {
      throw new CpcError(
        "checkpoint_invalid",
        `tensor ${name} holds ${large}, beyond f16's ±${F16_MAX}; use --dtype f32`,
      );
    }
  }
  return writeSafetensors(tensors, {
    dtype: (name) => isMatrix(name) ? dtype : "F32",
    metadata: { format: "pt" },
  });
}

/**
 * The bytes of a checkpoint.
 *
 * @throws {UsageError} if it cannot be read
 * @throws {CpcError} if it is too large
 */
export async function readCheckpoint(path: string): Promise<Uint8Array> {
  try {
    const info = await Deno.stat(path);
    if (info.isDirectory) {
      throw new UsageError(
        `${path} is a folder; convert takes a checkpoint file (a weights folder with --to pytorch)`,
      );
    }
    if (info.size > MAX_FILE_BYTES) {
      throw new CpcError(
        "checkpoint_invalid",
        `${path} has ${megabytes(info.size)}; at most ${megabytes(MAX_FILE_BYTES)} are allowed`,
      );
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof UsageError || error instanceof CpcError) throw error;
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`);
  }
}

/** Whether a path is a folder. @throws {UsageError} if there is nothing */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`);
  }
}

/** The training arguments that CPC_audio keeps beside its checkpoints. */
export async function readArgs(path: string): Promise<unknown> {
  const file = join(dirname(path), "checkpoint_args.json");
  try {
    return JSON.parse(await Deno.readTextFile(file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new CpcError("checkpoint_invalid", `cannot read ${file}: ${(error as Error).message}`);
  }
}

/** Creates a folder and writes files into it. @throws {CpcError} if that fails */
export async function writeFolder(
  folder: string,
  files: Record<string, Uint8Array>,
): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true });
    for (const [name, bytes] of Object.entries(files)) {
      await Deno.writeFile(join(folder, name), bytes);
    }
  } catch (error) {
    throw new CpcError("internal", `cannot write ${folder}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** A size for people. */
export const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)} MB`;
