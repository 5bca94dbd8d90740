import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import { threadMs } from "../../../proof/cpu_time.ts";
import { fuzz } from "../../../proof/fuzz/harness.ts";
import { type Opened, target } from "../../../proof/fuzz/target.ts";
import { TARGETS } from "../../../proof/fuzz/targets.ts";

const OPTIONS = { inputs: 500, seed: 1 };

function numbers(opened: Partial<Opened<number>>, stallMs = 1000) {
  return target<number>({
    about: "numbers",
    share: 1,
    stallMs,
    open: () => ({ draw: (random) => Math.floor(random() * 100), feed() {}, ...opened }),
  });
}

/** Computes for at least this long, whatever else the machine does. */
function spin(ms: number): void {
  const until = threadMs() + ms;
  while (threadMs() < until);
}

Deno.test("fuzz() counts refusals; any other error is a fault, with its input", async () => {
  const { faults, answers, inputs } = await fuzz(
    "numbers",
    numbers({
      feed(x) {
        if (x < 50) throw new CpcError("invalid_option", "less than 50");
        if (x === 77) throw new TypeError("not a function");
      },
    }),
    OPTIONS,
  );
  assert.ok(inputs >= 250, "to the end of the batch at least");
  assert.ok(answers.get("invalid_option")! > 0 && answers.get("taken")! > 0);
  assert.ok(faults.length > 0);
  assert.match(faults[0], /TypeError: not a function[^]*by 77/);
});

Deno.test("fuzz() takes what the server blames itself for as a fault", async () => {
  const { faults } = await fuzz(
    "numbers",
    numbers({
      feed() {
        throw new CpcError("internal", "oops", { cause: new Error("deeper") });
      },
    }),
    OPTIONS,
  );
  assert.match(faults[0], /oops[^]*caused by[^]*deeper/);
});

Deno.test("fuzz() takes an input that keeps the thread for too long as a fault", async () => {
  const { faults, longestMs } = await fuzz(
    "numbers",
    numbers({ feed: (x) => x === 3 ? spin(60) : undefined }, 20),
    { ...OPTIONS, inputs: 250 },
  );
  assert.match(faults[0], /stalls this thread[^]*by 3/);
  assert.ok(longestMs > 20);
});

Deno.test("fuzz() takes a broken neighbour and an uncaught rejection for faults", async () => {
  let checks = 0;
  const { faults } = await fuzz(
    "numbers",
    numbers({
      feed(x) {
        if (x === 5) void Promise.reject(new Error("left alone"));
      },
      check() {
        return checks++ === 0 ? Promise.resolve() : Promise.reject(new Error("neighbour"));
      },
    }),
    OPTIONS,
  );
  assert.ok(faults.some((fault) => /left alone/.test(fault)), String(faults));
  assert.ok(faults.some((fault) => /after batch 1[^]*neighbour/.test(fault)), String(faults));
});

Deno.test("fuzz() draws the same inputs for the same seed", async () => {
  const runs = await Promise.all([1, 1, 2].map(async (seed) => {
    const drawn: number[] = [];
    await fuzz("numbers", numbers({ feed: (x) => void drawn.push(x) }), { inputs: 300, seed });
    return drawn;
  }));
  assert.deepEqual(runs[0], runs[1]);
  assert.notDeepEqual(runs[0], runs[2]);
});

Deno.test("TARGETS share a million inputs among them", () => {
  const all = Object.values(TARGETS).reduce((sum, { share }) => sum + share, 0);
  assert.ok(Math.abs(all - 1) < 1e-9, `the shares add up to ${all}`);
});
