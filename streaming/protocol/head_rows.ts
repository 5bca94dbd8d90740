/** Rows of heads as the text of a `head` message. */
import type { HeadBlock } from "../../inference/messages.ts";
import { rowText } from "../../formats/head_text.ts";
import { type HeadSpec, rowTime } from "../../model/heads/spec.ts";

/**
 * The text of a `head` message.
 *
 * @param options `hopSamples`: of the model; `formatRow`: writes floats as a JSON array
 */
export function encodeHead(
  { head, channel, every, first, count, data }: HeadBlock,
  { spec, hopSamples, formatRow }: {
    spec: Pick<HeadSpec, "outputs">;
    hopSamples: number;
    formatRow: (row: Float32Array) => string;
  },
): string {
  const width = data.length / count;
  const rows = Array.from(
    { length: count },
    (_, i) => rowText(data.subarray(i * width, (i + 1) * width), { spec, formatRow }),
  );
  const whose = channel === undefined ? "" : `"channel":${channel},`;
  const time = rowTime(first, { every, hopSamples });
  const place = `${whose}"first":${first},"count":${count},"time":${time}`;
  return `{"type":"head","name":"${head}",${place},"rows":[${rows.join()}]}`;
}
