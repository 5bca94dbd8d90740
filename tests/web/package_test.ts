import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { parseTar } from "nanotar";
import { buildClient } from "../../commands/build_client.ts";
import { wav } from "../../web/files.ts";
import { maxDifference, readNpy } from "../support/golden.ts";
import { TestBrowser, whyNoBrowser } from "./browser.ts";
import { withPages } from "./page_server.ts";

const SPEECH = new URL("../fixtures/speech/", import.meta.url).pathname;
const why = whyNoBrowser();

/** An application's page: it imports the package by name, and loads nothing else. */
const PAGE = `<!doctype html><title>app</title>
<script type="importmap">{"imports": {
  "@cpc-stream/client": "/package/mod.js",
  "@cpc-stream/client/browser": "/package/browser.js"
}}</script>`;

/**
 * Serves the packed client at `/package/`, as a bundler or CDN would, and an application's page.
 */
async function withApplication(use: (url: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  for (
    const { name, data } of await parseTar(gunzipSync(await Deno.readFile(await buildClient())))
  ) {
    await Deno.mkdir(join(folder, dirname(name)), { recursive: true });
    if (data) await Deno.writeFile(join(folder, name), data);
  }
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/") return new Response(PAGE, { headers: { "content-type": "text/html" } });
    const file = await Deno.readFile(join(folder, pathname)).catch(() => undefined);
    if (!file) return new Response(null, { status: pathname === "/favicon.ico" ? 204 : 404 });
    return new Response(file, { headers: { "content-type": "text/javascript" } });
  });
  try {
    await use(`http://127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: `the packed client streams a microphone from a page of another origin${
    why ? ` (skipped: ${why})` : ""
  }`,
  ignore: why !== undefined,
  async fn() {
    await withApplication(async (application) => {
      await withPages({ flags: ["--allow-origin", application] }, async ({ url }) => {
        const browser = await TestBrowser.start({ microphone: `${SPEECH}russian.wav` });
        try {
          const { page } = await browser.open(application);
          const { samples, rows, sampleRate } = await page.evaluate(async (url) => {
            const { connect } = await import("@cpc-stream/client" as string);
            const { openMicrophone } = await import("@cpc-stream/client/browser" as string);
            const microphone = await openMicrophone();
            const { sampleRate } = microphone;
            const stream = await connect(url, { sampleRate });
            const samples: number[] = [];
            await microphone.run((piece: Float32Array) => {
              samples.push(...piece);
              return stream.send(piece);
            }, () => {});
            const rows: number[][] = [];
            let stopped = false;
            for await (const { context } of stream) {
              for (const row of context) rows.push([...row]);
              if (rows.length < 60 || stopped) continue;
              stopped = true;
              microphone.stop();
              stream.finish();
            }
            return { samples, rows, sampleRate };
          }, url);
          assert.ok(rows.length >= 60 && samples.some((x: number) => x !== 0));
          const answer = await fetch(`${url}/v1/embeddings`, {
            method: "POST",
            headers: { accept: "application/x-npy" },
            body: wav([Float32Array.from(samples)], { sampleRate }),
          });
          assert.equal(answer.status, 200);
          const { data } = readNpy(await answer.bytes());
          assert.ok(maxDifference(Float32Array.from(rows.flat()), data as Float32Array) <= 1e-4);
        } finally {
          await browser.close();
        }
      });
    });
  },
});
