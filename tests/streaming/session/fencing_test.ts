import assert from "node:assert/strict";
import { below, seeded } from "../../../model/seeded.ts";
import { exactFrames, streamingPlan } from "../../../model/architecture.ts";
import type { Session } from "../../../streaming/session/session.ts";
import { closeOf, type FencedServer, FencedServers } from "../../support/fenced_servers.ts";
import { tinyConfig } from "../../support/models.ts";

const RUNS = 120;
const STEPS = 80;
/** The contract's: after so long a server has learnt that another one holds its session. */
const FENCED_MS = 5000;
const PLAN = streamingPlan(tinyConfig);

/** Sample i of what the client says. */
const sampleAt = (i: number) => (Math.imul(i + 1, 0x9e3779b1) >> 16) | 0;

function bytesOf(from: number, to: number): Uint8Array {
  const samples = Int16Array.from({ length: to - from }, (_, i) => sampleAt(from + i));
  return new Uint8Array(samples.buffer);
}

/** A session is what was said, and its states are those of their place. */
function assertTrue(session: Session): void {
  const { history } = session;
  const [oldest] = history.checkpoints;
  const from = history.sampleOf(oldest!);
  const audio = history.audioSince(oldest!);
  assert.equal(from + audio.length, history.endSample);
  assert.ok(audio.every((x, i) => x * 32768 === sampleAt(from + i)), "the audio is another one");
  for (const { hopsTaken, state } of history.checkpoints) {
    assert.ok(!state || state[0] === hopsTaken, "a state of another place");
  }
}

/** A client with one stream, on one server at a time. */
class Client {
  server?: FencedServer;
  session?: Session;
  token = "";
  received = 0;
  said = 0;
  /** A resume that is under way. */
  resuming?: Promise<void>;
  /** The store failed so that it may have lost what it was given. */
  mayBeLost = false;
  /** The stream is over: the store lost it, and said so. */
  gone = false;
  resumes = 0;

  begin(server: FencedServer): void {
    const { session, token } = server.begin();
    Object.assign(this, { server, session, token, received: 0, said: 0, gone: false });
  }

  /** Whether its connection lives. */
  get isThere(): boolean {
    return this.session !== undefined && this.server!.serving.has(this.session);
  }

  say(samples: number): void {
    if (!this.isThere) return;
    this.session!.hear(bytesOf(this.said, this.said + samples));
    this.said += samples;
  }

  hear(): void {
    if (!this.isThere) return;
    const frames = exactFrames(PLAN, this.session!.history.endSample);
    this.received = this.server!.send(this.session!, frames);
  }

  /**
   * @param options `readyComes`: whether `ready` reaches the client before the connection is lost
   */
  resume(server: FencedServer, { readyComes }: { readyComes: boolean }): void {
    if (this.resuming || this.gone) return;
    this.server = this.session = undefined; // its own end is closed
    this.resuming = (async () => {
      try {
        const { session, token } = await server.resume(this.token, this.received);
        assertTrue(session);
        assert.ok(session.frames >= this.received, "frames that the client has are unknown");
        assert.ok(session.samples <= this.said, "audio that was never said");
        this.resumes++;
        this.mayBeLost = false; // what it missed is written anew
        if (!readyComes) return; // the server believes that it has a client
        Object.assign(this, { server, session, token, said: session.samples });
      } catch (error) {
        const code = closeOf(error);
        if (code === 4404) {
          assert.ok(this.mayBeLost, `4404, though the store lost nothing: ${error}`);
          this.gone = true;
        } else assert.ok([1013, 4409].includes(code), `refused with ${code}: ${error}`);
      } finally {
        this.resuming = undefined;
      }
    })();
  }
}

