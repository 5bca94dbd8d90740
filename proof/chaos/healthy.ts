/** Clients that do nothing wrong while the server is hurt. */
import { percentiles } from "../../bench/statistics.ts";
import { type Clip, TOLERANCE } from "../clips.ts";
import { sayClip, StreamLost } from "../live_client.ts";

/** What they met. */
export interface Met {
  readonly finished: number;
  readonly resumed: number;
  /** Close codes of streams that were lost, and how often. */
  readonly lost: ReadonlyMap<number, number>;
  /** What no fault of the machine excuses: frames that are wrong, missing or twice. */
  readonly wrong: readonly string[];
  readonly p50: number;
  readonly p99: number;
  /** Longest time from audio to its frame, in ms. */
  readonly longestMs: number;
}

/** Runs a case beside healthy clients, each a clip after the other, and says what they met. */
export async function besideHealthy(
  clips: readonly Clip[],
  { url, streams = 3, patienceMs = 20_000 }: {
    url: () => string;
    streams?: number;
    patienceMs?: number;
  },
  hurt: () => Promise<void>,
): Promise<Met> {
  let [over, finished, resumed] = [false, 0, 0];
  const lost = new Map<number, number>();
  const wrong: string[] = [];
  const latenciesMs: number[] = [];
  const clients = Array.from({ length: streams }, async (_, i) => {
    for (let n = i; !over; n++) {
      try {
        const heard = await sayClip(clips[n % clips.length], { url, patienceMs });
        finished++;
        resumed += heard.resumed;
        latenciesMs.push(...heard.latenciesMs);
        if (heard.difference > TOLERANCE) wrong.push(`a difference of ${heard.difference}`);
      } catch (error) {
        if (!(error instanceof StreamLost)) throw error;
        if (error.code === 0) wrong.push(error.message);
        lost.set(error.code, (lost.get(error.code) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  });
  try {
    await hurt();
  } finally {
    over = true;
    await Promise.all(clients);
  }
  const [p50, p99] = percentiles(latenciesMs, [0.5, 0.99]);
  const longestMs = latenciesMs.reduce((most, ms) => Math.max(most, ms), 0);
  return { finished, resumed, lost, wrong, p50, p99, longestMs };
}
