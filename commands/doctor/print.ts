/** Prints the reports of `deno task doctor`. */
import type { CheckReport, EngineReport } from "./engines.ts";
import type { SystemReport } from "./system.ts";

/** Prints the machine, its libraries and the speed of its engines. */
export function printReport(
  { system, libraries }: SystemReport,
  engines: readonly EngineReport[],
): void {
  const { os, arch, deno, cpu, cores, cpu_features } = system;
  console.log(
    `${os} ${arch}, Deno ${deno}\n${cpu}, ${cores} ${cores === 1 ? "core" : "cores"}: ${
      cpu_features.join(" ") || "features unknown"
    }\n`,
  );
  for (const { name, found, detail } of libraries) {
    console.log(`${found ? "✓" : "–"} ${name.padEnd(27)} ${detail}`);
  }
  console.log("\nseconds of audio computed per second (one thread, 8 streams):");
  for (const report of engines) {
    const title = `${report.engine} on ${report.device}`.padEnd(15);
    if (report.works) {
      console.log(
        `✓ ${title} ${report.audio_seconds_per_second.toFixed(2).padStart(7)}  ${report.library}`,
      );
      printWarning(report.warning);
      const { int8 } = report;
      if (int8?.works) {
        console.log(
          `✓ ${"  in int8".padEnd(15)} ${int8.audio_seconds_per_second.toFixed(2).padStart(7)}`,
        );
        printWarning(int8.warning);
      } else if (int8) console.log(`– ${"  in int8".padEnd(15)}       –  ${int8.why}`);
    } else {
      console.log(
        `– ${title}       –  ${report.why}\n  ${"".padEnd(15)}          → ${report.todo}`,
      );
    }
  }
}

/** Prints the result of each fixture on each engine. */
export function printChecks(checks: readonly CheckReport[]): void {
  for (const check of checks) {
    const title = `${check.engine} on ${check.device}`;
    if (!check.works) {
      console.log(`${title}: not checked: ${check.why}\n  → ${check.todo}\n`);
      continue;
    }
    const { library, warning, tolerance, largest, passed, fixtures } = check;
    console.log(
      `${title}, ${library}: largest |Δ| against PyTorch, tolerance ${tolerance.toExponential()}`,
    );
    if (warning) console.log(`! ${warning}`);
    console.log(`${"recording".padEnd(36)} frames  latent   context  prediction`);
    for (const { name, frames, latent, context, prediction } of fixtures) {
      const numbers = [latent, context, prediction].map((x) => short(x).padEnd(8)).join(" ");
      console.log(
        `${name.replace("features_", "").padEnd(36)} ${String(frames).padStart(6)}  ${numbers}`
          .trimEnd(),
      );
    }
    console.log(
      `${passed ? "within the tolerance" : "BEYOND the tolerance"}: largest ${short(largest)}\n`,
    );
  }
}

function printWarning(warning?: string): void {
  if (warning) console.log(`  ${"".padEnd(15)}          ! ${warning}`);
}

function short(difference: number | null | undefined): string {
  return difference === undefined ? "" : difference === null ? "NaN" : difference.toExponential(1);
}
