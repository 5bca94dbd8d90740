/**
 * ONNX Runtime Web, where a server has `model/engines/onnx_runtime.ts`: `deno task build:web` puts
 * this module in its place. Each device has a worker of its own, since their runtimes differ.
 */
import * as ort from "onnxruntime-web";
import { CpcError, firstLine } from "../errors.ts";
import { unpackedBeside } from "./kept_files.ts";

export const ONNXRUNTIME_VERSION = ort.env.versions.web ?? "";

/** The one device of this worker. */
export function providersOf(device: string) {
  return { providers: [device], passedOver: [] };
}

/** What the runtime of this worker knows; which one it is, the bundle decides. */
export function knownProviders(): string[] {
  return ["cpu", "webgpu"];
}

/** There is nothing to prepare: `checkDevice()` came before. */
export function prepareProvider(): void {}

/** The reason in one line. */
export function whyFailed(_provider: string, error: unknown): string {
  return firstLine(error);
}

/** Whether a card is a real one, the browser does not say. */
export function softwareWarning(): undefined {
  return undefined;
}

let runtime: Promise<Runtime> | undefined;
type Runtime = Pick<typeof ort, "Tensor"> & {
  readonly InferenceSession: typeof FillingSession;
};

/** The runtime, in one thread: more would need shared memory, and pages that are isolated. */
export function loadOnnxRuntime(): Promise<Runtime> {
  return runtime ??= load();
}

async function load(): Promise<Runtime> {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await unpackedBeside(import.meta.url);
  return { Tensor: ort.Tensor, InferenceSession: FillingSession };
}

/** Runs a session, which writes its results into the tensors given. */
export function runInto(
  session: FillingSession,
  { feeds, fetches }: {
    feeds: Record<string, ort.Tensor>;
    fetches: Record<string, ort.Tensor>;
  },
): Promise<void> {
  return session.run(feeds, fetches);
}

/**
 * A session that writes its results into the tensors that it is given, as the native runtime does;
 * that of the web makes new ones.
 */
class FillingSession {
  readonly #session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  static async create(
    model: Uint8Array,
    options: ort.InferenceSession.SessionOptions,
  ): Promise<FillingSession> {
    return new FillingSession(await ort.InferenceSession.create(model, options));
  }

  async run(
    feeds: Record<string, ort.Tensor>,
    fetches: Record<string, ort.Tensor>,
  ): Promise<void> {
    const made = await this.#session.run(feeds, Object.keys(fetches));
    for (const [name, tensor] of Object.entries(fetches)) {
      const [from, to] = [made[name]?.data, tensor.data];
      const fits = from instanceof Float32Array && to instanceof Float32Array &&
        from.length === to.length;
      if (!fits) throw new CpcError("model_failed", `the graph gave ${name} in another shape`);
      to.set(from);
    }
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}
