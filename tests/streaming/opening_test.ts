import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import type { CpcError } from "../../errors.ts";
import { EnginePool } from "../../inference/pool.ts";
import { Hub } from "../../streaming/hub.ts";
import type { Member } from "../../streaming/member.ts";
import type { PlacesOfAll } from "../../streaming/places.ts";
import { open, type Opener } from "../../streaming/opening.ts";
import { MemoryResumeStore } from "../../streaming/session/resume_store.ts";
import { LIMITS, tiny } from "../support/stream_server.ts";

/** A store on which something happens once it has accepted. */
class SlowStore extends MemoryResumeStore {
  meanwhile = (): void => {};

  override async redeem(...args: Parameters<MemoryResumeStore["redeem"]>) {
    const redeemed = await super.redeem(...args);
    this.meanwhile();
    return redeemed;
  }
}

/** A store whose session changes while it is resumed, so that it is accepted anew. */
class ChangingStore extends MemoryResumeStore {
  override redeem(...[token, options]: Parameters<MemoryResumeStore["redeem"]>) {
    const accept: typeof options.accept = (session) => {
      options.accept(session);
      options.accept(session);
    };
    return super.redeem(token, { ...options, accept });
  }
}

/** A store whose connection has nothing until the test says so. */
class HeldBackStore extends MemoryResumeStore {
  readonly gate = Promise.withResolvers<void>();
  readonly issued: string[] = [];

  override issue(...args: Parameters<MemoryResumeStore["issue"]>) {
    const token = super.issue(...args);
    this.issued.push(token);
    return token;
  }

  override given() {
    return this.gate.promise;
  }
}

const nothing = () => {};

/** A member, and what it takes to open a stream for it. */
function openerFor(
  hub: Hub,
  { there = { socket: true }, address }: { there?: { socket: boolean }; address?: string } = {},
): Opener {
  const member: Member = {
    warn: () => {},
    owner: "",
    streams: 1,
    address,
    model: undefined,
    audioMs: -Infinity,
    lateS: 0,
    openedAtMs: 0,
    tick: nothing,
    fail: nothing,
    drain: () => Promise.resolve(),
  };
  return {
    hub,
    member,
    isThere: () => there.socket,
    onFrames: nothing,
    onError: assert.fail,
  };
}

async function withHub(
  store: MemoryResumeStore,
  body: (hub: Hub, pool: EnginePool) => Promise<void>,
  places?: PlacesOfAll,
): Promise<void> {
  const pool = await EnginePool.start({
    models: [tiny],
    engine: "onnx",
    device: "cpu",
    precision: "fp32",
    workers: 1,
    maxStreams: 4,
  });
  const hub = new Hub(pool, {
    limits: LIMITS,
    metrics: {
      audioReceived: nothing,
      framesSent: nothing,
      frameSentAfter: nothing,
      lagged: nothing,
      resumed: nothing,
      streamsOpened: nothing,
      streamsEnded: nothing,
      closed: nothing,
      errored: nothing,
    },
    onError: nothing,
    store,
    ...(places && { places }),
    secondsPerHop: () => 1e-6,
  });
  try {
    await body(hub, pool);
  } finally {
    await hub.drain(1000);
    await pool.close();
  }
}

Deno.test("open() gives the slot back when the store fails or the socket goes", async () => {
  const store = new SlowStore({ maxKept: 4 });
  await withHub(store, async (hub, pool) => {
    const opener = (there: { socket: boolean }) => openerFor(hub, { there });
    const first = opener({ socket: true });
    const begun = await open({}, first);
    assert.ok(begun);
    assert.equal(pool.streams, 1);
    begun.stream.release();
    hub.detach(first.member, begun.session, { keep: true });
    const query = { resume: begun.token, received: 0 };

    store.meanwhile = () => {
      throw new TypeError("the store is down");
    };
    await assert.rejects(open(query, opener({ socket: true })), /the store is down/);
    assert.equal(pool.streams, 0);

    const there = { socket: true };
    store.meanwhile = () => there.socket = false;
    assert.equal(await open(query, opener(there)), undefined);
    assert.equal(pool.streams, 0);

    store.meanwhile = nothing;
    const resumed = await open(query, opener({ socket: true }));
    assert.equal(resumed?.session, begun.session);
    resumed?.stream.release();
  });
});

Deno.test("open() keeps a session whose resume came while an older socket had it, and has gone", async () => {
  const store = new SlowStore({ maxKept: 4 });
  await withHub(store, async (hub, pool) => {
    const older = openerFor(hub);
    const told: string[] = [];
    older.member.fail = (error) => told.push((error as CpcError).code);
    const begun = await open({}, older);
    assert.ok(begun);
    const there = { socket: true };
    store.meanwhile = () => there.socket = false;
    const query = { resume: begun.token, received: 0 };
    assert.equal(await open(query, openerFor(hub, { there })), undefined);
    assert.deepEqual(told, ["resumed_elsewhere"], "the store has it for the newer one");
    begun.stream.release();
    hub.detach(older.member, begun.session, { keep: false });
    assert.deepEqual([pool.streams, hub.sessions.list().map(({ state }) => state)], [0, ["kept"]]);
    hub.store.expire(Infinity);
    assert.deepEqual(hub.sessions.list(), [], "it ends like any other");
  });
});

