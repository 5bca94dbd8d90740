import assert from "node:assert/strict";
import { connect } from "node:net";
import { listen } from "../../routes/server.ts";
import { type TestServer, wav, withServer } from "../support/server.ts";

/** A server on a socket; `talk` sends texts and bytes and gives all that comes back. */
async function withSocket(
  use: (
    talk: (
      parts: (string | Uint8Array)[],
      until: RegExp,
      gone?: AbortController,
    ) => Promise<string>,
    server: TestServer,
  ) => Promise<void>,
): Promise<void> {
  await withServer(async (server) => {
    const running = await listen(
      (request, env) => server.app.fetch(request, env as object),
      {
        host: "127.0.0.1",
        port: 0,
        maxMessageBytes: 1000,
        allowOrigins: [],
        knownHost: () => true,
        sockets: { open: 100, closing: 48 },
        onDeaf: () => {},
      },
    );
    try {
      await use((parts, until, gone) =>
        new Promise((resolve, reject) => {
          const socket = connect(running.port, "127.0.0.1");
          let came = "";
          gone?.signal.addEventListener("abort", () => socket.destroy());
          socket.setEncoding("latin1");
          socket.on("data", (text) => {
            came += text;
            if (until.test(came)) socket.destroy();
          });
          socket.on("close", () => resolve(came));
          socket.on("error", reject);
          for (const part of parts) socket.write(part);
        }), server);
    } finally {
      await running.close(0);
    }
  });
}

const CLIP = wav(Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i / 9) / 2));
const head = (lines: string[], version = "1.1") =>
  [`POST /v1/embeddings?pool=mean HTTP/${version}`, "Host: localhost", ...lines, "", ""].join(
    "\r\n",
  );

Deno.test("bodies by HTTP/1.0, in chunks, and after 100-continue are taken", async () => {
  await withSocket(async (talk) => {
    const length = `Content-Length: ${CLIP.length}`;
    const old = await talk([head([length], "1.0"), CLIP], /"usage".*\}/);
    assert.match(old, /^HTTP\/1\.[01] 200 /);
    const chunked = await talk(
      [
        head(["Transfer-Encoding: chunked"]),
        "10\r\n",
        CLIP.subarray(0, 16),
        `\r\n${(CLIP.length - 16).toString(16)}\r\n`,
        CLIP.subarray(16),
        "\r\n0\r\n\r\n",
      ],
      /"usage".*\}/,
    );
    assert.match(chunked, /^HTTP\/1\.1 200 /);
    const continued = await talk([head([length, "Expect: 100-continue"]), CLIP], /"usage".*\}/);
    assert.match(continued, /HTTP\/1\.1 200 /);
  });
});

Deno.test("a body that is at fault is answered before its end, and its connection closed", async () => {
  await withSocket(async (talk) => {
    const json = "Content-Type: application/json";
    const answer = await talk(
      [head(["Content-Length: 100000000", json]), `{"input":[1,1,1`],
      /never/,
    );
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.match(answer, /input\[0\]/);
  });
});

Deno.test("a client that goes in the middle of its body leaves nothing behind", async () => {
  await withSocket(async (talk, { ctx }) => {
    for (const types of [[], ["Content-Type: application/json"]]) {
      const gone = new AbortController();
      const request = talk([head(["Content-Length: 100000000", ...types]), CLIP], /never/, gone);
      await new Promise((resolve) => setTimeout(resolve)); // its head is on the way
      gone.abort();
      assert.equal(await request, "");
    }
    const requestsEnded = async () => {
      const text = await ctx.metrics.registry.metrics();
      const counts = text.matchAll(/^cpc_requests_total\{.*\} (\d+)$/gm);
      return Array.from(counts, ([, count]) => Number(count)).reduce((a, b) => a + b, 0);
    };
    // a client may have gone before the server saw its head: then there is nothing to wait for
    for (let turns = 0; turns < 500 && await requestsEnded() < 2; turns++) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    assert.equal(ctx.pool.streams, 0);
  });
});
