/** Bodies of REST requests, with a small model behind them. */
import { Buffer } from "node:buffer";
import { below } from "../../../model/seeded.ts";
import { fixture } from "../../../tests/audio/files.ts";
import { held } from "../held_server.ts";
import { type TestServer, wav, withServer } from "../../../tests/support/server.ts";
import { base64 } from "../base64.ts";
import { mutated, mutatedJson, mutatedText, type Random } from "../mutation.ts";
import { SOCKET_STALL_MS, target } from "../target.ts";

interface Posted {
  readonly path: string;
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

const BOUNDARY = "frontier";
const PATHS = [
  "/v1/embeddings",
  "/v1/embeddings?pool=mean&output=latent,context",
  "/v1/embeddings?format=npz&output=prediction&steps=1,2",
  "/v1/embeddings?format=npy",
  "/v1/score",
  "/v1/score?window=4096&t=3&times=all&seed=7",
  "/v1/tokens?seconds=60",
];
const TYPES = ["audio/wav", "audio/flac", "audio/mpeg", "application/octet-stream", "text/plain"];
/** One in so many bodies is large. */
const LARGE_SHARE = 0.01;
const LARGEST_BYTES = 4 * 2 ** 20;
/** What a server may answer to anything a client sends; 500 is none of it. */
const ANSWERS = new Set([200, 201, 400, 401, 403, 404, 405, 409, 413, 415, 421, 422, 429, 503]);

/** Bodies of every type: raw, forms, JSON. */
export const bodies = target<Posted>({
  about: "REST requests: raw bodies, forms and JSON",
  share: 0.01,
  stallMs: SOCKET_STALL_MS,
  lasting: true,
  async open() {
    const { server, close } = await held<TestServer>(withServer);
    const tone = wav(Array.from({ length: 12_000 }, (_, i) => Math.sin(i / 9) / 2));
    const clips = [tone, fixture("mono.opus"), fixture("no_info.mp3")];
    const json = {
      input: [base64(tone.subarray(0, 3000)), base64(clips[1])],
      model: "tiny",
      output: "context",
      pool: "mean",
      window: 4096,
    };
    const form = formOf([["file", tone.subarray(0, 3000)], ["pool", "mean"], ["file", clips[2]]]);
    return {
      draw(random) {
        const path = random() < 0.8
          ? PATHS[below(PATHS.length, random)]
          : `/v1/${encodeURI(mutatedText(PATHS, random).slice(4))}`;
        return { path, ...bodyOf(random, { clips, json, form }) };
      },
      async feed({ path, type, body }) {
        const response = await server.app.request(path, {
          method: "POST",
          headers: { "content-type": type },
          body,
        });
        const answer = await response.arrayBuffer();
        if (ANSWERS.has(response.status)) return;
        throw new Error(
          `answered with ${response.status}: ${Buffer.from(answer).subarray(0, 300)}`,
        );
      },
      show: ({ path, type, body }) => `${path} ${type} ${base64(body.subarray(0, 3000))}`,
      close,
    };
  },
});

function bodyOf(
  random: Random,
  { clips, json, form }: { clips: Uint8Array[]; json: object; form: Uint8Array },
): Omit<Posted, "path"> {
  if (random() < LARGE_SHARE) return large(random);
  const kind = random();
  if (kind < 0.4) {
    const text = random() < 0.7
      ? JSON.stringify(mutatedJson(json, random))
      : mutatedText([JSON.stringify(json)], random);
    return { type: "application/json", body: new TextEncoder().encode(text) };
  }
  if (kind < 0.7) {
    const type = random() < 0.9
      ? `multipart/form-data; boundary=${BOUNDARY}`
      : mutatedText([`multipart/form-data; boundary=${BOUNDARY}`], random)
        .replace(/[^\x20-\x7e]/g, "?");
    return { type, body: mutated([form], random) };
  }
  return { type: TYPES[below(TYPES.length, random)], body: mutated(clips, random) };
}

/** A body of the same thing very often, which is cheap to send and may not be to read. */
function large(random: Random): Omit<Posted, "path"> {
  const bytes = below(LARGEST_BYTES, random);
  const often = (unit: string) => unit.repeat(Math.ceil(bytes / unit.length));
  const shapes = [
    () => `{"input":[${often("1,")}1]}`,
    () => `{"input":[${often("[],")}[]]}`,
    () => `{"input":[${often('"",')}""]}`,
    () => `{${often('"a":1,')}"input":[]}`,
    () => often("["),
    () => often('{"input":'),
    () => `{"input":["${often("A")}"]}`,
    () => `{"input":["AAAA"],"output":"${often("context,")}"}`,
  ];
  const kind = below(shapes.length + 3, random);
  if (kind < shapes.length) {
    return { type: "application/json", body: new TextEncoder().encode(shapes[kind]()) };
  }
  const type = `multipart/form-data; boundary=${BOUNDARY}`;
  const part = (name: string) =>
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n\r\n`;
  const parts = [part("file"), part("pool"), `--${BOUNDARY}\r\n${often("a: b\r\n")}`];
  const text = often(parts[kind - shapes.length]) + `--${BOUNDARY}--\r\n`;
  return { type, body: new TextEncoder().encode(text) };
}

function formOf(parts: readonly (readonly [string, string | Uint8Array])[]): Uint8Array {
  const pieces = parts.flatMap(([name, value]) => [
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${
      typeof value === "string" ? "" : '; filename="a.wav"\r\nContent-Type: audio/wav'
    }\r\n\r\n`,
    value,
    "\r\n",
  ]);
  return Buffer.concat([...pieces, `--${BOUNDARY}--\r\n`].map((piece) => Buffer.from(piece)));
}
