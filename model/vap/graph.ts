/**
 * The network as an ONNX graph: one row of each dialogue in a call.
 *
 * Every operator works row by row, so a dialogue's rows do not depend on its company. Both channels
 * go through one product, since they share weights. A row's keys and values replace the oldest in a
 * ring, and only then does the row attend to the ring.
 */
import { OnnxBuilder } from "../engines/onnx_builder.ts";
import { Attention, windowOf } from "./attention.ts";
import { answers } from "./answers.ts";
import { Layers } from "./layers.ts";
import { channelLayer, DOWNSAMPLE, jointLayer, type VapNetwork } from "./network.ts";

/**
 * The graph: inputs `features [B, channels, K, C]` and `state.NAME [B, …]`; outputs `p_now`,
 * `p_future`, `vad` `[B, channels]` and `next.NAME [B, …]`.
 *
 * @param options `windowRows`: N
 */
export function vapGraph(network: VapNetwork, { windowRows }: { windowRows: number }): Uint8Array {
  const { sizes } = network;
  const { channels, features, every, width } = sizes;
  const b = new OnnxBuilder();
  const layers = new Layers(b, network);
  const audio = b.input("features", ["B", channels, every, features]);
  const attention = new Attention(b, { layers, sizes, window: windowOf(b, windowRows) });

  const frames = b.reshape(audio, [0, channels, every * features]); // [B, channels, K · C]
  let x = layers.gelu(layers.norm(layers.downsample(frames), `${DOWNSAMPLE}.2.ln`));
  if (features !== width) x = b.node("Relu", [layers.linear(x, "decrease_dimension")]);
  for (let l = 0; l < sizes.channelLayers; l++) {
    const at = channelLayer(l);
    const y = layers.add(
      x,
      attention.self(layers.norm(x, `${at}.ln_self_attn`), {
        name: `channel.${l}.self`,
        at: `${at}.mha`,
      }),
    );
    x = layers.add(y, layers.feedForward(y, at));
  }
  for (let l = 0; l < sizes.jointLayers; l++) {
    const at = jointLayer(l);
    let y = layers.add(
      x,
      attention.self(layers.norm(x, `${at}.ln_self_attn`), {
        name: `joint.${l}.self`,
        at: `${at}.mha`,
      }),
    );
    if (channels === 2) {
      const heard = attention.cross(layers.norm(y, `${at}.ln_src_attn`), {
        source: layers.exchanged(x), // the other's input of this layer, as it is
        name: `joint.${l}.cross`,
        at: `${at}.mha_cross`,
      });
      y = layers.add(y, heard);
    }
    x = layers.add(y, layers.feedForward(y, at));
  }
  answers(b, x, { layers, sizes });
  return b.encode();
}
