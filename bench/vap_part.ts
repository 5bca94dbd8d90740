/** `deno task bench --only vap`: its table, and MaAI's loop beside it. */
import { fileURLToPath } from "node:url";
import { pad } from "./print.ts";
import { benchVap, MAAI_SIZES } from "./vap.ts";

const DIALOGUES = [1, 2, 5, 10, 15];
/** MaAI's default. */
const WINDOW_SECONDS = 20;
/** Rows of MaAI's loop that are timed. */
const MAAI_ROWS = 50;
const ROW_MS = 100;

/**
 * Measures and prints.
 *
 * @param options `seconds`: of audio for each dialogue; `python`: one that may have `maai`
 */
export async function vap(
  { seconds, python }: { seconds: number; python: string },
): Promise<void> {
  const { features, every } = MAAI_SIZES;
  console.log(
    `\nvap: voice activity projection, two channels, ${features} wide, ${
      100 / every
    } rows a second, ${WINDOW_SECONDS} s of attention;`,
  );
  console.log(
    "one thread takes messages of 20 ms, from audio to probabilities; medians of seconds",
  );
  console.log("dialogues  busy ms a second  dialogues a core");
  const rows = await benchVap({ dialogues: DIALOGUES, seconds, windowSeconds: WINDOW_SECONDS });
  for (const { dialogues, busyMs, perCore } of rows) {
    console.log(
      `${pad(dialogues, 9)}  ${pad(busyMs.toFixed(0), 16)}  ${pad(perCore.toFixed(1), 16)}`,
    );
  }
  const maai = await maaiMs(python);
  console.log(
    typeof maai === "number"
      ? `MaAI's own loop, one dialogue a process: ${maai.toFixed(1)} ms for 100 ms of audio, ${
        (ROW_MS / maai).toFixed(1)
      } dialogues a core`
      : `MaAI's own loop: left out: ${maai}`,
  );
}

/** Milliseconds of MaAI's loop for a row; or why it does not run. */
export async function maaiMs(python: string): Promise<number | string> {
  const script = fileURLToPath(new URL("./vap_maai.py", import.meta.url));
  try {
    const { success, stdout, stderr } = await new Deno.Command(python, {
      args: [script, String(MAAI_ROWS)],
    }).output();
    const [text, complaints] = [stdout, stderr].map((bytes) =>
      new TextDecoder().decode(bytes).trim()
    );
    if (success) return Number(text);
    return `${
      complaints.split("\n").at(-1)
    } (pip install maai, and name that Python with --python)`;
  } catch (error) {
    return `cannot run ${python}: ${(error as Error).message}`;
  }
}
