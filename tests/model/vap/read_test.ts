import assert from "node:assert/strict";
import { importCheckpoint } from "../../../model/checkpoints/checkpoint.ts";
import type { Tensor } from "../../../model/safetensors.ts";
import { copyDiffers, featuresOf } from "../../../model/vap/cpc.ts";
import type { VapSizes } from "../../../model/vap/network.ts";
import { checkRate, windowRowsOf } from "../../../model/vap/rate.ts";
import { readVap } from "../../../model/vap/read.ts";
import { refused } from "../../support/checkpoints.ts";
import { tinyConfig } from "../../support/models.ts";
import { dict, stateDict, torchZip } from "../../support/torch_writer.ts";
import { vapFixture } from "../../support/vap.ts";

const STEREO = vapFixture("vap_20hz").network;
const MONO = vapFixture("vap_mono_10hz").network;
const SIZES: VapSizes = {
  channels: 2,
  features: 8,
  width: 8,
  heads: 2,
  inner: 24,
  every: 10,
  channelLayers: 1,
  jointLayers: 1,
};

/** A tensor of zeros. */
const zeros = (...shape: number[]): Tensor => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});

/** The file of a network with other tensors in it; undefined leaves one out. */
function file(
  changes: Record<string, Tensor | undefined> = {},
  { tensors } = STEREO,
): Uint8Array<ArrayBuffer> {
  const all = new Map<string, Tensor | undefined>([...tensors, ...Object.entries(changes)]);
  return torchZip(stateDict([...all].flatMap(([name, tensor]) => tensor ? [[name, tensor]] : [])));
}

Deno.test("readVap() learns every size from the tensors, and the heads from the slopes", () => {
  assert.deepEqual(readVap(file()).network, STEREO);
  assert.deepEqual(STEREO.sizes, {
    channels: 2,
    features: 56,
    width: 40,
    heads: 5,
    inner: 120,
    every: 5,
    channelLayers: 2,
    jointLayers: 1,
  });
  assert.deepEqual(readVap(file({}, MONO)).network.sizes, {
    channels: 1,
    features: 64,
    width: 64,
    heads: 4,
    inner: 192,
    every: 10,
    channelLayers: 1,
    jointLayers: 3,
  });
});

Deno.test("readVap() merges {state_dict, encoder_state_dict}: the first has the last word", () => {
  const bias = { shape: [1], data: Float32Array.of(7) };
  const { tensors } = readVap(torchZip(dict({
    encoder_state_dict: stateDict([["va_classifier.bias", bias], ["lid_classifier.bias", bias]]),
    state_dict: stateDict(STEREO.tensors),
    epoch: 3,
  }))).network;
  assert.deepEqual(tensors, STEREO.tensors);
});

Deno.test("readVap() skips what has no part in the answers, and says so", () => {
  const { skipped, cpcCopy } = readVap(file({
    "objective.codebook.emb.weight": zeros(256, 8),
    "lid_classifier_middle.bias": zeros(3),
    "lang_condition.bias": zeros(3),
    "encoder.encoder.gAR.baseNet.bias_ih_l0": zeros(4),
  }));
  assert.deepEqual(skipped, [
    "objective.*",
    "lid_classifier_middle.*",
    "lang_condition.*",
    "encoder.encoder.*",
  ]);
  assert.deepEqual(cpcCopy.untaken, ["gAR.baseNet.bias_ih_l0"]);
});

