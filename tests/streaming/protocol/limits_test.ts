import assert from "node:assert/strict";
import { environmentName, flagOf } from "../../../config/setting.ts";
import { SERVER_SETTINGS, TOLD_SETTINGS } from "../../../config/settings.ts";
import { streamLimits, toldLimits } from "../../../streaming/protocol/limits.ts";
import { serverMessageSchemas } from "../../../streaming/protocol/messages.ts";
import { serverConfigOf } from "../../support/config.ts";

/** The members of `ready.limits` that clients rely on, with their defaults. */
const DEFAULTS = {
  message_bytes: 1_048_576,
  chunk_s: 300,
  streams: 1024,
  key_streams: 1024,
  idle_s: 60,
  session_s: 14_400,
  resume_s: 60,
  kept_sessions: 1000,
  backlog_s: 10,
  backlog_warning_s: 1,
  output_bytes: 1_048_576,
  slow_reader_warning_s: 5,
  slow_reader_s: 30,
};

function told(args: string[], environment: Record<string, string> = {}) {
  const config = serverConfigOf(["--api-key", "long-enough-key", ...args], environment);
  return toldLimits(streamLimits(config, () => config.apiKeys[0]!.maxStreams), "key1");
}

Deno.test("toldLimits() tells every bound; its flag or variable alone changes it", () => {
  assert.deepEqual(told([]), DEFAULTS);
  for (const [member, name] of TOLD_SETTINGS) {
    const setting = SERVER_SETTINGS[name];
    const value = setting.unit === "bytes" ? 65_537 : 11;
    const expected = {
      ...DEFAULTS,
      [member]: value,
      ...(member === "streams" ? { key_streams: value } : {}),
    };
    assert.deepEqual(told([`--${flagOf(name, setting)}`, `${value}`]), expected, name);
    assert.deepEqual(told([], { [environmentName(name, setting)]: `${value}` }), expected, name);
  }
});

Deno.test("toldLimits() tells a key's own streams, and no more than the server takes", () => {
  const limits = streamLimits(serverConfigOf(["--max-streams", "5"]), (owner) => owner.length);
  assert.equal(toldLimits(limits, "abc").key_streams, 3);
  assert.equal(toldLimits(limits, "abcdefgh").key_streams, 5);
});

Deno.test("ready's schema has each bound, seconds as numbers, the rest as integers", () => {
  const { limits } = serverMessageSchemas.ready.shape;
  assert.deepEqual(Object.keys(limits.shape).sort(), Object.keys(DEFAULTS).sort());
  assert.ok(limits.safeParse({ ...DEFAULTS, idle_s: 0.5 }).success);
  assert.ok(!limits.safeParse({ ...DEFAULTS, streams: 0.5 }).success);
  assert.ok(!limits.safeParse({ ...DEFAULTS, idle_s: undefined }).success);
});

Deno.test("streamLimits() takes the bounds of streams alone", () => {
  const limits = streamLimits(serverConfigOf([]), () => Infinity);
  assert.ok(!("apiKeys" in limits) && !("tls" in limits) && limits.pingS > 0);
});

Deno.test("docs/protocol.md names every bound with its default", async () => {
  const page = await Deno.readTextFile(new URL("../../../docs/protocol.md", import.meta.url));
  for (const [member, value] of Object.entries(DEFAULTS)) {
    assert.ok(page.includes(`"${member}": ${value}`), member);
  }
});
