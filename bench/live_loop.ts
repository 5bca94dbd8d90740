/** Live streams on a step loop, driven in lockstep. */
import type { Want } from "../inference/messages.ts";
import type { StepLoop } from "../inference/worker/step_loop.ts";

/**
 * Opens streams on a loop.
 *
 * @returns gives every stream so many hops of noise and takes all steps; resolves to milliseconds
 */
export function openStreams(
  loop: StepLoop,
  { model, streams, want, hopSamples }: {
    model: string;
    streams: number;
    want: Want;
    hopSamples: number;
  },
): (hops: number) => Promise<number> {
  const leases = Array.from({ length: streams }, (_, index) => ({ index, generation: 0 }));
  for (const lease of leases) {
    loop.handle({
      type: "open",
      lease,
      model,
      channels: 1,
      priority: "live",
      want,
      checkpointHops: 200,
    });
  }
  return async (hops) => {
    for (const lease of leases) {
      loop.handle({ type: "audio", lease, samples: noise(hops * hopSamples) });
    }
    const started = performance.now();
    while (await loop.step());
    return performance.now() - started;
  };
}

function noise(length: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, () => (Math.random() - 0.5) / 5);
}
