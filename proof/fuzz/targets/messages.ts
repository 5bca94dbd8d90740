/** Text messages of a stream, and the query that opens it: the parsers alone. */
import fc from "fast-check";
import { below } from "../../../model/seeded.ts";
import { modelDims } from "../../../model/weights.ts";
import { parseClientMessage } from "../../../streaming/protocol/client_messages.ts";
import { parseStreamQuery, streamConfig } from "../../../streaming/protocol/query.ts";
import { tinyConfig } from "../../../tests/support/models.ts";
import { mutatedJson, mutatedText } from "../mutation.ts";
import { arbitrary } from "../arbitrary.ts";
import { SOCKET_STALL_MS, target } from "../target.ts";

/** Valid text messages. */
export const MESSAGES: readonly object[] = [
  { type: "mark", id: 7 },
  { type: "mark", id: { deep: [1, "two", null] } },
  { type: "reset" },
  { type: "update", output: ["context", "score"], steps: [1, 3], every: 2 },
  { type: "update", every: 1 },
  { type: "keep_alive" },
  { type: "finish" },
];
/** Valid queries. */
export const QUERIES = [
  "",
  "sample_rate=48000&output=context,score",
  "encoding=f32le&channels=2&channel=1&format=binary&dtype=f16",
  "encoding=mulaw&sample_rate=8000&every=4&steps=1,3&output=prediction",
  "resume=abcdefghijklmnopqrstuvwxyz0123456789ABCDEF0&received=17",
];
const TEXTS = MESSAGES.map((message) => JSON.stringify(message));
const DIMS = modelDims(tinyConfig);

/** Text messages. */
export const messages = target<string>({
  about: "text messages of a stream",
  share: 0.15,
  stallMs: SOCKET_STALL_MS,
  open() {
    const any = arbitrary(fc.json());
    return {
      draw(random) {
        if (random() < 0.2) return any(random);
        if (random() < 0.5) return mutatedText(TEXTS, random);
        return JSON.stringify(mutatedJson(MESSAGES[below(MESSAGES.length, random)], random));
      },
      feed: (text) => void parseClientMessage(text),
    };
  },
});

/** Queries. */
export const queries = target<string>({
  about: "queries of a stream, and the configuration that follows",
  share: 0.12,
  stallMs: SOCKET_STALL_MS,
  open() {
    const any = arbitrary(fc.webQueryParameters());
    return {
      draw: (random) => random() < 0.2 ? any(random) : mutatedText(QUERIES, random),
      feed(text) {
        streamConfig(parseStreamQuery(new URLSearchParams(text)), { model: "tiny", dims: DIMS });
      },
    };
  },
});