/** One run of random steps; returns how many resumes succeeded. */
async function explore(seed: number): Promise<{ resumes: number; gone: boolean }> {
  const random = seeded(seed);
  const world = new FencedServers();
  const client = new Client();
  const { servers } = world;
  const any = () => servers[below(2, random)]!;
  const steps: [weight: number, step: () => void | Promise<void>][] = [
    [6, () => client.say(1 + below(1500, random))],
    [6, () => client.hear()],
    [6, () => any().answer()],
    [4, async () => {
      await world.pass(below(300, random));
      await world.answerAll();
    }],
    [3, () => client.resume(any(), { readyComes: random() < 0.7 })],
    [2, () => client.isThere ? client.server!.confirm(client.session!) : undefined],
    [1, () => client.session ? client.server!.lose(client.session) : undefined],
    [1, () => any().kill()],
    [1, () => { // at once after the frames left
      client.say(1 + below(1500, random));
      client.hear();
      client.server?.kill();
    }],
    [1, () => { // the connection breaks, and what it held may be lost with it
      if (any().cut(below(4, random)) > 0) client.mayBeLost = true;
    }],
    [0.5, async () => { // longer than a store may be silent
      client.mayBeLost = true;
      await world.pass(1000 + below(1500, random));
    }],
    [0.5, async () => { // down for a while
      const { connection } = any();
      client.mayBeLost = true;
      connection.isDown = true;
      await world.pass(below(3000, random));
      connection.isDown = false;
    }],
  ];
  const total = steps.reduce((sum, [weight]) => sum + weight, 0);
  try {
    for (const { sessions } of servers) void sessions.expire(world.time.nowMs);
    await world.pass(1000, { working: true });
    client.begin(servers[0]);
    await world.pass(250, { working: true });
    for (let i = 0; i < STEPS && !client.gone; i++) {
      let at = random() * total;
      const [, step] = steps.find(([weight]) => (at -= weight) < 0)!;
      await step();
      await world.settle();
      if (random() < 0.5) await world.answerAll();
    }
    await world.pass(FENCED_MS, { working: true });
    await client.resuming;
    await assertFenced(world, client);
    return { resumes: client.resumes, gone: client.gone };
  } finally {
    await world.close();
  }
}

/** The store has worked for a while: one server holds the session, and the next one gets it. */
async function assertFenced(world: FencedServers, client: Client): Promise<void> {
  const holders = world.servers.flatMap(({ serving }) => [...serving]);
  assert.ok(holders.length <= 1, `${holders.length} servers hold the session`);
  if (client.gone) return;
  client.mayBeLost &&= !client.isThere; // the server that has it has written it anew
  const [one, two] = world.servers;
  let former = client.token;
  for (const server of [two, one]) {
    former = client.token;
    client.resume(server, { readyComes: true });
    const resuming = client.resuming;
    await world.pass(2000, { working: true });
    await resuming;
    if (client.gone) return;
    assert.ok(client.isThere, "the session cannot be resumed");
    client.say(800);
    client.hear();
    await world.pass(FENCED_MS, { working: true });
    assert.ok(client.isThere, "the later server was told 4409");
    const others = world.servers.filter((other) => other !== server);
    assert.ok(others.every(({ serving }) => serving.size === 0), "the earlier server was not told");
  }
  client.server!.confirm(client.session!);
  await world.pass(250, { working: true });
  const refused = two.resume(former, 0).then(() => 0, closeOf);
  await world.pass(2000, { working: true });
  assert.equal(await refused, 4404, "the former token is good after the ping was answered");
  const racing = [one, two].map((server) => server.resume(client.token, 0).then(() => 0, closeOf));
  await world.pass(FENCED_MS, { working: true });
  assert.deepEqual((await Promise.all(racing)).toSorted(), [0, 4409], "of two at one moment");
  assert.equal(one.serving.size + two.serving.size, 1);
}

Deno.test(`SharedResumeStore, slow and failing, ${RUNS} runs: one holder, no loss`, async () => {
  let [resumes, gone] = [0, 0];
  for (let seed = 1; seed <= RUNS; seed++) {
    const run = await explore(seed).catch((cause) => {
      throw new Error(`seed ${seed}: ${cause.message}`, { cause });
    });
    resumes += run.resumes;
    if (run.gone) gone++;
  }
  assert.ok(resumes > 5 * RUNS, `${resumes} resumes`);
  assert.ok(gone < RUNS / 4, `${gone} streams were lost by the store`);
});
