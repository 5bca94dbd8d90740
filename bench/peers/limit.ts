/** Prints how many floating-point operations a second this core multiplies matrices with. */
import { gemmRate } from "../step.ts";

console.log(await gemmRate());
