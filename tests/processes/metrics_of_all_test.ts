import assert from "node:assert/strict";
import { Metrics } from "../../metrics.ts";
import { snapshotSchema } from "../../processes/messages.ts";
import { MetricsOfAll } from "../../processes/metrics_of_all.ts";

const snapshot = async (metrics: Metrics) =>
  snapshotSchema.parse(JSON.parse(JSON.stringify(await metrics.registry.getMetricsAsJSON())));
/** The value of a line of Prometheus text. */
const value = (text: string, name: string) =>
  Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ")[1]);

Deno.test("MetricsOfAll adds up counters and histograms, and takes the worst states", async () => {
  const all = new MetricsOfAll(() => 2);
  const [one, two] = [new Metrics(), new Metrics()];
  one.framesSent(3, "");
  two.framesSent(4, "");
  one.streamsOpened(1);
  one.storeWorks(true);
  two.storeWorks(false);
  one.stepTaken({ stepMs: 3, streams: 2, hops: 1 });
  two.stepTaken({ stepMs: 30, streams: 2, hops: 1 });
  one.delayed(0.25);
  one.closed(4429);
  two.closed(4429);
  all.told(1, await snapshot(one));
  all.told(2, await snapshot(two));
  const text = await all.text();
  assert.equal(value(text, "cpc_frames_total"), 7);
  assert.doesNotMatch(text, /^cpc_usage_frames_total\{/m, "a supervisor counts it");
  assert.equal(value(text, "cpc_streams"), 1);
  assert.equal(value(text, "cpc_store_up"), 0);
  assert.equal(value(text, 'cpc_step_seconds_bucket{le="0.005"}'), 1);
  assert.equal(value(text, "cpc_step_seconds_count"), 2);
  assert.equal(value(text, "cpc_event_loop_stall_seconds"), 0.25);
  assert.equal(value(text, 'cpc_stream_closes_total{code="4429"}'), 2);
  assert.equal(value(text, "cpc_processes"), 2);
});

Deno.test("MetricsOfAll.ended() keeps what a server counted, and forgets its streams", async () => {
  const all = new MetricsOfAll(() => 1);
  for (let life = 1; life <= 2; life++) {
    const metrics = new Metrics();
    metrics.framesSent(5, "");
    metrics.streamsOpened(1);
    metrics.stepTaken({ stepMs: 3, streams: 1, hops: 1 });
    all.told(1, await snapshot(metrics));
    await all.ended(1);
    all.restarted();
    const text = await all.text();
    assert.equal(value(text, "cpc_frames_total"), 5 * life);
    assert.equal(value(text, "cpc_step_seconds_count"), life);
    assert.ok(!(value(text, "cpc_streams") > 0));
    assert.equal(value(text, "cpc_process_restarts_total"), life);
  }
});

Deno.test("MetricsOfAll.ended() counts servers that end together, at every moment", async () => {
  const all = new MetricsOfAll(() => 0);
  for (const server of [1, 2, 3]) {
    const metrics = new Metrics();
    metrics.framesSent(5, "");
    all.told(server, await snapshot(metrics));
  }
  const ends = [1, 2, 3].map((server) => all.ended(server));
  assert.equal(value(await all.text(), "cpc_frames_total"), 15, "while they end");
  await Promise.all(ends);
  assert.equal(value(await all.text(), "cpc_frames_total"), 15);
});
