import assert from "node:assert/strict";
import { StreamStats } from "../../streaming/stats.ts";

Deno.test("StreamStats: latency from a frame's last sample to its sending, p99 too", () => {
  const stats = new StreamStats();
  for (let frame = 1; frame <= 200; frame++) {
    stats.arrived(frame, frame * 10);
    stats.sent(frame, { nowMs: frame * 10 + (frame > 190 ? 50 : 2), computeMs: 1 });
  }
  stats.backlog(0.5);
  stats.backlog(0.2);
  const { audio_s, compute_s, latency_mean_ms, latency_p99_ms, backlog_max_s } = stats.summary(2);
  assert.deepEqual([audio_s, compute_s, latency_mean_ms, backlog_max_s], [
    2,
    0.2,
    (190 * 2 + 10 * 50) / 200,
    0.5,
  ]);
  assert.ok(latency_p99_ms >= 50 && latency_p99_ms <= 50 * 10 ** (1 / 12), `${latency_p99_ms}`);
});

Deno.test("StreamStats: nothing sent is all zeros; reset forgets what was under way", () => {
  const stats = new StreamStats();
  const nothing = {
    audio_s: 0,
    compute_s: 0,
    latency_mean_ms: 0,
    latency_p99_ms: 0,
    backlog_max_s: 0,
  };
  assert.deepEqual(stats.summary(0), nothing);
  stats.arrived(5, 0);
  stats.reset();
  stats.sent(5, { nowMs: 1000, computeMs: 0 });
  assert.deepEqual(stats.summary(0), nothing);
});
