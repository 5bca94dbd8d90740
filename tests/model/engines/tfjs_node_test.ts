/** The engine on the real libtensorflow, where `deno task setup:tfjs` has built it. */
import { FP32_TOLERANCE } from "../../../conformance/check.ts";
import { loadTfjs } from "../../../model/tfjs/backend.ts";
import { leftOut } from "../../support/left_out.ts";
import { engineConformance } from "./conformance.ts";

const { backend, tried } = await loadTfjs({ device: "cpu" });
if (backend === "tfjs-node") {
  engineConformance({ kind: "tfjs", device: "cpu", tolerance: FP32_TOLERANCE, runs: 20 });
} else leftOut("tfjs on cpu (tfjs-node)", tried[0].why);
