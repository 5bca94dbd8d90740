/** How long bodies that are hostile, or merely long, stop the event loop of a server. */
import { wavOf } from "../formats/wav.ts";
import { residentMB, startServer } from "./load.ts";
import { pad } from "./print.ts";
import { median } from "./statistics.ts";

const ROUNDS = 3;

/** A request that someone may send. */
interface Hostile {
  readonly what: string;
  readonly route: "embeddings" | "score";
  readonly type?: string;
  /** Made anew for each request, so that only one is held. */
  readonly body: () => BodyInit;
}

const BOUNDARY = "boundary";
const FORM = `multipart/form-data; boundary=${BOUNDARY}`;
const JSON_TYPE = "application/json";

/** A form of parts with these heads, each empty. */
function form(parts: number, head: (i: number) => string): string {
  return Array.from({ length: parts }, (_, i) => `--${BOUNDARY}\r\n${head(i)}\r\n\r\n\r\n`)
    .join("") + `--${BOUNDARY}--\r\n`;
}

/** Noise of so many bytes, as a recording. */
function wav(bytes: number): Uint8Array<ArrayBuffer> {
  const noise = Float32Array.from(
    { length: bytes / 2 },
    (_, i) => (i * 7919 % 6007 - 3003) / 2 ** 15,
  );
  return wavOf(noise, { sampleRate: 16_000 });
}

/** Clips of a second each in a form. */
function clipsForm(clips: number): FormData {
  const form = new FormData();
  for (let i = 0; i < clips; i++) form.append("file", new Blob([wav(32_000)]), "a.wav");
  return form;
}

const list = (items: number, item: string) => `{"input":[${`${item},`.repeat(items - 1)}${item}]}`;

const INPUTS: readonly Hostile[] = [
  { what: "nothing", route: "embeddings", body: () => "" },
  {
    what: "4 MB of numbers",
    route: "embeddings",
    type: JSON_TYPE,
    body: () => list(2e6, "1"),
  },
  { what: "20 MB of numbers", route: "embeddings", type: JSON_TYPE, body: () => list(1e7, "1") },
  {
    what: "1.3 million empty arrays",
    route: "embeddings",
    type: JSON_TYPE,
    body: () => list(1.3e6, "[]"),
  },
  {
    what: "1 million empty strings",
    route: "embeddings",
    type: JSON_TYPE,
    body: () => list(1e6, '""'),
  },
  {
    what: "300,000 unknown members",
    route: "embeddings",
    type: JSON_TYPE,
    body: () => `{${Array.from({ length: 3e5 }, (_, i) => `"m${i}":1`).join()}}`,
  },
  {
    what: "5 million nested arrays",
    route: "embeddings",
    type: JSON_TYPE,
    body: () => `{"pool":${"[".repeat(5e6)}${"]".repeat(5e6)}}`,
  },
  {
    what: "100,000 empty parts",
    route: "embeddings",
    type: FORM,
    body: () => form(1e5, (i) => `Content-Disposition: form-data; name="file"; filename="${i}"`),
  },
  {
    what: "100,000 fields",
    route: "embeddings",
    type: FORM,
    body: () => form(1e5, (i) => `Content-Disposition: form-data; name="field${i}"`),
  },
  {
    what: "80 MB of base64",
    route: "embeddings",
    type: JSON_TYPE,
    body: () => `{"pool":"mean","input":["${"A".repeat(80e6)}"]}`,
  },
  { what: "a file of 60 MB", route: "embeddings", body: () => wav(60e6).fill(0, 0, 4) },
  {
    what: "a form with 60 MB",
    route: "embeddings",
    body: () => {
      const form = new FormData();
      form.append("file", new Blob([wav(60e6).fill(0, 0, 4)]), "a.wav");
      return form;
    },
  },
  { what: "score of 512 windows", route: "score", body: () => clipsForm(256) },
];

/** Prints the longest stall and the memory added, each the median of some rounds. */
export async function stalls(model: string): Promise<void> {
  console.log(
    `\nstalls: the longest stop of the server's event loop, in ms, and the memory added at`,
  );
  console.log(
    `the peak of all rounds, in MB, while a request is taken; median of ${ROUNDS} rounds`,
  );
  console.log(`${"".padEnd(26)}status  stall  memory`);
  for (const input of INPUTS) {
    const child = await startServer(["--model", model]);
    const measured: { status: number; stallMs: number; mb: number }[] = [];
    const before = await residentMB(child.pid);
    for (let round = 0; round < ROUNDS; round++) {
      await longestStallMs(child.url);
      const { status, mb } = await send(child, input);
      measured.push({ status, stallMs: await longestStallMs(child.url), mb: mb - before });
    }
    await child.stop();
    console.log(
      `${input.what.padEnd(26)}${pad(measured[0].status, 6)}${
        pad(median(measured.map(({ stallMs }) => stallMs)).toFixed(0), 7)
      }${pad(Math.max(...measured.map(({ mb }) => mb)).toFixed(0), 8)}`,
    );
  }
}

/** Sends a request and watches the server's memory until the answer is there. */
async function send(
  { url, pid }: { url: string; pid: number },
  { route, type, body }: Hostile,
): Promise<{ status: number; mb: number }> {
  const given = body();
  const request = route === "score"
    ? `${url}/v1/score?window=8000`
    : `${url}/v1/embeddings?format=npz`;
  let answered = false;
  const answer = fetch(request, {
    method: "POST",
    body: given,
    headers: type ? { "content-type": type } : {},
  }).then(
    async (response) => (await response.body?.cancel(), response.status),
    () => 0, // the server hung up before it had read all
  ).finally(() => answered = true);
  let mb = 0;
  while (!answered) {
    mb = Math.max(mb, await residentMB(pid));
    await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 20))]);
  }
  return { status: await answer, mb };
}

/** The longest stall of a server since this was last asked. */
export async function longestStallMs(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^cpc_event_loop_stall_seconds (\S+)$/m.exec(text)?.[1]) * 1000;
}
