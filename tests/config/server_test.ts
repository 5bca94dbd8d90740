import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { UsageError } from "../../errors.ts";
import { serverConfigOf as parse } from "../support/config.ts";

const tlsFile = (name: string) => new URL(`../fixtures/tls/${name}.pem`, import.meta.url).pathname;
const TLS = { cert: tlsFile("cert"), key: tlsFile("key") };

Deno.test("serverConfig() without flags gives the documented defaults", () => {
  const { models, workers, ...rest } = parse([]);
  assert.match(models.join(), /\/weights\/cpc-base$/);
  assert.deepEqual([models.length, workers], [1, navigator.hardwareConcurrency]);
  assert.deepEqual(rest, {
    host: "127.0.0.1",
    port: 8000,
    engine: "onnx",
    heads: [],
    device: "auto",
    precision: "fp32",
    processes: 1,
    maxStreams: 1024,
    apiKeys: [],
    allowOrigins: [],
    tls: undefined,
    logLevel: "info",
    idleTimeoutS: 60,
    store: { kind: "memory" },
    resumeWindowS: 60,
    sessionLimitS: 14_400,
    maxMessageBytes: 1_048_576,
    maxChunkSeconds: 300,
    backlogLimitS: 10,
    backlogWarningS: 1,
    maxOutputBytes: 1_048_576,
    slowReaderWarningS: 5,
    slowReaderTimeoutS: 30,
    requestTimeoutS: 3600,
    allowHosts: [],
    memoryBudget: undefined,
    drainTimeoutS: 30,
    shareWeights: "auto",
    profile: false,
    maxKeptSessions: 1000,
  });
});

Deno.test("serverConfig() takes no store in memory for several processes", () => {
  assert.equal(parse(["--processes", "2"]).store.kind, "memory"); // the supervisor's own follows
  assert.throws(() => parse(["--processes", "2", "--store", "memory:"]), {
    name: "UsageError",
    message: /--store memory: keeps sessions in one process.*--processes 2/,
  });
  assert.equal(parse(["--store", "memory:"]).store.kind, "memory");
});

Deno.test("serverConfig() refuses what SQLite does not keep in a file of that name", () => {
  for (const file of [":memory:", "file::memory:", "file:/tmp/a.db?mode=memory"]) {
    assert.throws(() => parse(["--store", `sqlite:${file}`]), {
      name: "UsageError",
      message: /--store takes memory:, sqlite:FILE/,
    });
  }
  for (const file of ["memory:", "./:memory:", "/tmp/file:a.db"]) {
    assert.deepEqual(parse(["--store", `sqlite:${file}`]).store, { kind: "sqlite", file });
  }
});

Deno.test("serverConfig() takes flags before environment, lists by repetition or commas", () => {
  const environment = {
    CPC_PORT: "9",
    CPC_MODEL: "c, d",
    CPC_ALLOW_ORIGIN: "https://a.example,https://b.example",
    CPC_LOG_LEVEL: "",
  };
  const config = parse(["--port", "7", "--model", "a", "--model=b"], environment);
  assert.deepEqual([config.port, config.models], [7, ["a", "b"]]);
  assert.deepEqual(config.allowOrigins, ["https://a.example", "https://b.example"]);
  assert.deepEqual([parse([], environment).port, parse([], environment).models], [9, ["c", "d"]]);
  assert.equal(config.logLevel, "info"); // an empty variable is none
});

