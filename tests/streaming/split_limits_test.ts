/** What `split=1` takes, and what it counts as. */
import assert from "node:assert/strict";
import { withServer } from "../support/stream_server.ts";

Deno.test("stream: split=1 takes two channels or more and no channel; else 4400", async () => {
  const tooFew = "option split=1 requires channels=2 or more: one channel is a stream already, " +
    "got channels=1";
  await withServer({}, async (server) => {
    for (
      const [query, message] of [
        ["split=1", tooFew],
        ["split=1&channels=1", tooFew],
        [
          "split=1&channels=2&channel=0",
          "option split=1 takes every channel; leave out channel, or split, got channel=0",
        ],
        ["split=0&channels=2", 'option split: must be 1, or left out, got "0"'],
        ["split=true&channels=2", 'option split: must be 1, or left out, got "true"'],
        ["split=&channels=2", 'option split: must be 1, or left out, got ""'],
        ["split=1&channels=9", 'option channels: must be a whole number from 1 to 8, got "9"'],
        ["split=1&split=1&channels=2", "option split is given twice"],
      ]
    ) {
      const client = server.connect(query);
      assert.equal(await client.closed(), 4400, query);
      const [error] = client.all("error");
      assert.equal(error.code, "invalid_option");
      assert.equal(error.message, message);
    }
  });
});

Deno.test("stream: each channel of a split stream counts for server and key", async () => {
  const fewer = "fewer than 2 are free, and with split=1 each channel counts as one";
  const limits = {
    maxStreams: 4,
    maxStreamsOf: (owner: string) => owner === "small" ? 2 : Infinity,
  };
  await withServer({ limits, keys: true }, async (server) => {
    const connect = (query: string, owner: string) =>
      server.connect(query, { headers: { authorization: `Bearer key-${owner}` } });
    const refusal = async (query: string, owner: string) => {
      const client = connect(query, owner);
      assert.equal(await client.closed(), 4429);
      return client.all("error")[0].message;
    };
    const three = connect("split=1&channels=3", "big");
    await three.next("ready");
    assert.equal(server.hub.size, 3);
    assert.equal(server.pool.streams, 3);
    assert.equal(
      await refusal("split=1&channels=2", "big"),
      `this server takes 4 streams; ${fewer}`,
    );
    const one = connect("channels=2", "small");
    await one.next("ready");
    assert.equal(await refusal("", "big"), "this server takes 4 streams; all are in use");
    await three.terminate();
    while (server.hub.size > 1) await new Promise((resolve) => setTimeout(resolve));
    assert.equal(
      await refusal("split=1&channels=2", "small"),
      `this key may have 2 streams at once; ${fewer}`,
    );
    const again = connect("split=1&channels=3", "big");
    await again.next("ready");
  });
});

Deno.test("stream: what server or key may never have is refused for good", async () => {
  const limits = {
    maxStreams: 4,
    maxStreamsOf: (owner: string) => owner === "none" ? 0 : owner === "small" ? 2 : Infinity,
  };
  await withServer({ limits, keys: true }, async (server) => {
    for (
      const [owner, query, why] of [
        [
          "big",
          "split=1&channels=5",
          "this server takes 4 streams, and with split=1 each of the 5 channels counts as one",
        ],
        [
          "small",
          "split=1&channels=3",
          "this key may have 2 streams at once, and with split=1 each of the 3 channels counts " +
          "as one",
        ],
        ["none", "", "this key may have 0 streams at once"],
      ] as const
    ) {
      const client = server.connect(query, {
        headers: { authorization: `Bearer key-${owner}` },
      });
      assert.equal(await client.closed(), 4429);
      const { code, message, retryable, retry_after_ms } = client.all("error")[0];
      assert.deepEqual({ code, message, retryable, retry_after_ms }, {
        code: "too_many_streams",
        message: why,
        retryable: false,
        retry_after_ms: undefined,
      });
    }
  });
});
