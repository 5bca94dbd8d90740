/** Cases in which the network is at fault: Linux, with the right to make network namespaces. */
import { setTimeout as wait } from "node:timers/promises";
import { judged, type Outcome, type Scene } from "./case.ts";
import { besideHealthy } from "./healthy.ts";
import { FAR_HOST, type Link, withLink } from "./link.ts";
import { startChild, stopChild } from "./server.ts";

/** Per cent of the packets that are lost each way, one after the other. */
const LOSSES = [5, 20];

/** A link that goes down and comes up again: packets in between are lost, and nobody is told. */
export function halfOpen(scene: Scene): Promise<Outcome> {
  return overLink(scene, async (link) => {
    for (const downMs of [300, 1500, Math.max(scene.harmMs / 2, 4000)]) {
      await link.up(false);
      await wait(downMs);
      await link.up(true);
      await wait(4000);
    }
  });
}

/** A link that loses packets at random. */
export function packetLoss(scene: Scene): Promise<Outcome> {
  return overLink(scene, async (link, broken) => {
    for (const percent of LOSSES) {
      await link.lose(percent);
      await wait(scene.harmMs / LOSSES.length);
      const lost = await link.lose(0);
      if (lost === 0) broken.push(`no packet was lost, where ${percent} % should have been`);
    }
  });
}

/** Streams over a link to a server that is at its far end. */
async function overLink(
  { model, clips }: Scene,
  hurt: (link: Link, broken: string[]) => Promise<void>,
): Promise<Outcome> {
  return await withLink(async (link) => {
    const child = await startChild(model, {
      flags: ["--host", FAR_HOST, "--allow-anonymous"],
      prelude: link.prelude,
    });
    try {
      const broken: string[] = [];
      const patient = { url: () => child.url, patienceMs: 60_000 };
      const met = await besideHealthy(clips, patient, async () => {
        await wait(2000);
        await hurt(link, broken);
      });
      return judged(met, broken);
    } finally {
      await stopChild(child);
    }
  });
}
