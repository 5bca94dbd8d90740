import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Keys } from "../../routes/keys.ts";
import { serverConfigOf } from "../support/config.ts";
import { withServer } from "../support/stream_server.ts";

const key = (name: string, secret: string) => ({
  name,
  sha256: createHash("sha256").update(secret).digest("hex"),
  maxStreams: Infinity,
  requestsPerMinute: Infinity,
});

Deno.test("stream: a token opens streams of its key until it has expired", async () => {
  let nowMs = 1_000_000;
  const keys = new Keys(
    [key("page", "secret of page"), key("other", "secret of other")],
    { dateMs: () => nowMs },
  );
  await withServer({ keys }, async (server) => {
    const { token } = keys.issueToken("secret of page", 60);
    const [browser, program] = [{ protocols: ["cpc.v1", `bearer.${token}`] }, {
      headers: { authorization: `Bearer ${token}` },
    }];
    const first = server.connect("", browser);
    const { resume } = await first.next("ready");
    assert.equal(first.socket.protocol, "cpc.v1");
    await server.connect("", program).next("ready");
    nowMs += 60_000;
    assert.equal((await first.mark()).samples, 0);
    assert.equal(await server.connect("", browser).closed(), 4401);
    await first.terminate();
    const bearer = (secret: string) => ({ headers: { authorization: `Bearer ${secret}` } });
    const query = `resume=${resume}&received=0`;
    const foreign = keys.issueToken("secret of other", 60).token;
    assert.equal(await server.connect(query, bearer(foreign)).closed(), 4404);
    // another token of the same key resumes
    const fresh = keys.issueToken("secret of page", 60).token;
    assert.equal((await server.connect(query, bearer(fresh)).next("ready")).resumed, true);
  });
});

Deno.test("stream: a client that offers other subprotocols alone is given none", async () => {
  await withServer({}, async (server) => {
    const heard = Promise.withResolvers<unknown>();
    const client = server.connect("", { protocols: ["other.v1"] });
    client.socket.on(
      "upgrade",
      ({ headers }) => heard.resolve(headers["sec-websocket-protocol"]),
    );
    assert.equal(await heard.promise, undefined);
    await client.closed();
  });
});

Deno.test("listen() with --tls-cert and --tls-key serves wss", async () => {
  const file = (name: string) => new URL(`../fixtures/tls/${name}.pem`, import.meta.url).pathname;
  const { tls } = serverConfigOf(["--tls-cert", file("cert"), "--tls-key", file("key")]);
  await withServer({ tls }, async (server) => {
    assert.match(server.url, /^https:/);
    const client = server.connect("", { ca: tls?.cert });
    await client.next("ready");
    client.send(new Uint8Array(1000));
    assert.equal((await client.mark()).samples, 500);
    const stranger = server.connect("", { ca: undefined }); // does not trust the certificate
    assert.equal(await stranger.closed(), 1006);
  });
});
