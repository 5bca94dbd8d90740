/** What leaves over OTLP: a real server, and a small collector. */
import assert from "node:assert/strict";
import { inSpan, isTracing, serverSpan, traceIdOf, traceparentOf } from "../tracing.ts";
import { type CollectedMetric, Collector } from "./support/collector.ts";
import { wav } from "./support/server.ts";
import { StreamClient } from "./support/stream_client.ts";
import { endSupervisor, startSupervisor } from "./support/supervised.ts";

const KEY = "a-key-of-sixteen-and-more";
const HEADERS = { authorization: `Bearer ${KEY}` };
const FLAGS = ["--model", "weights/cpc-small", "--workers", "1", "--api-key", KEY];
/** The trace of a client, and its span: as `traceparent` gives them. */
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";
const TRACEPARENT = `00-${TRACE}-${CALLER}-01`;
const SERVER_KIND = 2;

/** The value of a metric's only series, or of the one with these labels. */
function valueOf(metric?: CollectedMetric, labels: Record<string, unknown> = {}) {
  return (metric?.sum ?? metric?.gauge)?.dataPoints.find(({ attributes }) =>
    Object.entries(labels).every(([key, value]) => attributes[key] === value)
  )?.asDouble;
}

Deno.test("inSpan() without telemetry does the work alone: results and errors pass", async () => {
  assert.equal(isTracing, false);
  assert.equal(await inSpan("a", () => Promise.resolve(7)), 7);
  const error = new Error("mine");
  await assert.rejects(inSpan("b", () => Promise.reject(error)), error);
  const span = serverSpan("c", { headers: { traceparent: TRACEPARENT } });
  assert.deepEqual([traceIdOf(span), traceparentOf(span)], [undefined, undefined]);
});

Deno.test("a server with OTEL_DENO exports spans of streams, and its metrics", async (t) => {
  await using collector = new Collector();
  const server = await startSupervisor(FLAGS, collector.environment);
  try {
    await t.step("a request continues its client's trace, and has parts", async () => {
      const answer = await fetch(`${server.url}/v1/embeddings?pool=mean`, {
        method: "POST",
        headers: { ...HEADERS, traceparent: TRACEPARENT, "x-request-id": "upload-1" },
        body: wav(new Int16Array(16_000)),
      });
      assert.equal(answer.status, 200);
      await answer.text();
      const request = await collector.span("POST /v1/embeddings");
      assert.deepEqual([request.kind, request.traceId, request.parentSpanId], [
        SERVER_KIND,
        TRACE,
        CALLER,
      ]);
      const { "client.address": address, ...attributes } = request.attributes;
      assert.deepEqual(attributes, {
        "http.request.method": "POST",
        "http.route": "/v1/embeddings",
        "http.response.status_code": 200,
        "cpc.request": "upload-1",
        "cpc.key": "key1",
      });
      assert.equal(address, "127.0.0.1");
      for (const name of ["decode", "embed"]) {
        const { parentSpanId, traceId, attributes, ...part } = await collector.span(name);
        assert.deepEqual([parentSpanId, traceId], [request.spanId, TRACE]);
        assert.deepEqual(attributes, {
          "cpc.model": "cpc-small",
          "cpc.clips": 1,
          "cpc.audio_seconds": 1,
          "cpc.frames": 100,
        });
        assert.ok(part.endTimeUnixNano <= request.endTimeUnixNano);
      }
    });

    await t.step("Deno's own span of it is a part, without the query", async () => {
      const { spanId } = await collector.span("POST /v1/embeddings");
      const own = await collector.until(() =>
        collector.spans.find(({ scope, parentSpanId }) =>
          scope === "deno" && parentSpanId === spanId
        )
      );
      assert.equal(own.attributes["url.full"], `${server.url}/v1/embeddings`);
      assert.equal(own.attributes["url.query"], "");
    });

    await t.step("a refusal has its code", async () => {
      const answer = await fetch(`${server.url}/v1/models/none`, { headers: HEADERS });
      await answer.body?.cancel();
      const { attributes, parentSpanId } = await collector.span("GET /v1/models/:id");
      assert.equal(parentSpanId, "", "a trace of its own");
      assert.deepEqual(
        [attributes["http.response.status_code"], attributes["error.type"]],
        [404, "model_not_found"],
      );
    });

    const second = new Int16Array(16_000);
    let session: unknown;
    let resume: unknown;
    await t.step(
      "a stream continues the trace of its handshake, and knows its session",
      async () => {
        const headers = { ...HEADERS, traceparent: TRACEPARENT, "x-request-id": "call-1" };
        const client = new StreamClient(server.url, { headers });
        ({ session, resume } = await client.next("ready"));
        client.socket.send(new Uint8Array(second.buffer));
        client.socket.send('{"type":"mark"}');
        await client.next("marked");
        await client.terminate();
        const stream = await collector.span("stream", { "cpc.request": "call-1" });
        assert.deepEqual([stream.kind, stream.traceId, stream.parentSpanId], [
          SERVER_KIND,
          TRACE,
          CALLER,
        ]);
        const { "client.address": _, ...attributes } = stream.attributes;
        assert.deepEqual(attributes, {
          "cpc.request": "call-1",
          "cpc.key": "key1",
          "cpc.session": session,
          "cpc.model": "cpc-small",
          "cpc.done": false,
          "cpc.frames": 99,
        });
        const { parentSpanId } = await collector.span("open");
        assert.equal(parentSpanId, stream.spanId);
      },
    );

    await t.step("a resume is another stream of the same session", async () => {
      const query = `resume=${resume}&received=99`;
      const client = new StreamClient(server.url, { headers: HEADERS, query });
      await client.next("ready");
      client.socket.send('{"type":"finish"}');
      assert.equal(await client.closed(), 1000);
      const stream = await collector.span("stream", { "cpc.done": true });
      assert.deepEqual(
        [stream.parentSpanId, stream.attributes["cpc.session"], stream.attributes["cpc.frames"]],
        ["", session, 100],
      );
      const { parentSpanId, traceId } = await collector.span("resume");
      assert.deepEqual([parentSpanId, traceId], [stream.spanId, stream.traceId]);
    });

    await t.step("a stream that fails has its code", async () => {
      const client = new StreamClient(server.url, { headers: HEADERS, query: "model=none" });
      const { request } = await client.next("error");
      assert.equal(await client.closed(), 4400);
      const failed = { "error.type": "model_not_found" };
      const { attributes, status } = await collector.span("stream", failed);
      assert.deepEqual([status.code, attributes["cpc.request"]], [2, request]);
      assert.ok(await collector.span("open", failed));
    });

    await t.step("a step says its streams, rows and time", async () => {
      const { attributes, parentSpanId } = await collector.span("step");
      const { "cpc.step.ms": ms, ...rest } = attributes;
      assert.equal(parentSpanId, "");
      assert.deepEqual(Object.keys(rest), ["cpc.model", "cpc.step.streams", "cpc.step.rows"]);
      assert.equal(rest["cpc.step.streams"], 1);
      assert.ok(Number(rest["cpc.step.rows"]) >= 1 && Number(ms) > 0);
    });

    await t.step("metrics are those of /metrics, by the same names", async () => {
      const text = await (await fetch(`${server.url}/metrics`, { headers: HEADERS })).text();
      const told = Array.from(text.matchAll(/^# TYPE (cpc_\w+) (\w+)$/gm), ([, name, type]) => ({
        name,
        type,
      }));
      const found = (name: string) => collector.metrics.find((metric) => metric.name === name);
      for (const { name, type } of told) {
        const hasValues = new RegExp(`^${name}(_count)?(\\{.*\\})? [^0]`, "m").test(text);
        if (!hasValues) continue;
        const { sum, gauge, histogram } = await collector.until(() => found(name));
        const kind = { counter: sum?.isMonotonic, gauge: gauge, histogram }[type];
        assert.ok(kind, `${name} is no ${type}`);
      }
      const counted = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
      assert.equal(counted("cpc_frames_total"), 100);
      const steps = counted("cpc_step_seconds_count");
      const values = () => [
        valueOf(found("cpc_frames_total")),
        valueOf(found("cpc_stream_closes_total"), { code: "1000" }),
        valueOf(found("cpc_stream_closes_total"), { code: "4400" }),
        found("cpc_step_seconds")?.histogram?.dataPoints[0].count,
      ];
      const truth = [100, 1, 1, steps];
      await collector.until(() => values().join() === truth.join() || undefined);
      const { unit, histogram } = found("cpc_step_seconds")!;
      assert.equal(unit, "s");
      assert.deepEqual(histogram?.dataPoints[0].explicitBounds?.slice(0, 2), [0.001, 0.002]);
    });
  } finally {
    await endSupervisor(server);
    await Deno.remove(server.folder, { recursive: true });
  }
});