Deno.test("readVap() refuses other networks by their names", () => {
  const others: [string, RegExp][] = [
    ["encoder.frame_rate_conv.weight", /Mimi/],
    ["transformer.layers.0.weight", /ErikEkstedt\/VAP/],
    ["prompt_head.weight", /vap_prompt/],
    ["prompt_embed1.weight", /vap_prompt/],
    ["nod_head.weight", /nod_para/],
    ["gt_head.weight", /MaAI's nod/],
    ["self_attention.layers.0.ln_ffnetwork.bias", /MaAI's nod/],
    ["bc_head.weight", /MaAI's bc or bc_2type/],
    ["bc_detect_head.weight", /MaAI's bc,/],
    ["bc_classifier.weight", /bc_det/],
    ["absent_embedding", /three speakers/],
  ];
  for (const [name, why] of others) refused(() => readVap(file({ [name]: zeros(1, 40) })), why);
  const headless = { "vap_head.weight": undefined, "vap_head.bias": undefined };
  refused(() => readVap(file(headless)), /MaAI's vad, which has no vap_head/);
  refused(() => readVap(torchZip(stateDict([["a", zeros(1)]]))), /no model of voice activity/);
  refused(() => readVap(torchZip([1])), /does not hold a dict/);
  const bare = [...STEREO.tensors.keys()].filter((name) => name.startsWith("encoder."));
  refused(
    () => readVap(file(Object.fromEntries(bare.map((name) => [name, undefined])))),
    /it has no encoder\.downsample/,
  );
});

Deno.test("readVap() refuses any tensor that is missing, of another shape, or unknown", () => {
  for (const name of STEREO.tensors.keys()) {
    refused(() => readVap(file({ [name]: undefined })), /is missing|vap_head|must have|downsample/);
  }
  refused(
    () => readVap(file({ "ar.combinator.h0_b.weight": undefined })),
    /tensor ar\.combinator\.h0_b\.weight of shape \[40,40\] is missing/,
  );
  refused(() => readVap(file({ "ar.combinator.h0_b.weight": zeros(40, 41) })), /\[40,40\]/);
  refused(() => readVap(file({ "vap_head.weight": zeros(32, 40) })), /has 32 classes/);
  refused(() => readVap(file({ "ar.layers.0.mha.query.bias": zeros(40) })), /query\.bias/);
  refused(
    () => readVap(file({ "ar_channel.layers.0.mha.m": zeros(7) })),
    /multiple of their number/,
  );
  refused(() => readVap(file({ "ar_channel.layers.1.mha.m": zeros(4) })), /\[5\], it has \[4\]/);
  refused(
    () => readVap(file({ "encoder.downsample.1.weight": zeros(56, 56, 0) })),
    /has kernel 0; a row is made of 1 to 100 frames/,
  );
  refused(() => readVap(file({ "lid.weight": zeros(2) })), /lid\.weight.* is not part of/);
});

Deno.test("checkRate() holds the kernel against what the file's name or its user says", () => {
  const rate = (file: string, said?: number, every = 5) => () =>
    checkRate({ ...SIZES, every }, { file, said });
  for (const name of ["vap.pt", "vap_20hz_2500msec.pt", "vap-20.0 Hz.pt", "2500msec.pt"]) {
    rate(name)();
  }
  rate("vap_12.5hz.pt", undefined, 8)();
  rate("vap_10hz.pt", 20)(); // its user knows better
  refused(
    rate("vap_jp_10hz.pt"),
    /its name says 10 Hz, but its convolution of kernel 5 gives 20 rows.*say --frame-rate 20/,
  );
  refused(rate("VAP_3mmz3t0u_50Hz_ad20s_134.pt"), /ErikEkstedt\/VoiceActivityProjection/);
  refused(rate("vap.pt", 50), /--frame-rate says 50 Hz.*padded or overlaps/);
});

Deno.test("windowRowsOf() rounds seconds to rows, as MaAI does", () => {
  const rows = (seconds: number, every: number) => windowRowsOf({ ...SIZES, every }, seconds);
  assert.deepEqual([rows(20, 10), rows(1.5, 2), rows(0.28, 10), rows(0.01, 10)], [200, 75, 3, 1]);
});

const CPC = importCheckpoint(Deno.readFileSync(vapFixture("vap_20hz").cpc));
const { sizes } = STEREO;

Deno.test("featuresOf() keeps the first LSTM layer alone, and says so", () => {
  const model = featuresOf(CPC, { sizes, liveAlignment: false });
  assert.equal(CPC.config.context.layers, 2);
  assert.deepEqual(model.config.context, { type: "lstm", hidden: 56, layers: 1 });
  assert.ok(CPC.tensors.has("context.bias_hh_l1") && !model.tensors.has("context.bias_hh_l1"));
  assert.match(model.notes.join(), /has 2 layers: .* hears the first, the others were dropped/);
  assert.equal(model.config.delay_samples, undefined);
});

Deno.test("featuresOf() live alignment delays the audio by one hop", () => {
  const model = featuresOf(CPC, { sizes, liveAlignment: true });
  assert.equal(model.config.delay_samples, 160);
  assert.match(model.notes.join(), /one hop late/);
});

Deno.test("featuresOf() refuses another kind of network, and other widths", () => {
  const of = (config: Partial<typeof CPC.config>, features = 56) => () =>
    featuresOf({ ...CPC, config: { ...CPC.config, ...config } }, {
      sizes: { ...sizes, features },
      liveAlignment: false,
    });
  refused(of({ context: tinyConfig.context }), /is a GRU, not an LSTM/);
  refused(of({ encoder: tinyConfig.encoder }), /batch norm; MaAI's has channel norm/);
  refused(of({ context: { ...CPC.config.context, hidden: 40 } }), /56 wide and its LSTM 40/);
  refused(of({}, 64), /both must be 64/);
});

Deno.test("copyDiffers() compares a training model's own CPC network with the one in use", () => {
  const fixture = vapFixture("vap_50hz");
  const bytes = Deno.readFileSync(fixture.vap);
  const cpc = featuresOf(importCheckpoint(Deno.readFileSync(fixture.cpc)), {
    sizes: fixture.network.sizes,
    liveAlignment: false,
  });
  assert.equal(copyDiffers(readVap(bytes).cpcCopy, cpc), false);
  for (const name of ["encoder.3.norm.weight", "context.weight_hh_l0"]) {
    const { shape, data } = cpc.tensors.get(name)!;
    const other = { shape, data: data.with(1, data[1] + 1e-6) };
    const changed = { ...cpc, tensors: new Map([...cpc.tensors, [name, other] as const]) };
    assert.equal(copyDiffers(readVap(bytes).cpcCopy, changed), true, name);
  }
  assert.equal(copyDiffers(readVap(file()).cpcCopy, cpc), false); // there is no copy
});
