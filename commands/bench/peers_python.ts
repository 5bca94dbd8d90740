/** The Python environment of the peers, outside the repository. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../errors.ts";
import { buildOnce, run, step, StepError } from "../setup/native.ts";

const REQUIREMENTS = fileURLToPath(new URL("../../bench/peers/requirements.txt", import.meta.url));
/** Without what it needs for microphones and windows. */
const MAAI = "maai==0.2.25";

/**
 * Installs the peers' packages, unless they are in place.
 *
 * @param options `python`: makes the environment; `folder`: for it
 * @returns its Python
 * @throws {UsageError} if `python` cannot be run
 */
export async function peersPython(
  { python, folder, force }: { python: string; folder: string; force: boolean },
): Promise<string> {
  const own = join(folder, "bin/python");
  const pip = (...args: string[]) => run(own, ["-m", "pip", "install", "--quiet", ...args], folder);
  await buildOnce({
    folder,
    force,
    stamp: { file: ".ready", text: `${await Deno.readTextFile(REQUIREMENTS)}${MAAI}\n` },
    inPlace: `the peers are in place in ${folder}`,
    system: () => checkVersion(python),
    async build() {
      await step(`1/3 an environment in ${folder}`, () => run(python, ["-m", "venv", "."], folder));
      await step(
        "2/3 the packages of bench/peers/requirements.txt",
        () => pip("--requirement", REQUIREMENTS),
      );
      await step(`3/3 ${MAAI}`, () => pip("--no-deps", MAAI));
    },
    check: () => run(own, ["-c", "import onnxruntime, torch, uvloop, websockets"], folder),
  });
  return own;
}

/** @throws {UsageError} */
async function checkVersion(python: string): Promise<void> {
  const newEnough = "import sys; assert sys.version_info >= (3, 11), sys.version";
  try {
    await run(python, ["-c", newEnough], ".");
  } catch (error) {
    if (!(error instanceof StepError || error instanceof Deno.errors.NotFound)) throw error;
    throw new UsageError(`--python ${python}: needs Python 3.11 or later: ${error.message}`);
  }
}