Deno.test("serverConfig() refuses a key that is not the certificate's", async () => {
  const file = await Deno.makeTempFile();
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  await Deno.writeTextFile(file, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  assert.throws(
    () => parse(["--tls-cert", TLS.cert, "--tls-key", file]),
    /--tls-key is not the key of the certificate/,
  );
  await Deno.remove(file);
});

Deno.test("serverConfig() takes origins as browsers send them, however they are written", () => {
  const written = [
    "https://App.Example/",
    "http://app.example:80",
    "https://app.example:8443",
    "chrome-extension://abc",
  ];
  const { allowOrigins } = parse(written.flatMap((origin) => ["--allow-origin", origin]));
  assert.deepEqual(allowOrigins, [
    "https://app.example",
    "http://app.example",
    "https://app.example:8443",
    "chrome-extension://abc",
  ]);
});

Deno.test("serverConfig() refuses each flag out of its bounds, in one line that names it", () => {
  const cases: [string[], RegExp][] = [
    [["--port", "65536"], /--port takes a whole number from 0 to 65535, got "65536"/],
    [["--port", "-1"], /--port/],
    [["--port", "1e3"], /--port/],
    [["--port"], /--port/],
    [["--workers", "0"], /--workers takes a whole number from 1/],
    [["--max-streams", "1.5"], /--max-streams/],
    [["--max-message-bytes", "0"], /--max-message-bytes takes a whole number from 1 to/],
    [["--idle-timeout", "0"], /--idle-timeout/],
    [["--session-limit", "x"], /--session-limit/],
    [["--max-streams-per-key", "0"], /--max-streams-per-key takes a whole number from 1/],
    [["--max-chunk-seconds", "9"], /--max-chunk-seconds takes a whole number from 10/],
    [["--backlog-limit", "601"], /--backlog-limit takes a whole number from 1 to 600/],
    [["--backlog-warning", "-1"], /--backlog-warning/],
    [["--max-output-bytes", "100"], /--max-output-bytes takes a whole number from 65536/],
    [["--slow-reader-warning", "0"], /--slow-reader-warning/],
    [["--slow-reader-timeout", "0"], /--slow-reader-timeout/],
    [["--max-kept-sessions", "many"], /--max-kept-sessions/],
    [["--engine", "abacus"], /--engine takes onnx or tfjs, got "abacus"/],
    [["--precision", "fp8"], /--precision takes fp32 or int8/],
    [["--log-level", "loud"], /--log-level takes debug/],
    [["--api-key", "with space"], /--api-key takes letters, digits and/],
    [
      ["--allow-origin", "notanorigin"],
      /--allow-origin takes an origin such as https:\/\/app.example, got "notanorigin"/,
    ],
    [["--allow-origin", "*"], /--allow-origin/],
    [["--allow-origin", "https://app.example/page"], /--allow-origin/],
    [["--allow-origin", "https://*.example"], /--allow-origin/],
    [["--model", "a/x", "--model", "b/x/"], /--model names two folders called x/],
    [["--tls-cert", "cert.pem"], /require each other/],
    [["--tls-cert", TLS.key, "--tls-key", TLS.cert], /--tls-cert takes a certificate in PEM/],
    [
      ["--tls-cert", TLS.cert, "--tls-key", TLS.cert],
      /--tls-key takes a private key without a passphrase in PEM/,
    ],
    [
      ["--tls-cert", "no-such.pem", "--tls-key", "no-such.key"],
      /--tls-cert: cannot read no-such.pem/,
    ],
    [["--colour", "red"], /--colour/],
    [["extra"], /extra/],
    [["--host", "0.0.0.0"], /set --api-key, or --allow-anonymous/],
    [["--host", "::"], /--api-key/],
  ];
  for (const [args, message] of cases) {
    assert.throws(() => parse(args), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n"));
      return true;
    }, args.join(" "));
  }
});

Deno.test("serverConfig() keeps keys as hashes, and opens other addresses with a key", () => {
  const key = "correct-horse-battery";
  const { apiKeys } = parse(["--host", "0.0.0.0"], { CPC_API_KEY: key });
  assert.deepEqual(apiKeys.map(({ sha256 }) => sha256), [
    createHash("sha256").update(key).digest("hex"),
  ]);
  assert.ok(!JSON.stringify(parse([], { CPC_API_KEY: key })).includes(key));
  assert.equal(parse(["--host", "0.0.0.0", "--allow-anonymous"]).host, "0.0.0.0");
  assert.equal(parse(["--host", "0.0.0.0"], { CPC_ALLOW_ANONYMOUS: "1" }).host, "0.0.0.0");
});
