import assert from "node:assert/strict";
import { Hono } from "hono";
import { answerFile } from "../../routes/answer_file.ts";

Deno.test("answerFile() holds no descriptor in a pause; breaks off at a change", async () => {
  const path = await Deno.makeTempFile();
  const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
  await Deno.writeFile(path, bytes);
  const app = new Hono();
  app.get("/", (c) => answerFile(c, path, { stallMs: 10_000, cacheControl: "no-cache" }));
  // this process may not look there itself; tests beside this one open files of their own
  const opened = () => {
    const { stdout } = new Deno.Command("ls", { args: ["-l", `/proc/${Deno.pid}/fd`] })
      .outputSync();
    return new TextDecoder().decode(stdout).split("\n").filter((line) => line.endsWith(path))
      .length;
  };
  using _held = await Deno.open(path);
  assert.equal(opened(), 1, "it would be seen");
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => (await app.request("/")).body!.getReader()),
  );
  for (const reader of answers) assert.equal((await reader.read()).value?.length, 65_536);
  assert.equal(opened(), 1);
  for (const reader of answers.slice(1)) await reader.cancel();
  await Deno.writeFile(path, bytes.subarray(1));
  await assert.rejects(answers[0]!.read(), /changed while it was sent/);
  assert.deepEqual(await (await app.request("/")).bytes(), bytes.subarray(1));
  await Deno.remove(path);
});

Deno.test("answerFile() breaks off for a changed file of the same length", async () => {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeFile(path, new Uint8Array(100_000));
  await Deno.utime(path, 1000, 1000);
  const app = new Hono();
  app.get("/", (c) => answerFile(c, path, { stallMs: 10_000, cacheControl: "no-cache" }));
  const answer = await app.request("/");
  const names = ["content-type", "content-length", "cache-control"];
  const headers = names.map((name) => answer.headers.get(name));
  assert.deepEqual(headers, ["application/json", "100000", "no-cache"]);
  const reader = answer.body!.getReader();
  await reader.read();
  await Deno.utime(path, 2000, 2000);
  await assert.rejects(reader.read(), /changed while it was sent/);
  const tag = answer.headers.get("etag") ?? "";
  const other = await app.request("/", { headers: { "if-none-match": tag } });
  assert.equal(other.status, 200, "it is another version");
  await other.body?.cancel();
  const same = { "if-none-match": other.headers.get("etag") ?? "" };
  const again = await app.request("/", { headers: same });
  assert.deepEqual([again.status, again.headers.get("cache-control")], [304, "no-cache"]);
  await Deno.remove(path);
});
