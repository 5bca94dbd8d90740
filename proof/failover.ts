/** `deno task failover`: simulates servers that die under live streams, and draws what follows. */
import { runCommand } from "../commands/cli.ts";
import { path, whole } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { lineChart } from "../formats/svg.ts";
import { MAX_SEED } from "../model/seeded.ts";
import { comeback, failover } from "./failover/model.ts";

const COMMAND = {
  name: "failover",
  about: "Simulates servers that die under live streams: who comes back, and when.",
  usage: "[flags]",
  settings: twinned("CPC_FAILOVER_", {
    servers: whole({ min: 2, max: 10_000, fallback: 20, help: "servers of the fleet" }),
    capacity: whole({ min: 1, max: 100_000, fallback: 200, help: "streams that one can have" }),
    resume: whole({ min: 1, max: 1000, fallback: 5, help: "ms of thread time for a resume" }),
    seed: whole({ min: 0, max: MAX_SEED, fallback: 19, help: "of the clients' back-off" }),
    out: path({ value: "FILE", words: "none", help: "where the chart goes, as SVG" }),
  }),
};

/** Share of a server's places that are taken before. */
const LOADS = [0.5, 0.7, 0.85, 0.94];
/** Shares of the fleet that die at once: one server, a rack, a zone of three. */
const SHARES = [0, 1 / 10, 1 / 3];
/** Between two states of a session, of 4 s each. */
const REPLAY_S = 2;
const UNTIL_S = 15;

const status = await runCommand(COMMAND, async ({ servers, capacity, resume, seed, out }) => {
  console.log("load   dead  streams  back after s (50 %, 99 %)    lost  refusals");
  const series = [];
  for (const share of SHARES) {
    const dead = Math.max(1, Math.round(servers * share));
    for (const load of LOADS) {
      const streams = Math.round(capacity * load);
      const came = failover(
        { servers, streams, capacity, dead, resumeMs: resume, replayS: REPLAY_S, seed },
      );
      const at = (share: number) =>
        came.awayS[Math.ceil(came.awayS.length * share) - 1]?.toFixed(1) ?? "–";
      console.log([
        `${Math.round(load * 100)} %`.padStart(4),
        String(dead).padStart(5),
        String(dead * streams).padStart(7),
        `${at(0.5).padStart(12)}  ${at(0.99).padStart(6)}`,
        String(came.lost).padStart(12),
        String(came.refusals).padStart(8),
      ].join("  "));
      if (dead !== Math.round(servers / 3)) continue;
      series.push({
        name: `${Math.round(load * 100)} % of the places were taken`,
        points: comeback(came, { untilS: UNTIL_S }),
      });
    }
  }
  if (out === undefined) return;
  const chart = lineChart({
    title: `A third of ${servers} servers dies: who is back`,
    xLabel: "seconds",
    yLabel: "% of their streams",
    series,
  });
  await Deno.writeTextFile(out, chart);
}, { args: Deno.args });
Deno.exit(status);
