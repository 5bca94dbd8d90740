import assert from "node:assert/strict";
import { comeback, failover } from "../../proof/failover/model.ts";

const FLEET = {
  servers: 10,
  streams: 100,
  capacity: 200,
  dead: 2,
  resumeMs: 5,
  replayS: 2,
  seed: 1,
} as const;

Deno.test("failover() brings all back where there is room, and loses the rest", () => {
  const roomy = failover(FLEET);
  assert.deepEqual([roomy.awayS.length, roomy.lost, roomy.refusals], [200, 0, 0]);
  assert.ok(roomy.awayS.at(-1)! < 1);
  assert.ok(roomy.awayS[0]! >= 0.125); // the shortest wait of a client
  const full = failover({ ...FLEET, streams: 190 });
  assert.deepEqual([full.awayS.length, full.lost], [8 * 10, 380 - 80]);
  assert.ok(full.refusals >= full.lost);
});

Deno.test("failover() depends on its seed; a slow resume makes streams wait", () => {
  assert.deepEqual(failover(FLEET), failover(FLEET));
  assert.notDeepEqual(failover(FLEET).awayS, failover({ ...FLEET, seed: 2 }).awayS);
  const slow = failover({ ...FLEET, resumeMs: 100 });
  assert.ok(slow.awayS.at(-1)! >= 200 / 8 * 0.1); // 25 resumes on each server, one by one
});

Deno.test("comeback() ends with the share that came back", () => {
  const points = comeback({ awayS: [1, 2, 3], lost: 1, refusals: 0 }, { untilS: 4, points: 4 });
  assert.deepEqual(points, [[0, 0], [1, 25], [2, 50], [3, 75], [4, 75]]);
});
