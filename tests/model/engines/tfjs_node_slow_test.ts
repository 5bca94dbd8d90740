/** Steps on the real libtensorflow by the thousand. */
import { loadTfjs } from "../../../model/tfjs/backend.ts";
import { leftOut } from "../../support/left_out.ts";
import { keepsNoTensor } from "./tfjs_memory.ts";

const { backend, tried } = await loadTfjs({ device: "cpu" });
if (backend === "tfjs-node") keepsNoTensor("cpu");
else leftOut("tfjs on cpu (tfjs-node)", tried[0].why);
