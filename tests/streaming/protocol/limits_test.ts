import assert from "node:assert/strict";
import { environmentName, parseStart, START_FLAGS } from "../../../config/server.ts";
import { streamLimits, toldLimits } from "../../../streaming/protocol/limits.ts";
import { serverMessageSchemas } from "../../../streaming/protocol/messages.ts";

/** Each bound of a stream: its flag, its member of `ready.limits`. */
const BOUNDS = {
  "max-message-bytes": "message_bytes",
  "max-chunk-seconds": "chunk_s",
  "max-streams": "streams",
  "max-streams-per-key": "key_streams",
  "idle-timeout": "idle_s",
  "session-limit": "session_s",
  "resume-window": "resume_s",
  "max-kept-sessions": "kept_sessions",
  "backlog-limit": "backlog_s",
  "backlog-warning": "backlog_warning_s",
  "max-output-bytes": "output_bytes",
  "slow-reader-warning": "slow_reader_warning_s",
  "slow-reader-timeout": "slow_reader_s",
} as const satisfies { [flag in keyof typeof START_FLAGS]?: string };

function told(args: string[], environment: Record<string, string> = {}): Record<string, number> {
  const config = parseStart(
    ["--api-key", "long-enough-key", ...args],
    (name) => environment[name],
  )!;
  return toldLimits(streamLimits(config, () => config.apiKeys[0]!.maxStreams), "key1");
}

Deno.test("toldLimits() tells every bound; its flag, or the flag's variable, and no other changes it", () => {
  assert.deepEqual(Object.keys(told([])).sort(), Object.values(BOUNDS).toSorted());
  assert.deepEqual(
    Object.keys(serverMessageSchemas.ready.shape.limits.shape).sort(),
    Object.values(BOUNDS).toSorted(),
  );
  for (const [flag, member] of Object.entries(BOUNDS)) {
    const value = member.endsWith("_bytes") ? 65_537 : 11;
    const expected = {
      ...told([]),
      [member]: value,
      ...(member === "streams" ? { key_streams: value } : {}),
    };
    assert.deepEqual(told([`--${flag}`, `${value}`]), expected, flag);
    assert.deepEqual(told([], { [environmentName(flag)]: `${value}` }), expected, flag);
  }
});

Deno.test("docs/limits.md and docs/protocol.md name every bound with its flag and default", async () => {
  const read = (page: string) =>
    Deno.readTextFile(new URL(`../../../docs/${page}.md`, import.meta.url));
  const [limits, protocol] = await Promise.all([read("limits"), read("protocol")]);
  const defaults = told([]);
  for (const [flag, member] of Object.entries(BOUNDS)) {
    const row = limits.split("\n").find((line) => line.startsWith(`| \`--${flag}\``)) ?? "";
    assert.ok(row.includes(`\`${member}\``), `docs/limits.md: ${flag}`);
    if (member !== "key_streams") {
      assert.ok(row.includes(` ${defaults[member]} `), `docs/limits.md: default of ${flag}`);
    }
    assert.ok(protocol.includes(`"${member}": ${defaults[member]}`), `docs/protocol.md: ${member}`);
  }
});
