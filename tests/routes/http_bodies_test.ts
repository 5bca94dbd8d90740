import assert from "node:assert/strict";
import { requestHead, withHttpServer } from "../support/http_server.ts";
import { wav } from "../support/server.ts";

const CLIP = wav(Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i / 9) / 2));
const head = (lines: string[], version?: string) =>
  requestHead("/v1/embeddings?pool=mean", lines, version);

Deno.test("bodies by HTTP/1.0, in chunks, and after 100-continue are taken", async () => {
  await withHttpServer(async (request) => {
    const talk = async (...parts: (string | Uint8Array)[]) => {
      const { socket, heard } = request(...parts);
      const answer = await heard(/"usage".*\}/);
      socket.destroy();
      return answer;
    };
    const length = `Content-Length: ${CLIP.length}`;
    const old = await talk(head([length], "1.0"), CLIP);
    assert.match(old, /^HTTP\/1\.[01] 200 /);
    const chunked = await talk(
      head(["Transfer-Encoding: chunked"]),
      "10\r\n",
      CLIP.subarray(0, 16),
      `\r\n${(CLIP.length - 16).toString(16)}\r\n`,
      CLIP.subarray(16),
      "\r\n0\r\n\r\n",
    );
    assert.match(chunked, /^HTTP\/1\.1 200 /);
    const continued = await talk(head([length, "Expect: 100-continue"]), CLIP);
    assert.match(continued, /HTTP\/1\.1 200 /);
  });
});

Deno.test("a body at fault is answered before its end, and closes the connection", async () => {
  await withHttpServer(async (request) => {
    const json = "Content-Type: application/json";
    const { heard } = request(head(["Content-Length: 100000000", json]), `{"input":[1,1,1`);
    const answer = await heard(/never/);
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.match(answer, /input\[0\]/);
  });
});

Deno.test("a client that goes in the middle of its body leaves nothing behind", async () => {
  await withHttpServer(async (request, { ctx }) => {
    const bodies: [Uint8Array | string, string[]][] = [
      [CLIP, []],
      [`{"input":["${"A".repeat(8000)}`, ["Content-Type: application/json"]],
    ];
    for (const [begun, types] of bodies) {
      const lines = ["Content-Length: 100000000", "Expect: 100-continue", ...types];
      const { socket, heard } = request(head(lines));
      assert.match(await heard(/\r\n\r\n/), /^HTTP\/1\.1 100 /); // the server has its head
      socket.write(begun);
      socket.destroy();
      await heard(/never/);
    }
    // 499, or 400 where the end of the body is noticed before that of its client
    const counted = async () => {
      const text = await ctx.metrics.registry.metrics();
      const ended = /^cpc_requests_total\{route="\/v1\/embeddings",status="(?:499|400)"\} (\d+)$/gm;
      return Array.from(text.matchAll(ended), ([, n]) => Number(n)).reduce((a, b) => a + b, 0);
    };
    for (let turns = 0; turns < 5_000 && await counted() < 2; turns++) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    assert.equal(await counted(), 2);
    assert.equal(ctx.pool.streams, 0);
  });
});
