/** A program whose main thread hears nothing any more once it has said so. */
import process from "node:process";
import { endAtSecondSignal, STOP_SIGNALS } from "../../signals.ts";

for (const signal of STOP_SIGNALS) process.on(signal, () => {});
await endAtSecondSignal();
console.log("busy");
for (;;);
