/** The servers that are compared: ours, and its peers in Python. */
import { NATIVE_FOLDER, NATIVE_STAMP } from "../../model/tfjs/native.ts";
import { type ChildServer, startProgram, startServer } from "../load.ts";

/** A server to compare. */
export interface Contender {
  readonly name: string;
  /** Whether its outputs must be those of ours in fp32. */
  readonly exact: boolean;
  /** Starts it on the first core. @throws if it is not set up here, or does not start */
  start(): Promise<ChildServer>;
}

/** Peers in Python: the names of server.py, and what they are. */
const PYTHON_PEERS = {
  incremental: "PyTorch, incremental, batched",
  sessions: "ONNX Runtime in Python, a session a client",
  maai: "MaAI's encoder loop",
  window: "PyTorch, 0.5 s re-encoded a message",
} as const;

/**
 * All servers, ours in fp32 first.
 *
 * @param options `model`: a weights folder, as an absolute path; `python`: with the peers' packages
 */
export function contenders(
  { model, python }: { model: string; python: string },
): readonly Contender[] {
  const ours = (name: string, flags: readonly string[]) => ({
    name,
    exact: !flags.includes("int8"),
    start: () => startServer(["--model", model, "--workers", "1", ...flags], { cores: 1 }),
  });
  const script = new URL("./server.py", import.meta.url).pathname;
  return [
    ours("this server, fp32", []),
    ours("this server, int8", ["--precision", "int8"]),
    ...Object.entries(PYTHON_PEERS).map(([peer, name]) => ({
      name,
      exact: true,
      start: () => startProgram(["taskset", "-c", "0", python, script, peer, model]),
    })),
    {
      ...ours("this server, tfjs-node", []),
      async start() {
        if (!await exists(new URL(`cpu/${NATIVE_STAMP}`, NATIVE_FOLDER))) {
          throw new Error("not set up (deno task setup:tfjs)");
        }
        const flags = ["--engine", "tfjs", "--device", "cpu", "--workers", "1"];
        return await startServer(["--model", model, ...flags], { cores: 1 });
      },
    },
  ];
}

async function exists(file: URL): Promise<boolean> {
  try {
    await Deno.stat(file);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