Deno.test("open() waits until the store's connection has a new session", async () => {
  const store = new HeldBackStore({ maxKept: 4 });
  await withHub(store, async (hub, pool) => {
    const [there, gone] = [{ socket: true }, { socket: true }];
    const openers = [there, gone].map((there) => openerFor(hub, { there }));
    const opened: string[] = [];
    const opening = openers.map((opener, i) =>
      open({}, opener).then((one) => {
        opened.push(`${i} ${one ? "opened" : "gone"}`);
        return one;
      })
    );
    await setImmediate();
    assert.deepEqual([opened, store.issued.length, pool.streams], [[], 2, 2]);
    gone.socket = false;
    store.gate.resolve();
    const [begun] = await Promise.all(opening);
    assert.deepEqual([opened, pool.streams, hub.size], [["0 opened", "1 gone"], 1, 1]);
    assert.equal(hub.sessions.memberOf(begun!.session), openers[0]!.member);
    assert.equal(hub.sessions.list().length, 1);
    const resumed = open({ resume: store.issued[1]!, received: 0 }, openerFor(hub));
    await assert.rejects(resumed, { code: "unknown_resume_token" });
    begun!.stream.release();
  });
});

Deno.test("open() holds one slot and counts once when the session is accepted anew", async () => {
  await withHub(new ChangingStore({ maxKept: 4 }), async (hub, pool) => {
    const first = openerFor(hub);
    const begun = await open({}, first);
    assert.ok(begun);
    begun.stream.release();
    hub.detach(first.member, begun.session, { keep: true });
    const counted: number[] = [];
    hub.metrics.streamsOpened = (streams) => counted.push(streams);
    const resumed = await open({ resume: begun.token, received: 0 }, openerFor(hub));
    assert.ok(resumed);
    assert.deepEqual([pool.streams, counted], [1, [1]]);
    resumed.stream.release();
    assert.equal(pool.streams, 0);
  });
});

Deno.test("open() refuses a resume of more streams than all servers have places for", async () => {
  let full: "server" | "key" | undefined;
  let answered = Promise.resolve();
  const told: string[] = [];
  const places: PlacesOfAll = {
    take: () =>
      Promise.resolve({
        name: () => told.push("name"),
        async grow(streams) {
          told.push(`grow ${streams}`);
          await answered;
          return full;
        },
        leave: () => told.push("leave"),
      }),
  };
  await withHub(new MemoryResumeStore({ maxKept: 4 }), async (hub, pool) => {
    const first = openerFor(hub);
    const begun = await open({ channels: 2, split: 1 }, first);
    assert.ok(begun);
    begun.stream.release();
    hub.detach(first.member, begun.session, { keep: true });
    assert.deepEqual(told.splice(0), ["leave"], "a store in memory has no names");
    const query = { resume: begun.token, received: 0 };
    for (const what of ["key", "server"] as const) {
      full = what;
      const refused = open(query, openerFor(hub));
      await assert.rejects(refused, { code: "too_many_streams", retryable: true });
    }
    full = undefined;
    const [there, answer] = [{ socket: true }, Promise.withResolvers<void>()];
    answered = answer.promise;
    const late = open(query, openerFor(hub, { there }));
    await setImmediate();
    there.socket = false;
    answer.resolve();
    assert.equal(await late, undefined);
    assert.deepEqual([pool.streams, hub.size], [0, 0]);
    assert.deepEqual(told.splice(0), Array(3).fill(["grow 2", "leave"]).flat());
    const resumed = await open(query, openerFor(hub));
    assert.equal(resumed?.session, begun.session, "its former token is still good");
    resumed?.stream.release();
  }, places);
});

Deno.test("open() has a checkpoint taken every 2 s of audio", async () => {
  await withHub(new MemoryResumeStore({ maxKept: 4 }), async (hub, pool) => {
    const asked: unknown[] = [];
    const opened = pool.open.bind(pool);
    pool.open = (options) => {
      asked.push(options.checkpointHops);
      return opened(options);
    };
    const begun = await open({}, openerFor(hub));
    begun?.stream.release();
    assert.deepEqual(asked, [200]);
  });
});

Deno.test("Sessions.keep() shares places out by address where there are no keys", async () => {
  await withHub(new MemoryResumeStore({ maxKept: 2 }), async (hub) => {
    const kept = async (address: string) => {
      const opener = openerFor(hub, { address });
      const opened = await open({}, opener);
      assert.ok(opened);
      opened.session.hear(new Uint8Array(2));
      opened.stream.release();
      hub.detach(opener.member, opened.session, { keep: true });
      return opened.token;
    };
    const quiet = await kept("10.0.0.1");
    const greedy = [await kept("10.0.0.2"), await kept("10.0.0.2"), await kept("10.0.0.2")];
    const resume = async (token: string | undefined) => {
      const opened = await open(
        { resume: token, received: 0 },
        openerFor(hub, { address: "10.0.0.3" }),
      );
      opened?.stream.release();
    };
    await resume(quiet);
    await resume(greedy[2]);
    await assert.rejects(resume(greedy[0]), { code: "unknown_resume_token" });
  });
});

Deno.test("open() lets everybody else be heard before each stream that is resampled", async () => {
  await withHub(new MemoryResumeStore({ maxKept: 4 }), async (hub) => {
    const openAll = async (rates: readonly number[]) => {
      const opened = rates.map((rate) => open({ sample_rate: rate }, openerFor(hub)));
      let [left, turns] = [rates.length, 0];
      for (const one of opened) one.then(() => left--);
      for (; left > 0; turns++) await setImmediate();
      for (const one of await Promise.all(opened)) {
        assert.ok(one);
        one.stream.release();
      }
      return turns;
    };
    const [plain, resampled] = [await openAll([16_000, 16_000]), await openAll([8_001, 47_999])];
    assert.ok(resampled >= plain + 2 * 32, `${plain} and ${resampled} turns of the event loop`);
  });
});
