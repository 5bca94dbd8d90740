import assert from "node:assert/strict";
import { EnginePool } from "../../inference/pool.ts";
import { Hub, type Member } from "../../streaming/hub.ts";
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

const nothing = () => {};

Deno.test("open() gives the slot back when the store fails, or the socket goes, after the session was accepted", async () => {
  const pool = await EnginePool.start({
    models: [tiny],
    engine: "onnx",
    device: "cpu",
    precision: "fp32",
    workers: 1,
    maxStreams: 4,
  });
  const store = new SlowStore({ maxKept: 4 });
  const hub = new Hub(pool, {
    limits: LIMITS,
    metrics: {
      audioReceived: nothing,
      framesSent: nothing,
      streamOpened: nothing,
      streamEnded: nothing,
      closed: nothing,
      errored: nothing,
    },
    onError: nothing,
    store,
    secondsPerHop: () => 1e-6,
  });
  const member = (): Member => ({
    warn: () => {},
    owner: "",
    model: undefined,
    audioMs: -Infinity,
    lateS: 0,
    openedAtMs: 0,
    tick: nothing,
    fail: nothing,
    drain: () => Promise.resolve(),
  });
  const opener = (there: { socket: boolean }): Opener => ({
    hub,
    member: member(),
    isThere: () => there.socket,
    onFrames: nothing,
    onError: assert.fail,
  });
  try {
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
  } finally {
    await hub.drain(1000);
    await pool.close();
  }
});
