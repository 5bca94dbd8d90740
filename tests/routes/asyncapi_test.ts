import assert from "node:assert/strict";
import { Parser } from "@asyncapi/parser";
import { Hono } from "hono";
import { mountAsyncapi } from "../../routes/asyncapi.ts";
import { clientMessageSchema } from "../../streaming/protocol/client_messages.ts";
import { serverMessageSchemas } from "../../streaming/protocol/messages.ts";
import { streamQuerySchema } from "../../streaming/protocol/query.ts";

async function served() {
  const app = new Hono();
  mountAsyncapi(app);
  return await (await app.request("/asyncapi.json")).json();
}

Deno.test("/asyncapi.json holds every message and option of the stream", async () => {
  const { asyncapi, channels, operations, components } = await served();
  assert.equal(asyncapi, "3.0.0");
  const named = (side: string) =>
    operations[side].messages.map(({ $ref }: { $ref: string }) => $ref.split("/").at(-1)).sort();
  const types = clientMessageSchema.options.map((option) => `client_${option.shape.type.value}`);
  assert.deepEqual(named("hear"), ["client_audio", ...types].sort());
  const answers = Object.keys(serverMessageSchemas).map((type) => `server_${type}`);
  assert.deepEqual(named("tell"), ["server_binary_frames", ...answers].sort());
  assert.deepEqual(
    Object.keys(channels.stream.bindings.ws.query.properties),
    Object.keys(streamQuerySchema.shape),
  );
  assert.equal(components.messages.client_update.payload.properties.every.minimum, 1);
  assert.deepEqual(components.messages.server_warning.payload.properties.code.enum, [
    "idle",
    "backlog",
    "slow_reader",
    "draining",
    "store",
  ]);
  const { client_reset, server_reset } = components.messages;
  assert.deepEqual(
    [client_reset.summary, server_reset.summary],
    ["Begins a new segment.", "Answers reset."],
  );
});

Deno.test("/asyncapi.json leaves room for what later servers send, none for typing errors", async () => {
  const { components: { messages } } = await served();
  const closed = Object.keys(messages).filter((name) =>
    JSON.stringify(messages[name].payload).includes('"additionalProperties":false')
  );
  assert.deepEqual(closed.filter((name) => name.startsWith("server_")), []);
  assert.ok(closed.includes("client_update"));
});

Deno.test("/asyncapi.json is valid to AsyncAPI's own parser", async () => {
  const { document, diagnostics } = await new Parser().parse(JSON.stringify(await served()));
  const problems = diagnostics.filter(({ severity, code }) =>
    severity < 2 || code !== "asyncapi-latest-version"
  );
  assert.deepEqual(problems, []);
  assert.equal(document?.channels().length, 1);
});
