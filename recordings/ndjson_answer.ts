/** Features as lines of JSON, each written as soon as its frames are computed. */
import { toCpcError } from "../errors.ts";
import { formatRow } from "../formats/float_text.ts";
import { nestedText, rowText } from "../formats/head_text.ts";
import type { FrameBlock } from "../inference/messages.ts";
import { type ClipStreams, frameShape, outputRows } from "./clip_streams.ts";
import type { FramedClip } from "./clips.ts";
import type { Embedded } from "./features.ts";
import { jsonItem, type JsonOptions } from "./json_answer.ts";
import { PART_FLOATS } from "./parts.ts";

/** What every answer's lines need. */
interface LinesOptions extends JsonOptions {
  readonly clips: readonly FramedClip[];
}

/**
 * All frames, one recording after the other: `start`, then `frames` and `head` as they come, last
 * `done`. A failure is a line `error`; then the answer breaks off.
 *
 * @param options `signal`: aborting it ends the computation
 */
export function frameLines(
  streams: ClipStreams,
  options: LinesOptions & { signal?: AbortSignal },
): AsyncGenerator<Uint8Array> {
  return lines(options, async function* () {
    for (const [index, clip] of options.clips.entries()) {
      for await (const block of streams.read(clip, streams.outputs, options.signal)) {
        yield* framesLines(block, { index, clip, streams, ...options });
        for (const head of block.heads ?? []) {
          const asked = streams.heads.find(({ name }) => name === head.head);
          if (asked) yield headLine(head, { index, ...asked });
        }
      }
    }
  });
}

/** One line for each recording's vectors. */
export function pooledLines(
  items: readonly Embedded[],
  options: LinesOptions,
): AsyncGenerator<Uint8Array> {
  return lines(options, async function* () {
    for (const [index, item] of items.entries()) {
      yield (await Array.fromAsync(jsonItem(item, { ...options, index }))).join("");
    }
  });
}

async function* lines(
  { clips, model, frameRate }: LinesOptions,
  between: () => AsyncIterable<string>,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  const line = (object: object) => encoder.encode(JSON.stringify(object) + "\n");
  const data = clips.map(({ seconds, frames }, index) => ({ index, seconds, frames }));
  yield line({ object: "start", model, frame_rate: frameRate, data });
  try {
    for await (const text of between()) yield encoder.encode(text + "\n");
  } catch (thrown) {
    const { code, message } = toCpcError(thrown);
    yield line({ error: { code, message } });
    throw thrown;
  }
  const seconds = clips.reduce((sum, clip) => sum + clip.seconds, 0);
  yield line({ object: "done", usage: { audio_seconds: seconds } });
}

/** A block's frames, in lines that are short enough to leave others their turn. */
function* framesLines(
  block: FrameBlock,
  { index, clip, streams: { asked }, frameRate }: {
    index: number;
    clip: FramedClip;
    streams: ClipStreams;
    frameRate: number;
  },
): Generator<string> {
  const outputs = outputRows(block, asked);
  const width = clip.streams * asked.reduce((sum, { width }) => sum + width, 0);
  const frames = Math.max(1, Math.floor(PART_FLOATS / width));
  for (let from = 0; from < block.count; from += frames) {
    const count = Math.min(frames, block.count - from);
    const arrays = outputs.map((rows, i) => {
      const { output, width } = asked[i]!;
      const floats = clip.streams * width;
      const shape = [count, ...frameShape(clip, asked[i]!)];
      const part = rows.subarray(from * floats, (from + count) * floats);
      return `,"${output}":${nestedText(part, { shape, formatRow })}`;
    });
    const first = block.first + from;
    const place = `"index":${index},"first":${first},"count":${count},"time":${first / frameRate}`;
    yield `{"object":"frames",${place}${arrays.join("")}}`;
  }
}

function headLine(
  { first, count, data }: NonNullable<FrameBlock["heads"]>[number],
  { index, name, spec, width, rate }: { index: number } & ClipStreams["heads"][number],
): string {
  const rows = Array.from(
    { length: count },
    (_, r) => rowText(data.subarray(r * width, (r + 1) * width), { spec, formatRow }),
  );
  const time = (first + 1) / rate;
  return `{"object":"head","index":${index},"name":${JSON.stringify(name)},"first":${first},` +
    `"count":${count},"time":${time},"rows":[${rows.join()}]}`;
}
