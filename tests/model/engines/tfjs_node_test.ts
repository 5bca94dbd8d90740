/** The engine on the real libtensorflow, where `deno task setup:tfjs` has built it. */
import { loadTfjs } from "../../../model/tfjs/backend.ts";
import { engineConformance } from "./conformance.ts";

const { backend, tried } = await loadTfjs({ device: "cpu" });
if (backend === "tfjs-node") engineConformance({ kind: "tfjs", device: "cpu", tolerance: 1e-4, runs: 20 });
else Deno.test({ name: `tfjs-node left out: ${tried[0].why}`, ignore: true, fn() {} });
