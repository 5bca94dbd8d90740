import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { UsageError } from "../../errors.ts";
import { serverConfigOf } from "../support/config.ts";

const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");

Deno.test("apiKeysOf(): a key has --max-streams-per-key streams, or its file's", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(
    file,
    JSON.stringify([
      { name: "a", sha256: sha256("a") },
      { name: "b", sha256: sha256("b"), max_streams: 9 },
    ]),
  );
  const streams = (args: string[]) =>
    serverConfigOf(["--api-keys-file", file, "--api-key", "long-enough", ...args]).apiKeys.map((
      { maxStreams },
    ) => maxStreams);
  assert.deepEqual(streams(["--max-streams-per-key", "3"]), [3, 3, 9]);
  assert.deepEqual(streams(["--max-streams", "7"]), [7, 7, 9]);
  await Deno.remove(file);
});

Deno.test("apiKeysOf() tells the first fault of a keys file, and how many follow", async () => {
  const file = await Deno.makeTempFile();
  const good = { name: "good", sha256: sha256("good") };
  const cases: [keys: unknown, told: RegExp][] = [
    [[good, { name: "b", sha256: "no-hash" }], /: entry 2 of 2 \(b\): sha256: takes the 64 hex/],
    [[{ ...good, key: "plain" }, good], /: entry 1 of 2 \(good\): Unrecognized key: "key"$/],
    [[good, {}, { name: "c d" }], /: entry 2 of 3: name: .*; 1 more is wrong$/],
    [
      Array(20_000).fill({ name: "a" }),
      /: entry 1 of 20000 \(a\): sha256: .*; 19999 more are wrong$/,
    ],
    [{ good }, /is not a list/],
  ];
  for (const [keys, told] of cases) {
    await Deno.writeTextFile(file, JSON.stringify(keys));
    assert.throws(
      () => serverConfigOf(["--api-keys-file", file]),
      (error: Error) => error instanceof UsageError && told.test(error.message),
      String(told),
    );
  }
  await Deno.remove(file);
});

Deno.test("apiKeysOf() refuses a keys file that is not one", async () => {
  const file = await Deno.makeTempFile();
  for (
    const text of [
      "{",
      "{}",
      '[{"name":"a","key":"plain"}]',
      `[{"name":"a","sha256":"${sha256("a")}"},{"name":"a","sha256":"${sha256("b")}"}]`,
    ]
  ) {
    await Deno.writeTextFile(file, text);
    assert.throws(() => serverConfigOf(["--api-keys-file", file]), UsageError, text);
  }
  assert.throws(
    () => serverConfigOf(["--api-keys-file", "no/such/file"]),
    /cannot read no\/such\/file/,
  );
  await Deno.remove(file);
});