Deno.test("servers of --processes export what they do, each as its own", async () => {
  await using collector = new Collector();
  const server = await startSupervisor([...FLAGS, "--processes", "2"], {
    ...collector.environment,
    OTEL_RESOURCE_ATTRIBUTES: "service.instance.id=rack-3,deployment.environment.name=test",
  });
  try {
    const client = new StreamClient(server.url, { headers: HEADERS });
    client.socket.on("open", () => client.socket.send('{"type":"finish"}'));
    assert.equal(await client.closed(), 1000);
    const { resource } = await collector.span("stream");
    assert.match(String(resource["service.instance.id"]), /^rack-3-[12]$/);
    assert.equal(resource["deployment.environment.name"], "test");
    const instances = (name: string) =>
      collector.metrics.filter((metric) => metric.name === name)
        .map(({ resource }) => resource["service.instance.id"]).sort();
    await collector.until(() => instances("cpc_workers").length === 2 || undefined);
    assert.deepEqual(instances("cpc_workers"), ["rack-3-1", "rack-3-2"]);
    await collector.until(() => instances("cpc_up").length === 3 || undefined);
    assert.deepEqual(instances("cpc_up"), ["rack-3", "rack-3-1", "rack-3-2"]);
  } finally {
    await endSupervisor(server);
    await Deno.remove(server.folder, { recursive: true });
  }
});

Deno.test("a server with an endpoint but no OTEL_DENO exports nothing, and says so", async () => {
  await using collector = new Collector();
  const server = await startSupervisor([...FLAGS, "--log-level", "warn"], {
    ...collector.environment,
    OTEL_DENO: "false",
  });
  const answer = await fetch(`${server.url}/healthz`);
  await answer.body?.cancel();
  server.kill("SIGTERM");
  const { code, stderr } = await server.ended;
  assert.equal(code, 0);
  await Deno.remove(server.folder, { recursive: true });
  assert.match(stderr, /OTEL_DENO=true/);
  assert.equal(collector.text, "");
});
