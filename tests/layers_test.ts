import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";

const ROOT = new URL("../", import.meta.url).pathname;
const LEAVES = [
  "c_library.ts",
  "errors.ts",
  "options.ts",
  "log.ts",
  "metrics.ts",
  "metrics_export.ts",
  "tracing.ts",
  "heartbeat.ts",
  "threads.ts",
  "version.ts",
];
const BELOW = [...LEAVES, "formats", "audio", "model", "config"];
const STREAMING = ["stores", "streaming", "streaming/protocol", "streaming/session"];
const SERVING = [...BELOW, "inference", "recordings", ...STREAMING, "routes"];

/**
 * Every room of the house, and the rooms it may import besides itself. A file belongs to the room
 * with the longest matching path. A folder with code that belongs to none fails the test.
 */
const ROOMS: Record<string, readonly string[]> = {
  "least_permissions.ts": [],
  "main.ts": [
    ...SERVING,
    "memory_trim.ts",
    "process_end.ts",
    "profile.ts",
    "processes",
    "least_permissions.ts",
    "signals.ts",
    "commands/cli.ts",
    "commands/start.ts",
  ],
  "commands/cli.ts": [...LEAVES, "config"],
  "commands/start.ts": ["audio", "config", "commands/cli.ts"],
  "errors.ts": [],
  "options.ts": ["errors.ts"],
  "log.ts": [],
  "version.ts": [],
  "metrics.ts": ["metrics_export.ts", "usage.ts"],
  "metrics_export.ts": ["version.ts"],
  "tracing.ts": ["errors.ts", "version.ts"],
  "usage.ts": [],
  "profile.ts": ["metrics_export.ts"],
  "heartbeat.ts": [],
  "threads.ts": ["errors.ts"],
  "signals.ts": ["errors.ts", "threads.ts"],
  "c_library.ts": [],
  "memory_trim.ts": ["c_library.ts"],
  "signal_thread.ts": ["process_end.ts", "signals.ts"],
  "process_end.ts": ["c_library.ts", "errors.ts", "signals.ts", "threads.ts"],
  "exit_thread.ts": ["process_end.ts"],
  formats: LEAVES,
  audio: LEAVES,
  model: LEAVES,
  config: [...LEAVES, "model"],
  inference: [...LEAVES, "model"],
  "inference/worker": [...LEAVES, "model", "inference"],
  recordings: [...BELOW, "inference"],
  stores: ["errors.ts", "config"],
  streaming: [...BELOW, "inference", "streaming/protocol", "streaming/session"],
  "streaming/protocol": [...BELOW, "inference"],
  "streaming/session": [...BELOW, "inference", "stores", "streaming/protocol"],
  "routes/rates.ts": [],
  // of streaming its types alone
  processes: [
    ...LEAVES,
    "signals.ts",
    "config",
    "stores",
    "routes/rates.ts",
    "streaming",
    "usage.ts",
  ],
  routes: [
    ...BELOW,
    "inference",
    "recordings",
    "streaming",
    "streaming/protocol",
    "routes/rates.ts",
  ],
  conformance: [...LEAVES, "model", "inference/worker"],
  training: [...LEAVES, "formats", "audio", "model"],
  evaluation: [...LEAVES, "formats", "audio", "model", "training"],
  bench: [...SERVING, "inference/worker", "conformance"],
  commands: [
    ...SERVING,
    "signals.ts",
    "commands/cli.ts",
    "commands/start.ts",
    "training",
    "evaluation",
    "conformance",
    "bench",
  ],
  client: [],
  browser: [
    "errors.ts",
    "audio",
    "model",
    "client", // its types alone
    "inference",
    "inference/worker",
    ...STREAMING,
  ],
  deploy: [],
  web: ["client"],
  examples: ["client"],
  proof: ["*"],
  tests: ["*"],
};
/** Rooms whose files a room may start as threads or load by their URL, besides its own. */
const STARTS: Record<string, readonly string[]> = {
  inference: ["inference/worker"],
  "process_end.ts": ["exit_thread.ts"],
  "signals.ts": ["signal_thread.ts"],
  proof: ["*"],
  tests: ["*"],
};
/** Folders at the root without a room: they hold no code of Deno's. */
const WITHOUT_ROOM = ["docs", "python", "weights", "node_modules"];
/** Files that import or start what a variable holds; each names the file itself, or is given it. */
const BY_VARIABLE = [
  "bench/driven_worker.ts",
  "client/engine.ts", // a page's engine, by its device; and the bundles that hold it
  "client/cpc_client.js",
  "web/dist/app.js",
  "web/dist/engine_wasm.js",
  "web/dist/engine_webgpu.js",
  "model/tfjs/backend.ts",
  "threads.ts",
];

