/**
 * `GET /asyncapi.json`: the stream's contract as AsyncAPI 3, made from the schemas that check every
 * message.
 */
import type { Hono } from "hono";
import { z } from "zod";
import { type ClientMessage, clientMessageSchema } from "../streaming/protocol/client_messages.ts";
import { serverMessageSchemas } from "../streaming/protocol/messages.ts";
import { streamQuerySchema } from "../streaming/protocol/query.ts";
import { VERSION } from "../version.ts";

const AUDIO =
  "Audio in the stream's encoding, of any size; a sample may be split across messages, a " +
  "packet of encoding=opus may not.";
const BINARY_FRAMES = "Frames with format=binary: see docs/protocol.md.";
/** Each message in a sentence. */
const SUMMARIES: {
  readonly client: Readonly<Record<ClientMessage["type"], string>>;
  readonly server: Readonly<Record<keyof typeof serverMessageSchemas, string>>;
} = {
  client: {
    mark: "Asks for an answer once everything sent before has been processed.",
    reset: "Begins a new segment.",
    update: "Changes what is sent from the next frame on.",
    keep_alive: "Restarts the idle clock.",
    finish: "Ends the signal: the tail, then done, then 1000.",
  },
  server: {
    ready: "First: the configuration in force, a resume token, the limits.",
    frames: "Rows of each chosen output (format=json).",
    head: "Rows of a head, always as text.",
    event: "A head's number rose or fell for long enough.",
    marked: "Answers mark.",
    reset: "Answers reset.",
    updated: "Answers update.",
    done: "Answers finish, with figures of the whole stream.",
    warning: "A warning; the stream goes on, or ends soon (draining).",
    error: "Why the stream ends; the close code follows.",
  },
};

/**
 * A JSON schema in draft 7, which AsyncAPI takes. What the server sends may have members that a
 * later version added.
 */
function jsonSchema(schema: z.ZodType, io: "input" | "output") {
  return z.toJSONSchema(schema, {
    target: "draft-7",
    io,
    override({ jsonSchema }) {
      if (io === "output" && jsonSchema.additionalProperties === false) {
        delete jsonSchema.additionalProperties;
      }
    },
  });
}

/** The AsyncAPI 3 document of the stream. */
export function asyncapiDocument() {
  const client = Object.fromEntries(
    clientMessageSchema.options.map((schema) => [schema.shape.type.value, schema]),
  );
  const server: Record<string, z.ZodType> = serverMessageSchemas;
  const text = (side: keyof typeof SUMMARIES, schemas: Record<string, z.ZodType>) =>
    Object.entries(schemas).map(([name, schema]) => [`${side}_${name}`, {
      name,
      summary: (SUMMARIES[side] as Readonly<Record<string, string>>)[name],
      contentType: "application/json",
      payload: jsonSchema(schema, side === "client" ? "input" : "output"),
    }]);
  const binary = (name: string, description: string) => ({
    name,
    summary: description,
    contentType: "application/octet-stream",
    payload: { type: "string", format: "binary", description },
  });
  const messages: Record<string, object> = {
    client_audio: binary("audio", AUDIO),
    ...Object.fromEntries(text("client", client)),
    server_binary_frames: binary("binary_frames", BINARY_FRAMES),
    ...Object.fromEntries(text("server", server)),
  };
  const refs = (side: string) =>
    Object.keys(messages).filter((key) => key.startsWith(side)).map((key) => ({
      $ref: `#/channels/stream/messages/${key}`,
    }));
  return {
    asyncapi: "3.0.0",
    info: {
      title: "cpc-stream",
      version: VERSION,
      description:
        "Live contrastive predictive coding features of speech. docs/protocol.md explains " +
        "every message. Clients should ignore members of messages that they do not know.",
      license: { name: "Apache-2.0" },
    },
    defaultContentType: "application/json",
    channels: {
      stream: {
        address: "/v1/stream",
        description:
          "One socket is one stream. The subprotocol is cpc.v1; browsers send a key as a " +
          "second one, bearer.KEY.",
        messages: Object.fromEntries(
          Object.keys(messages).map((key) => [key, { $ref: `#/components/messages/${key}` }]),
        ),
        bindings: {
          ws: {
            method: "GET",
            query: jsonSchema(streamQuerySchema, "input"),
            bindingVersion: "0.1.0",
          },
        },
      },
    },
    operations: {
      hear: {
        action: "receive",
        summary: "What clients send.",
        channel: { $ref: "#/channels/stream" },
        messages: refs("client"),
      },
      tell: {
        action: "send",
        summary: "What the server sends.",
        channel: { $ref: "#/channels/stream" },
        messages: refs("server"),
      },
    },
    components: { messages },
  };
}

/** Mounts the route. */
export function mountAsyncapi(app: Pick<Hono, "get">): void {
  const document = asyncapiDocument();
  app.get("/asyncapi.json", (c) => c.json(document));
}
