import assert from "node:assert/strict";
import { assertEnds, heardFrames } from "../support/stream_client.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { plain, WIDTHS, withServer } from "../support/stream_server.ts";
import { assertFrames, chunksOf, noise, truthOf } from "../support/stream_truth.ts";

Deno.test("stream: options that are unknown, bad or given twice are 4400, named", async () => {
  await withServer({}, async (server) => {
    const bad: [string, string][] = [
      ["colour=red", "colour"],
      ["__proto__=1", "__proto__"],
      ["encoding=mp3", "encoding"],
      ["sample_rate=7999", "sample_rate"],
      ["sample_rate=96001", "sample_rate"],
      ["sample_rate=1e4", "sample_rate"],
      ["channels=0", "channels"],
      ["channels=9", "channels"],
      ["channels=2&channel=2", "channel"],
      ["output=", "output"],
      ["output=context,context", "output"],
      ["output=sound", "output"],
      ["steps=0", "steps"],
      ["steps=4", "steps"],
      ["steps=1,1", "steps"],
      ["steps=1,,2", "steps"],
      ["every=0", "every"],
      ["every=-1", "every"],
      ["format=xml", "format"],
      ["dtype=f16", "dtype"],
      ["dtype=f64&format=binary", "dtype"],
      ["every=1&every=1", "every"],
      ["received=3", "resume"],
      ["resume=abc", "received"],
      ["model=plain&output=prediction", "output"],
      ["model=plain&output=score", "output"],
    ];
    await Promise.all(bad.map(async ([query, param]) => {
      const client = server.connect(query);
      await assertEnds(client, "invalid_option", 4400);
      assert.equal(client.all("error")[0].param, param, query);
      assert.equal(client.all("ready").length, 0);
    }));
    assert.match(
      await assertEnds(server.connect("model=big"), "model_not_found", 4400),
      /tiny, plain/,
    );
    const client = server.connect("model=plain&output=latent,context");
    assert.deepEqual((await client.next("ready")).dims, { context: 6, latent: 8, steps: 0 });
    const { bytes, samples } = noise(2_000, 6);
    client.send(bytes);
    client.send({ type: "finish" });
    await client.closed();
    assertFrames(heardFrames(client.came, WIDTHS), truthOf(samples, plain), {
      output: ["context", "latent"],
    });
  });
});

Deno.test("stream: messages that are not of the protocol end in their codes", async () => {
  await withServer({ limits: { maxMessageBytes: 4096, maxStreams: 16 } }, async (server) => {
    const deep = "[".repeat(2000) + "]".repeat(2000);
    const cases: [string, string, number][] = [
      ["hello", "invalid_json", 1007],
      ["", "invalid_json", 1007],
      ["null", "invalid_message", 4400],
      ["[]", "invalid_message", 4400],
      [`{"type":"sing"}`, "invalid_message", 4400],
      [`{"type":${deep}}`, "invalid_message", 4400],
      [`{"type":"reset","hard":true}`, "invalid_message", 4400],
      [`{"type":"update","every":0}`, "invalid_message", 4400],
      [`{"type":"update","steps":[9]}`, "invalid_option", 4400],
      [`{"type":"update","output":[]}`, "invalid_message", 4400],
    ];
    await Promise.all(cases.map(async ([text, code, close]) => {
      const client = server.connect();
      await client.next("ready");
      client.socket.send(text);
      await assertEnds(client, code, close);
    }));
    const large = server.connect();
    await large.next("ready");
    large.send(new Uint8Array(4097));
    assert.equal(await large.closed(), 1009);
    for (const value of [NaN, Infinity, -Infinity]) {
      const floats = server.connect("encoding=f32le");
      await floats.next("ready");
      const bytes = new Uint8Array(new Float32Array([0.5, value, 0.25]).buffer);
      for (const chunk of chunksOf(bytes, { longest: 3, seed: 1 })) floats.send(chunk);
      await assertEnds(floats, "invalid_audio", 4400);
    }
  });
});

Deno.test("stream: keys by header or subprotocol, refusals by their codes", async () => {
  await withServer({
    keys: true,
    limits: { maxStreamsOf: (owner) => owner === "busy" ? 1 : Infinity },
  }, async (server) => {
    await assertEnds(server.connect(), "unauthorized", 4401);
    await assertEnds(
      server.connect("", { headers: { authorization: "Bearer wrong" } }),
      "unauthorized",
      4401,
    );
    await assertEnds(
      server.connect("", { protocols: ["cpc.v1", "bearer.wrong"] }),
      "unauthorized",
      4401,
    );
    const browser = server.connect("", { protocols: ["cpc.v1", "bearer.key-anna"] });
    await browser.next("ready");
    assert.equal(browser.socket.protocol, "cpc.v1");
    const header = server.connect("", { headers: { authorization: "Bearer key-anna" } });
    await header.next("ready");
    assert.equal(header.socket.protocol, "");
    const separators = server.connect("", {
      protocols: ["cpc.v1", `bearer64.${Buffer.from("key-é/+=").toString("base64url")}`],
    });
    await separators.next("ready");
    const busy = server.connect("", { protocols: ["cpc.v1", "bearer.key-busy"] });
    await busy.next("ready");
    await assertEnds(
      server.connect("", { protocols: ["cpc.v1", "bearer.key-busy"] }),
      "too_many_streams",
      4429,
    );
  });
});

Deno.test("stream: plain requests and foreign origins are answered over HTTP", async () => {
  await withServer({ limits: { maxStreams: 1 } }, async (server) => {
    const response = await fetch(`${server.url}/v1/stream`);
    assert.equal(response.status, 426);
    await response.body?.cancel();
    const status = await new Promise<number | undefined>((resolve) => {
      const foreign = server.connect("", { headers: { origin: "http://foe.example" } });
      foreign.socket.once("unexpected-response", (_request, response) => {
        resolve(response.statusCode);
        response.destroy();
        foreign.socket.terminate();
      });
    });
    assert.equal(status, 403);
    for (
      const [headers, status, code] of [
        [{ Origin: "http://foe.example" }, 403, "origin_not_allowed"],
        // as a proxy that does not pass it on
        [{ Connection: "keep-alive" }, 426, "upgrade_required"],
      ] as const
    ) {
      const { raw, status: given } = await RawSocket.open(server.port, { headers: { ...headers } });
      assert.equal(given, status);
      assert.equal((await raw.refusal()).code, code);
      raw.socket.destroy();
    }
    await server.connect("", { headers: { origin: "http://friend.example" } }).next("ready");
    await assertEnds(server.connect(), "too_many_streams", 4429);
  });
});
