import assert from "node:assert/strict";
import { Metrics } from "../../metrics.ts";
import { watchStalls } from "../../routes/stalls.ts";

Deno.test("watchStalls() tells how late the event loop ran, until it is ended", async () => {
  let nowMs = 0;
  const delays: number[] = [];
  const enough = Promise.withResolvers<void>();
  const end = watchStalls((seconds) => {
    delays.push(seconds);
    if (delays.length === 3) enough.resolve();
  }, { nowMs: () => nowMs += 1000 }); // a clock on which every look comes a second late
  await enough.promise;
  end();
  assert.deepEqual(delays, [0.95, 0.95, 0.95]);
});

Deno.test("watchStalls() never tells of less than nothing", async () => {
  const observed = Promise.withResolvers<number>();
  const end = watchStalls(observed.resolve, { nowMs: () => 0 }); // each look comes too early
  assert.equal(await observed.promise, 0);
  end();
});

Deno.test("Metrics.delayed() gives the longest stall, and all in a histogram", async () => {
  const metrics = new Metrics();
  for (const seconds of [0.001, 0.3, 0.02]) metrics.delayed(seconds);
  const first = await metrics.registry.metrics();
  assert.match(first, /^cpc_event_loop_stall_seconds 0\.3$/m);
  assert.match(first, /^cpc_event_loop_delay_seconds_bucket\{le="0\.025"\} 2$/m);
  metrics.delayed(0.002);
  const second = await metrics.registry.metrics();
  assert.match(second, /^cpc_event_loop_stall_seconds 0\.002$/m);
  assert.match(second, /^cpc_event_loop_delay_seconds_count 4$/m);
});
