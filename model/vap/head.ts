/** The head's folder: what stands beside its graph. */
import { rowsPerSecond, type VapSizes } from "./network.ts";
import { statesOf } from "./state.ts";

const OUTPUTS = ["p_now", "p_future", "vad"] as const;

/**
 * `head.json`.
 *
 * @param options `windowRows`: N; `features`: SHA-256 of the model's `model.safetensors`
 */
export function headJson(
  sizes: VapSizes,
  { windowRows, features }: { windowRows: number; features: string },
) {
  const { channels, every } = sizes;
  const labels = Array.from({ length: channels }, (_, i) => `speaker ${i + 1}`);
  return {
    input: "context",
    channels,
    every,
    features,
    state: statesOf(sizes, windowRows),
    outputs: OUTPUTS.map((name) => ({ name, shape: [channels], labels })),
  };
}

/** Bytes of a dialogue's state. */
export function stateBytes(sizes: VapSizes, windowRows: number): number {
  return 4 * statesOf(sizes, windowRows).reduce(
    (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
    0,
  );
}

/** Label and value of each thing worth knowing about a network, in order. */
export function describeVap(
  sizes: VapSizes,
  { windowRows }: { windowRows: number },
): [label: string, value: string][] {
  const { channels, features, width, heads, every, channelLayers, jointLayers } = sizes;
  const joint = channels === 2 ? "with cross attention" : "more";
  return [
    ["head", `voice activity projection, ${channels === 2 ? "2 channels" : "1 channel"}`],
    [
      "layers",
      `${channelLayers} for each channel, ${jointLayers} ${joint}; ${width} wide${
        features === width ? "" : ` (features ${features})`
      }, ${heads} heads`,
    ],
    ["rate", `${rowsPerSecond(sizes)} rows a second (kernel ${every}), each of ${every} frames`],
    [
      "window",
      `${windowRows} rows (${windowRows / rowsPerSecond(sizes)} s), ${
        (stateBytes(sizes, windowRows) / 1e6).toFixed(1)
      } MB a dialogue`,
    ],
  ];
}

/** The head's own card. */
export function headCard(
  sizes: VapSizes,
  options: {
    windowRows: number;
    file: string;
    sha256: string;
    command: string;
    liveAlignment: boolean;
  },
): string {
  const { file, sha256, command, liveAlignment } = options;
  const rows = describeVap(sizes, options).map(([label, value]) => `| ${label} | ${value} |`);
  const who = sizes.channels === 2 ? "each of two speakers" : "the speaker";
  return `# vap

Turn-taking as it goes on: for ${who}, the share of the next 0.6 s (\`p_now\`) and of the time
from 0.6 to 2 s (\`p_future\`) that is theirs, and whether they speak now (\`vad\`).

| | |
| --- | --- |
| source | \`${file.replaceAll("`", "'")}\` |
| sha256 | \`${sha256}\` |
${rows.join("\n")}
| alignment | ${
    liveAlignment
      ? "live: the audio comes one hop late"
      : "as in training: row r hears its own frames"
  } |
| converted by | \`${command}\` |

The model's weights keep their own licence: add it here. The network is that of MaAI and
VAP-Realtime (K. Inoue and others), after E. Ekstedt and G. Skantze, Voice Activity Projection
(2022). See docs/vap.md.
`;
}
