/** The command line of `deno task bench:peers`. */
import { text, whole, yes } from "../../config/kinds.ts";
import { twinned } from "../../config/setting.ts";
import { MODEL_SETTING } from "../../config/settings.ts";
import type { Command } from "../cli.ts";

/** The command line. */
export const BENCH_PEERS = {
  name: "bench:peers",
  about: "Compares this server with others of the same model on one core, in turns.",
  usage: "[flags]",
  settings: {
    model: MODEL_SETTING,
    ...twinned("CPC_PEERS_", {
      seconds: whole({
        min: 1,
        max: 999,
        fallback: 4,
        help: "seconds of audio per stream and level, after one that is not counted",
      }),
      python: text({
        value: "PATH",
        fallback: "python3",
        help: "a Python of 3.11 or later, from which the peers' environment is made",
      }),
      folder: text({
        value: "DIR",
        words: "cpc-stream/peers in the user's cache",
        help: "where that environment is kept",
      }),
      force: yes({ help: "install the peers again even if they are in place" }),
    }),
  },
  notes: [
    "The first run installs PyTorch, ONNX Runtime and MaAI's package from PyPI: 5.6 GB of disk, " +
    "with PyTorch's CUDA libraries, which are not used. If pip's settings name an index of " +
    "PyTorch's builds for the CPU, such as " +
    "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu, it is a tenth of that.",
    "All servers run on the first core, this program on the others; it needs Linux and two " +
    "cores. What they answer is compared first. With 4 seconds a level it takes about 10 minutes.",
  ],
} satisfies Command;