interface Link {
  readonly from: string;
  readonly to: string;
  readonly how: "import" | "by URL";
}

/** Code files below a folder, as paths from the root. */
function* codeFiles(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(join(ROOT, folder))) {
    const path = join(folder, name);
    if (name.startsWith(".") || name === "node_modules") continue;
    if (isDirectory) yield* codeFiles(path);
    else if (isCode(name)) yield path;
  }
}

function isCode(name: string): boolean {
  return /\.[cm]?[jt]sx?$/.test(name);
}

/**
 * Files of ours that a file names in strings, comments aside: it imports them, types included, or
 * (`new URL()`, `resolve()`) it starts them as threads or loads them later.
 */
function linksOf(file: string): Link[] {
  const found = codeOf(file).matchAll(
    /(\b(?:URL|resolve)\(\s*)?(["'`])(\.\.?\/[^"'`$\s]+\.(?:[cm]?[jt]sx?|json|wasm))\2/g,
  );
  return Array.from(found, ([, url, , path]) => ({
    from: file,
    to: relative(ROOT, join(ROOT, dirname(file), path)),
    how: url ? "by URL" : "import",
  }));
}

function codeOf(file: string): string {
  return Deno.readTextFileSync(join(ROOT, file)).replaceAll(
    /^\s*(?:\/\/.*|\/?\*.*?(?:\*\/|$))/gm,
    "",
  );
}

/** The room of a file; undefined when it has none. */
function roomOf(file: string): string | undefined {
  return Object.keys(ROOMS)
    .filter((room) => file === room || file.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

const FILES = [...codeFiles("")];
const LINKS = FILES.flatMap(linksOf);
const IMPORTS = LINKS.filter(({ how }) => how === "import");
const STARTED = LINKS.filter(({ to, how }) => how === "by URL" && isCode(to));

Deno.test("every file of code has a room, and every room has code", () => {
  for (const file of FILES) {
    assert.ok(roomOf(file), `${file} is in no room: name its folder in ROOMS`);
  }
  for (const room of Object.keys(ROOMS)) {
    assert.ok(FILES.some((file) => roomOf(file) === room), `the room ${room} is empty`);
  }
});

Deno.test("every folder at the root is a room, or is known to have no code", () => {
  for (const { name, isDirectory } of Deno.readDirSync(ROOT)) {
    if (!isDirectory || name.startsWith(".") || WITHOUT_ROOM.includes(name)) continue;
    assert.ok(ROOMS[name], `${name} is no room: name it in ROOMS`);
  }
});

Deno.test("every import of ours leads to a file", () => {
  assert.ok(IMPORTS.length > FILES.length, "most files import one of ours");
  for (const { from, to } of LINKS) {
    assert.ok(Deno.statSync(join(ROOT, to)).isFile, `${from} imports ${to}`);
  }
});

Deno.test("every import says in a string what it imports: a path, or a package", () => {
  const { imports, scopes } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  for (const target of [imports, ...Object.values(scopes)].flatMap(Object.values)) {
    assert.match(target, /^npm:/);
  }
  const computed = /\bimport\(\s*[^\s"`)]|\b(?:new Worker|startThread)\(\s*(?!new URL\(\s*")[^\s)]/;
  for (const file of FILES) {
    if (BY_VARIABLE.includes(file) || roomOf(file) === "tests") continue;
    assert.doesNotMatch(codeOf(file), computed, `${file} hides what it imports`);
  }
});

Deno.test("every thread is started by a room that may", () => {
  assert.ok(STARTED.some(({ to }) => to === "inference/worker/worker.ts"));
  for (const { from, to } of STARTED) {
    const [room, target] = [roomOf(from)!, roomOf(to)!];
    const allowed = STARTS[room] ?? [];
    assert.ok(
      room === target || allowed.includes("*") || allowed.includes(target),
      `${from} starts ${to}, and ${room} may not start ${target}`,
    );
  }
});

Deno.test("imports point one way: routes → recordings, streaming → inference → model", () => {
  for (const { from, to } of IMPORTS) {
    const [room, target] = [roomOf(from)!, roomOf(to)!];
    const allowed = ROOMS[room];
    assert.ok(
      room === target || allowed.includes("*") || allowed.includes(target),
      `${from} imports ${to}, and ${room} may not import ${target}`,
    );
  }
});

Deno.test("no file imports itself through others", () => {
  const next = Map.groupBy(IMPORTS, ({ from }) => from);
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `a circle of imports: ${[...path, file].join(" → ")}`);
    if (done.has(file)) return;
    for (const { to } of next.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of FILES) visit(file, []);
});
