/** The comparison as a Markdown table, for docs/performance.md. */
import type { PeerTable } from "./peers.ts";

/** Lines of the table. */
export function tableOfPeers({ rows, leftOut }: PeerTable): string[] {
  const ms = (value: number) => value.toFixed(value < 10 ? 1 : 0);
  const cells = [
    [
      "server",
      "streams a core",
      "p50 · p99 of one, ms",
      "p99 at most, ms",
      "core ms a stream-second",
      "of the limit",
      "MB",
      "start, s",
      "difference",
    ],
    ...rows.map(({ name, largest, alone, full, shareOfLimit, server }) => [
      name,
      `${largest}`,
      `${ms(alone.p50Ms)} · ${ms(alone.p99Ms)}`,
      full ? ms(full.p99Ms) : "–",
      full?.serverCores === undefined ? "–" : ms(1000 * full.serverCores / largest),
      full ? `${(100 * shareOfLimit).toFixed(0)} %` : "–",
      server?.memoryMB.toFixed(0) ?? "–",
      server ? (server.startMs / 1000).toFixed(1) : "–",
      server?.difference.toExponential(0) ?? "–",
    ]),
    ...leftOut.map(({ name, why }) => [name, why, ...Array(7).fill("–")]),
  ];
  const widths = cells[0].map((_, c) => Math.max(...cells.map((row) => row[c].length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, c) => cell.padEnd(widths[c])).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(cells[0]), rule, ...cells.slice(1).map(line)];
}
