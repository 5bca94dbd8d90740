import assert from "node:assert/strict";
import { settingsInForce } from "../../config/in_force.ts";
import { flagOf } from "../../config/setting.ts";
import { SERVER_SETTINGS } from "../../config/settings.ts";

const of = (args: string[], environment: Record<string, string> = {}, inForce = {}) =>
  settingsInForce(SERVER_SETTINGS, { args, environment: (name) => environment[name], inForce });

Deno.test("settingsInForce() tells every setting, its value and where it came from", () => {
  const settings = of(["--port", "9", "--profile", "--model=a", "--model=b"], {
    CPC_PORT: "7",
    CPC_IDLE_TIMEOUT: "90",
    CPC_MEMORY_BUDGET: "2GiB",
  }, { workers: 2, maxStreams: 80 });
  assert.deepEqual(
    Object.keys(settings),
    Object.entries(SERVER_SETTINGS).map(([name, setting]) => flagOf(name, setting)),
  );
  assert.deepEqual(settings.port, { value: 9, from: "flag" });
  assert.deepEqual(settings.profile, { value: true, from: "flag" });
  assert.deepEqual(settings["allow-anonymous"], { value: false, from: "default" });
  assert.deepEqual(settings.model, { value: ["a", "b"], from: "flag" });
  assert.deepEqual(settings["idle-timeout"], { value: 90, from: "environment" });
  assert.deepEqual(settings["memory-budget"], { value: 2 ** 31, from: "environment" });
  assert.deepEqual(settings["resume-window"], { value: 60, from: "default" });
  assert.deepEqual(settings["tls-cert"], { value: null, from: "default" });
  assert.deepEqual(settings.workers, { value: 2, from: "default" });
  assert.deepEqual(settings["max-streams"], { value: 80, from: "default", given: 1024 });
});

Deno.test("settingsInForce() shows no key and no password", () => {
  const secrets = ["first-secret", "second-secret", "p%40ss"];
  for (const store of ["redis://user:p%40ss@cache:6379/2", "rediss://:p%40ss@cache:6379"]) {
    const settings = of(["--api-key", "first-secret", "--store", store], {
      CPC_API_KEY: "second-secret",
    });
    const text = JSON.stringify([settings, of([], { CPC_API_KEY: "second-secret,first-secret" })]);
    for (const secret of secrets) assert.ok(!text.includes(secret), secret);
    assert.deepEqual(settings["api-key"], { value: ["***"], from: "flag" });
    assert.equal(settings.store?.value, store.replace("p%40ss", "***"));
  }
  const plain = ["memory:", "sqlite:/a/b.db", "redis://cache:6379"];
  for (const store of plain) assert.equal(of(["--store", store]).store?.value, store);
});
