import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { LIMITS } from "../../config/limits.ts";
import { DecodeBudget } from "../../recordings/decode_budget.ts";
import { Gate } from "../../recordings/gate.ts";
import { Pace } from "../../routes/pace.ts";
import { withHttpServer } from "../support/http_server.ts";
import { wav, withServer } from "../support/server.ts";

const clip = wav(Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i / 9) / 2));

/** Watches the calls of a method while something runs. */
async function watching<
  Name extends string,
  Class extends Record<Name, (...args: never[]) => unknown>,
>(
  prototype: Class,
  { method, seen }: { method: Name; seen: (self: Class, args: unknown[]) => void },
  run: () => Promise<void>,
): Promise<void> {
  const real = prototype[method];
  const watched = function (this: Class, ...args: never[]) {
    seen(this, args);
    return Reflect.apply(real, this, args);
  };
  Object.assign(prototype, { [method]: watched });
  try {
    await run();
  } finally {
    Object.assign(prototype, { [method]: real });
  }
}

/** How many of one owner's tasks a gate lets in at once, and how many of another's beside them. */
async function placesOf(gate: Gate): Promise<[number, number]> {
  const leave: (() => void)[] = [];
  const enter = async (name: string) => {
    const stop = new AbortController();
    for (let inside = 0;; inside++) {
      const entered = gate.door(name).enter(stop.signal).then((left) => leave.push(left));
      entered.catch(() => {});
      const got = await Promise.race([
        entered.then(() => true),
        new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
      ]);
      if (got) continue;
      stop.abort();
      return inside;
    }
  };
  const places: [number, number] = [await enter("first"), await enter("second")];
  for (const out of leave) out();
  return places;
}

Deno.test("requests wait and are counted by key; one leaves a quarter to others", async () => {
  const owners: unknown[] = [];
  const gates = new Set<Gate>();
  const seen = (self: unknown, [owner]: unknown[]) => {
    owners.push(owner);
    if (self instanceof Gate) gates.add(self);
  };
  await watching(
    Gate.prototype,
    { method: "door", seen },
    () =>
      watching(
        DecodeBudget.prototype,
        { method: "share", seen },
        () =>
          withServer(async ({ app }) => {
            for (const [key, path] of [["one", "embeddings"], ["two", "score?window=1000"]]) {
              const headers = { authorization: `Bearer the-key-called-${key}` };
              const answer = await app.request(`/v1/${path}`, {
                method: "POST",
                body: clip,
                headers,
              });
              assert.equal(answer.status, 200, await answer.text());
            }
          }, { flags: ["--api-key", "the-key-called-one", "--api-key", "the-key-called-two"] }),
      ),
  );
  const ofARequest = 4; // its files, their checks, its scoring, what it decodes
  const expected = ["key1", "key2"].flatMap((name) => Array(ofARequest).fill(name));
  assert.deepEqual(owners, expected);
  const places = await Promise.all([...gates].map(placesOf));
  assert.deepEqual(places.toSorted(([a], [b]) => a - b), [[1, 1], [6, 2], [24, 8]]);
});

Deno.test("several servers on a port share the places of all gates", async () => {
  const gates = new Set<Gate>();
  const seen = (gate: Gate) => void gates.add(gate);
  await watching(Gate.prototype, { method: "door", seen }, () =>
    withServer(async ({ app }) => {
      for (const path of ["embeddings", "score?window=1000"]) {
        const answer = await app.request(`/v1/${path}`, { method: "POST", body: clip });
        assert.equal(answer.status, 200, await answer.text());
      }
    }, { flags: ["--processes", "2"] }));
  const places = await Promise.all([...gates].map(placesOf));
  assert.deepEqual(places.toSorted(([a], [b]) => a - b), [[1, 0], [3, 1], [12, 4]]);
});

Deno.test("without keys, requests take turns by address", async () => {
  const owners = new Set<unknown>();
  const seen = (_self: unknown, [owner]: unknown[]) => void owners.add(owner);
  await watching(Gate.prototype, { method: "door", seen }, () =>
    withHttpServer(async (request) => {
      const head = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
        `Content-Length: ${clip.length}\r\n\r\n`;
      assert.match(await request(head, clip).heard(/\]\}|\n0\r\n/), /^HTTP\/1\.1 200 /);
    }));
  assert.deepEqual([...owners], ["127.0.0.1"]);
});

Deno.test("a body, and the reader of an answer, must keep up the least rate", async () => {
  const paces = new Set<Pace>();
  const seen = (self: Pace) => void paces.add(self);
  await watching(Pace.prototype, { method: "waited", seen }, () =>
    withServer(async ({ app }) => {
      const answer = await app.request("/v1/embeddings", { method: "POST", body: clip });
      await answer.arrayBuffer();
    }, { flags: ["--slow-reader-timeout", "60"] }));
  assert.equal(paces.size, 2); // of the body, and of the answer
  for (const pace of paces) {
    pace.waited(30_000, 0);
    const before = pace.leftMs;
    pace.waited(0, LIMITS.leastBytesPerSecond);
    assert.equal(Math.round(pace.leftMs - before), 1000);
  }
});
