/**
 * The pages: the demo at `/`, the client module, `/docs`, and the assets of both. Everything comes
 * from this server; nothing is loaded from another origin.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Context, Hono } from "hono";
import { etag, RETAINED_304_HEADERS } from "hono/etag";
import { CpcError } from "../errors.ts";
import { answerFile } from "./answer_file.ts";

const TYPES = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
} as const;

/** Route → file of this repository. */
const PAGES = {
  "/": "web/index.html",
  "/docs": "web/docs.html",
  "/client.js": "client/cpc_client.js",
} as const;
/** Name under `/assets/` → file of this repository; scripts are bundles, `deno task build:web`. */
const ASSETS = {
  "style.css": "web/style.css",
  "icon.svg": "web/icon.svg",
  "app.js": "web/dist/app.js",
  "docs.js": "web/dist/docs.js",
  "worklet.js": "web/dist/worklet.js",
  "engine_wasm.js": "web/dist/engine_wasm.js",
  "engine_webgpu.js": "web/dist/engine_webgpu.js",
} as const;
/** The same for files that are large and rarely asked for, so they are not kept in memory. */
const LARGE_ASSETS: Record<string, string> = {
  "engine_wasm.wasm.gz": "web/dist/engine_wasm.wasm.gz",
  "engine_webgpu.wasm.gz": "web/dist/engine_webgpu.wasm.gz",
};
/** Name under `/assets/` → text of a package, read on first use. */
const PACKAGES: Record<string, () => Promise<{ default: string }>> = {
  "swagger_ui.js": () => import("swagger-ui-dist/swagger-ui-bundle.js", { with: { type: "text" } }),
  "swagger_ui.css": () => import("swagger-ui-dist/swagger-ui.css", { with: { type: "text" } }),
};

/**
 * What pages may use: their own scripts and styles, their own server, the microphone; nothing
 * inline, no other origin, no frame.
 */
const POLICY = {
  "default-src": "'none'",
  "script-src": "'self'",
  "style-src": "'self'",
  "img-src": "'self' data:",
  "media-src": "'self' blob:",
  "connect-src": "'self'",
  "base-uri": "'none'",
  "form-action": "'none'",
  "frame-ancestors": "'none'",
};
/** A page's engine is a worker, which has a policy of its own: it runs WebAssembly. */
const ENGINE_POLICY = { ...POLICY, "script-src": "'self' 'wasm-unsafe-eval'" };
/** The API page's library writes style attributes; scripts stay just as strict. */
const DOCS_POLICY = { ...POLICY, "style-src": "'self' 'unsafe-inline'" };

/** Answers 304 to a browser that has the page already. */
const unlessCached = etag({
  retainedHeaders: [...RETAINED_304_HEADERS, "content-security-policy", "permissions-policy"],
});

/**
 * Mounts the pages, the client module and `/assets/:name`.
 *
 * @param options `stallMs`: how long a reader of a large file may pause
 */
export function mountWeb(app: Pick<Hono, "get">, { stallMs }: { stallMs: number }): void {
  for (const [route, path] of Object.entries(PAGES)) {
    app.get(
      route,
      unlessCached,
      answerWith(fileText(path), {
        type: typeOf(path),
        policy: route === "/docs" ? DOCS_POLICY : POLICY,
      }),
    );
  }
  const assets = new Map(
    Object.entries(ASSETS).map(([name, path]) => [name, fileText(path)]),
  );
  for (const [name, load] of Object.entries(PACKAGES)) {
    assets.set(name, async () => (await load()).default);
  }
  const answers = new Map(
    [...assets].map((
      [name, text],
    ) => [
      name,
      answerWith(text, {
        type: typeOf(name),
        policy: name.startsWith("engine_") ? ENGINE_POLICY : POLICY,
      }),
    ]),
  );
  const reader = { stallMs, cacheControl: "no-cache" };
  for (const [name, path] of Object.entries(LARGE_ASSETS)) {
    app.get(
      `/assets/${name}`,
      (c) => answerFile(c, new URL(`../${path}`, import.meta.url), reader),
    );
  }
  app.get("/assets/:name", unlessCached, (c) => {
    const answer = answers.get(c.req.param("name"));
    if (!answer) throw new CpcError("not_found", `no asset ${c.req.param("name")}`);
    return answer(c);
  });
}

function fileText(path: string): () => Promise<string> {
  const text = readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
  return () => Promise.resolve(text);
}

function typeOf(path: string): string {
  const type = Object.entries(TYPES).find(([ending]) => path.endsWith(`.${ending}`))?.[1];
  if (!type) throw new TypeError(`no content type for ${path}`);
  return type;
}

/**
 * A route's answer.
 *
 * @param text loads it, on first use
 */
export function answerWith(
  text: () => Promise<string>,
  { type, policy }: { type: string; policy: Record<string, string> },
) {
  const rules = Object.entries(policy).map((entry) => entry.join(" ")).join("; ");
  let made: Promise<{ body: Uint8Array<ArrayBuffer>; tag: string }> | undefined;
  const make = async () => {
    const body = new TextEncoder().encode(await text());
    const hash = createHash("sha256").update(body).digest("base64url");
    return { body, tag: `"${hash.slice(0, 22)}"` };
  };
  return async (c: Context) => {
    // once: to load and encode a package's text takes up to 0.1 s, and anyone may ask
    made ??= make();
    const { body, tag } = await made.catch((error) => {
      made = undefined; // the next one tries again
      throw error;
    });
    c.header("ETag", tag);
    c.header("Cache-Control", "no-cache");
    c.header("Content-Security-Policy", rules);
    c.header(
      "Permissions-Policy",
      "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
    );
    c.header("Content-Type", type);
    return c.body(body);
  };
}
