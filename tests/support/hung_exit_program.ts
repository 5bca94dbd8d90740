/**
 * A program that exits while it is asked for its metrics, with which Deno 2.9.6 hangs for good, or
 * with the argument `clear` before that.
 */
import { metrics } from "@opentelemetry/api";
import { endHungExits } from "../../process_end.ts";

const STATUS = 7;

await endHungExits(100);
if (Deno.args[0] === "clear") Deno.exit(STATUS);
metrics.getMeter("hung").createObservableGauge("read").addCallback(() => Deno.exit(STATUS));
setInterval(() => {}, 1000);
