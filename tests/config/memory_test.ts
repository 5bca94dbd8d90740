import assert from "node:assert/strict";
import { bytesOf, planMemory, shownBytes } from "../../config/memory.ts";
import { UsageError } from "../../errors.ts";

const MIB = 2 ** 20;
const NEEDS = {
  fixed: 500 * MIB,
  perStream: 8 * MIB,
  perKept: 6 * MIB,
  requests: { most: 3000 * MIB, least: 256 * MIB },
};
const WANTED = { maxStreams: 1024, maxKeptSessions: 1000 };
const plan = (budgetMib: number, wanted = WANTED) =>
  planMemory(wanted, NEEDS, { budget: budgetMib * MIB, fallbackStreams: 1024 });

Deno.test("bytesOf() reads bytes with and without units, and nothing else", () => {
  assert.deepEqual(["1000", "800MB", "1.5GiB", "2 gib", "64KiB"].map(bytesOf), [
    1000,
    800e6,
    1.5 * 2 ** 30,
    2 ** 31,
    65_536,
  ]);
  for (const wrong of ["", "much", "-1", "1e9", "4TiB", "4 G", "GiB"]) {
    assert.equal(bytesOf(wrong), undefined, wrong);
  }
});

Deno.test("shownBytes() rounds for people", () => {
  const cases: [bytes: number, up: string, down: string][] = [
    [0, "0 bytes", "0 bytes"],
    [1, "1 byte", "1 byte"],
    [1023, "1023 bytes", "1023 bytes"],
    [1025, "2 KiB", "1 KiB"],
    [100 * MIB + 1, "101 MiB", "100 MiB"],
    [3 * 2 ** 29, "1.5 GiB", "1.5 GiB"],
    [2 ** 31 - 1, "2.0 GiB", "1.9 GiB"],
  ];
  for (const [bytes, up, down] of cases) {
    assert.deepEqual([shownBytes(bytes), shownBytes(bytes, Math.floor)], [up, down]);
  }
});

Deno.test("planMemory() grants all bounds where the budget holds them", () => {
  const { maxStreams, maxKeptSessions, requests, total, budget } = plan(20_000);
  assert.deepEqual([maxStreams, maxKeptSessions, requests], [1024, 1000, 3000 * MIB]);
  assert.ok(total <= budget);
});

Deno.test("planMemory() stays within the budget; requests give way first, then streams", () => {
  for (let budgetMib = 765; budgetMib < 20_000; budgetMib += 97) {
    const { maxStreams, maxKeptSessions, requests, total } = plan(budgetMib);
    assert.ok(total <= budgetMib * MIB, `${budgetMib} MiB`);
    assert.ok(maxStreams >= 1 && requests >= NEEDS.requests.least);
    if (requests > NEEDS.requests.least + NEEDS.perKept) assert.equal(maxKeptSessions, 1000);
    assert.ok(Math.abs(maxKeptSessions - maxStreams) <= 30, `${budgetMib} MiB`);
  }
});

Deno.test("planMemory() refuses streams that do not fit, and says what would", () => {
  assert.throws(
    () => plan(4096, { maxStreams: 2000, maxKeptSessions: 0 }),
    (error: Error) =>
      error instanceof UsageError &&
      /--memory-budget 4\.0 GiB cannot hold --max-streams 2000.*16\.4 GiB.*417 streams or fewer/
        .test(error.message),
  );
  const { maxStreams } = plan(4096, { maxStreams: 417, maxKeptSessions: 0 });
  assert.equal(maxStreams, 417);
});

Deno.test("planMemory() refuses a budget that holds no stream at all", () => {
  assert.throws(
    () => plan(760),
    (error: Error) =>
      error instanceof UsageError &&
      /760 MiB holds no stream; with one, .* 764 MiB: .*or ask for fewer --workers/
        .test(error.message),
  );
});
