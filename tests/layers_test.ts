import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";

const ROOT = new URL("../", import.meta.url).pathname;
const LEAVES = ["errors.ts", "options.ts", "log.ts", "metrics.ts", "heartbeat.ts", "threads.ts"];
const BELOW = [...LEAVES, "formats", "audio", "model", "config"];
const STREAMING = ["streaming", "streaming/protocol", "streaming/session"];
const SERVING = [...BELOW, "inference", "recordings", ...STREAMING, "routes"];

/**
 * Every room of the house, and the rooms it may import besides itself. A file belongs to the room
 * with the longest matching path. A folder with code that belongs to none fails the test.
 */
const ROOMS: Record<string, readonly string[]> = {
  "main.ts": [...SERVING, "commands/cli.ts", "commands/start.ts"],
  "commands/cli.ts": [...LEAVES, "config"],
  "commands/start.ts": ["config", "commands/cli.ts"],
  "errors.ts": [],
  "options.ts": ["errors.ts"],
  "log.ts": [],
  "metrics.ts": [],
  "heartbeat.ts": [],
  "threads.ts": ["errors.ts"],
  formats: LEAVES,
  audio: LEAVES,
  model: LEAVES,
  config: [...LEAVES, "model"],
  inference: [...LEAVES, "model"],
  "inference/worker": [...LEAVES, "model", "inference"],
  recordings: [...BELOW, "inference"],
  streaming: [...BELOW, "inference", "streaming/protocol", "streaming/session"],
  "streaming/protocol": [...BELOW, "inference"],
  "streaming/session": [...BELOW, "inference", "streaming/protocol"],
  routes: [...BELOW, "inference", "recordings", "streaming", "streaming/protocol"],
  conformance: [...LEAVES, "model", "inference/worker"],
  training: [...LEAVES, "formats", "audio", "model"],
  evaluation: [...LEAVES, "formats", "audio", "model", "training"],
  bench: [...SERVING, "inference/worker", "conformance"],
  commands: [
    ...SERVING,
    "commands/cli.ts",
    "commands/start.ts",
    "training",
    "evaluation",
    "conformance",
    "bench",
  ],
  client: ["streaming/protocol"], // its types alone: tests/commands/build_web_test.ts
  web: ["client"],
  proof: ["*"],
  tests: ["*"],
};
/** Folders at the root that hold no code of ours. */
const WITHOUT_CODE = ["docs", "weights", "node_modules"];

interface Import {
  readonly from: string;
  readonly to: string;
}

/** Code files below a folder, as paths from the root. */
function* codeFiles(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(join(ROOT, folder))) {
    const path = join(folder, name);
    if (name.startsWith(".") || WITHOUT_CODE.includes(path)) continue;
    if (isDirectory) yield* codeFiles(path);
    else if (/\.(ts|js|mjs)$/.test(name)) yield path;
  }
}

/** What a file imports of ours, types included, and the workers it starts. */
function importsOf(file: string): Import[] {
  const text = Deno.readTextFileSync(join(ROOT, file));
  const found = text.matchAll(
    /^(?:import|export)\b[^;]*?from\s*"(\.[^"]+)"|\bimport\(\s*"(\.[^"]+)"|^import\s*"(\.[^"]+)"/gm,
  );
  return Array.from(found, ([, from, dynamic, bare]) => {
    const path = from ?? dynamic ?? bare;
    return { from: file, to: relative(ROOT, join(ROOT, dirname(file), path)) };
  });
}

/** The room of a file; undefined when it has none. */
function roomOf(file: string): string | undefined {
  return Object.keys(ROOMS)
    .filter((room) => file === room || file.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

const FILES = [...codeFiles("")];
const IMPORTS = FILES.flatMap(importsOf);

Deno.test("every file of code has a room, and every room has code", () => {
  for (const file of FILES) {
    assert.ok(roomOf(file), `${file} is in no room: name its folder in ROOMS`);
  }
  for (const room of Object.keys(ROOMS)) {
    assert.ok(FILES.some((file) => roomOf(file) === room), `the room ${room} is empty`);
  }
});

Deno.test("every import of ours leads to a file", () => {
  assert.ok(IMPORTS.length > FILES.length, "most files import one of ours");
  for (const { from, to } of IMPORTS) {
    assert.ok(Deno.statSync(join(ROOT, to)).isFile, `${from} imports ${to}`);
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
