"""Writes tests/fixtures/golden: small models, and what PyTorch computes with them and cpc-base.

    pip install torch numpy safetensors
    python tests/reference/make_golden.py

Everything is computed in float64 and stored as float32; the float32 run of PyTorch beside it gives
the floor for a tolerance. See README.md in this folder. Legend: N windows, T frames, Z latent
width, H context width, K prediction steps, L layers.
"""

import json
import warnings
import wave
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
SPEECH = ROOT / "tests/fixtures/speech"
GOLDEN = ROOT / "tests/fixtures/golden"
EPS = 1e-5
CLIPS = ["italian_short.wav", "italian_long.wav", "russian.wav", "synthetic_english.wav"]


# --- the model, of PyTorch's own modules; names are those of the weights folder ---


class ChannelNorm(nn.Module):
    """Normalises each frame over its channels, with the unbiased variance. [N, C, T] → [N, C, T]"""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        variance, mean = torch.var_mean(x, dim=1, correction=1, keepdim=True)  # [N, 1, T]
        return (x - mean) * torch.rsqrt(variance + EPS) * self.weight[:, None] + self.bias[:, None]


def make_norm(kind, channels):
    if kind == "none":
        return nn.Identity()
    return nn.BatchNorm1d(channels, eps=EPS) if kind == "batch" else ChannelNorm(channels)


class ResidualBlock(nn.Module):
    """relu(norm2(conv2(relu(norm1(conv1(x))))) + x)"""

    def __init__(self, channels, norm, bias):
        super().__init__()
        self.conv1 = nn.Conv1d(channels, channels, 3, padding=1, bias=bias)
        self.norm1 = make_norm(norm, channels)
        self.conv2 = nn.Conv1d(channels, channels, 3, padding=1, bias=bias)
        self.norm2 = make_norm(norm, channels)

    def forward(self, x):
        return torch.relu(self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x))))) + x)


class EncoderLayer(nn.Module):
    def __init__(self, in_channels, layer, bias):
        super().__init__()
        out = layer["channels"]
        self.conv = nn.Conv1d(in_channels, out, layer["kernel"], layer["stride"], layer["padding"], bias=bias)
        self.norm = make_norm(layer["norm"], out)
        self.residual = nn.ModuleList(ResidualBlock(out, layer["norm"], bias) for _ in range(layer.get("residual_blocks", 0)))

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        for block in self.residual:
            x = block(x)
        return x


class ContextPart(nn.Module):
    """A context network and its predictors."""

    def __init__(self, latent, context, predictors, predictor_bias):
        super().__init__()
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[context["type"]]
        self.context = kind(latent, context["hidden"], context["layers"], batch_first=True)
        steps = predictors["steps"] if predictors else 0
        self.predictors = nn.ModuleList(nn.Linear(context["hidden"], latent, bias=predictor_bias) for _ in range(steps))

    def layer_output(self, z, layer):
        """What layer `layer` (1-based) gives: the first layers alone. [N, T, Z] → [N, T, H]"""
        whole = self.context
        part = type(whole)(whole.input_size, whole.hidden_size, layer, batch_first=True).to(z.dtype)
        part.load_state_dict({name: value for name, value in whole.state_dict().items() if name in part.state_dict()})
        return part(z)[0]

    def predict(self, c):
        """[..., H] → [..., K, Z]"""
        return torch.stack([linear(c) for linear in self.predictors], dim=-2)


class Cpc(ContextPart):
    def __init__(self, config, conv_bias, predictor_bias):
        latent = config["encoder"][-1]["channels"]
        super().__init__(latent, config["context"], config["predictors"], predictor_bias)
        self.config = config
        widths = [1] + [layer["channels"] for layer in config["encoder"]]
        self.encoder = nn.ModuleList(EncoderLayer(n, layer, conv_bias) for n, layer in zip(widths, config["encoder"]))
        if "reverse" in config:
            self.reverse = ContextPart(latent, config["reverse"]["context"], config["reverse"]["predictors"], predictor_bias)

    def encode(self, x):
        """Audio [N, samples], before input_scale → z [N, T, Z]"""
        x = x[:, None] * self.config.get("input_scale", 1)
        for layer in self.encoder:
            x = layer(x)
        return x.transpose(1, 2)


def load_model(folder):
    config = json.loads((folder / "config.json").read_text())
    tensors = load_file(folder / "model.safetensors")
    model = Cpc(config, "encoder.0.conv.bias" in tensors, "predictors.0.bias" in tensors)
    expected = {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    assert expected == set(tensors), expected ^ set(tensors)
    model.load_state_dict({name: value.float() for name, value in tensors.items()}, strict=False)
    return model.eval()


# --- small models with random weights ---


def layers(kernels, strides, paddings, channels, norms, blocks=None):
    n = len(kernels)
    channels = channels if isinstance(channels, list) else [channels] * n
    norms = norms if isinstance(norms, list) else [norms] * n
    keys = ["kernel", "stride", "padding", "channels", "norm"]
    stack = [dict(zip(keys, values)) for values in zip(kernels, strides, paddings, channels, norms)]
    for layer, count in zip(stack, blocks or []):
        if count:
            layer["residual_blocks"] = count
    return stack


def context(kind, hidden, count=1, **more):
    return {"type": kind, "hidden": hidden, "layers": count, **more}


def steps(count):
    return {"steps": count, "type": "linear"}


CPC_STACK = ([10, 8, 4, 4, 4], [5, 4, 2, 2, 2], [3, 2, 1, 1, 1])

# name: (seed, conv bias, predictor bias, config)
SMALL_MODELS = {
    "odd_strides": (101, True, True, {
        "encoder": layers([7, 5, 3], [3, 2, 1], [0, 2, 1], [12, 16, 20], ["batch", "channel", "none"]),
        "context": context("gru", 18, 2), "predictors": steps(3)}),
    "channel_lstm": (102, True, False, {
        "encoder": layers(*CPC_STACK, 24, "channel"),
        "context": context("lstm", 20, 2, output_layer=1), "predictors": steps(4)}),
    "residual": (103, False, False, {
        "encoder": layers([10, 8, 4], [5, 4, 2], [3, 2, 1], [16, 20, 20], "batch", [0, 2, 1]),
        "context": context("gru", 16), "predictors": steps(3)}),
    "residual_channel": (104, True, True, {
        "encoder": layers([5, 6, 3], [4, 3, 2], [2, 1, 0], [10, 12, 14], ["channel", "none", "batch"], [1, 1, 1]),
        "context": context("gru", 12), "predictors": steps(2)}),
    "no_predictors": (105, False, False, {
        "encoder": layers([4, 1, 9], [4, 1, 8], [0, 0, 0], [12, 16, 16], "batch"),
        "context": context("gru", 16), "predictors": None}),
    "kernel_below_stride": (106, True, False, {
        "encoder": layers([2, 3, 5], [3, 4, 2], [1, 0, 4], [12, 16, 16], ["batch", "none", "channel"]),
        "context": context("gru", 14), "predictors": steps(2)}),
    "single_layer": (107, True, True, {
        "encoder": layers([400], [160], [0], [24], "channel"),
        "context": context("lstm", 16), "predictors": steps(2)}),
    "cdck6": (108, False, True, {
        "encoder": layers(*CPC_STACK, 20, "batch"),
        "context": context("gru", 12), "predictors": steps(12),
        "reverse": {"context": context("gru", 12), "predictors": steps(12)}}),
    "fp16": (109, False, True, {
        "encoder": layers(*CPC_STACK, 24, "batch"),
        "context": context("gru", 16), "predictors": steps(12)}),
    "input_scale": (110, False, False, {
        "encoder": layers(*CPC_STACK, 20, "batch"),
        "context": context("gru", 16), "input_scale": 32768, "predictors": steps(4)}),
    "cdck5": (111, False, True, {
        "encoder": layers(*CPC_STACK, 16, "batch"),
        "context": context("gru", 40, 2), "predictors": steps(12)}),
    "residual_everywhere": (112, False, False, {
        "encoder": layers(*CPC_STACK, 12, ["batch", "channel", "batch", "channel", "batch"], [1, 1, 2, 1, 1]),
        "context": context("gru", 16), "predictors": steps(3)}),
}


def random_tensor(name, shape, rng, config):
    """A random value for a tensor: activations stay of order one, and no part of a norm is neutral."""
    loud = config.get("input_scale", 1) * 0.15 if name.startswith("encoder.0.norm") else 1  # of the fixtures' RMS
    part = name.rsplit(".", 1)[1]
    if part == "running_mean":
        return rng.normal(0, 0.3 * loud, shape)
    if part == "running_var":
        return rng.uniform(0.4, 2, shape) * loud**2
    if "norm" in name:
        return rng.uniform(0.5, 1.5, shape) if part == "weight" else rng.normal(0, 0.3, shape)
    if "conv" in name:
        fan_in = int(np.prod(shape[1:]))
        return rng.normal(0, np.sqrt(2 / fan_in), shape) if part == "weight" else rng.normal(0, 0.2, shape)
    if "predictors" in name:
        return rng.normal(0, 1.5 / np.sqrt(shape[-1]), shape) if part == "weight" else rng.normal(0, 0.2, shape)
    return rng.normal(0, 1 / np.sqrt(shape[-1]), shape) if part.startswith("weight") else rng.normal(0, 0.2, shape)


def write_model(name):
    seed, conv_bias, predictor_bias, config = SMALL_MODELS[name]
    config = {"sample_rate": 16000, **config}
    rng = np.random.RandomState(seed)  # its streams are frozen, whatever the version of numpy
    tensors = {}
    for key, value in Cpc(config, conv_bias, predictor_bias).state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        tensor = torch.from_numpy(np.asarray(random_tensor(key, tuple(value.shape), rng, config), np.float32))
        tensors[key] = tensor.half() if name == "fp16" and "running_" not in key else tensor
    folder = GOLDEN / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save_file(tensors, folder / "model.safetensors")


# --- what is stored ---


def read_clip(name):
    with wave.open(str(SPEECH / name)) as f:
        assert (f.getframerate(), f.getnchannels(), f.getsampwidth()) == (16000, 1, 2)
        return np.frombuffer(f.readframes(f.getnframes()), "<i2") / 32768.0  # float64


def in_both_precisions(compute, model):
    """Runs compute(model, dtype) in float64 and float32; returns the former and their differences."""
    with torch.inference_mode():
        exact = {k: v.numpy() for k, v in compute(model.double(), torch.float64).items()}
        rounded = {k: v.numpy() for k, v in compute(model.float(), torch.float32).items()}
    differences = {k: float(f"{np.abs(exact[k] - rounded[k]).max():.3g}") for k in exact}
    return exact, differences


def save(name, arrays):
    """An uncompressed .npz: float32, and int32 for indices."""
    narrow = {k: np.ascontiguousarray(v, np.int32 if np.asarray(v).dtype.kind == "i" else np.float32) for k, v in arrays.items()}
    np.savez(GOLDEN / name, **narrow)
    return {"file": name, "arrays": {k: list(v.shape) for k, v in narrow.items()}}


def report(name, differences, note=""):
    print(f"{name:44}", "fp32 vs fp64:", {k: f"{v:.1e}" for k, v in differences.items()}, note, flush=True)


def models_by_name():
    models = {"cpc-base": ("weights/cpc-base", load_model(ROOT / "weights/cpc-base"))}
    for name in SMALL_MODELS:
        write_model(name)
        models[name] = (f"tests/fixtures/golden/models/{name}", load_model(GOLDEN / "models" / name))
    return models


# --- features: latent, context, prediction of one clip ---

FEATURE_CASES = [  # model, clip, first sample, samples (None: to the end)
    ("cpc-base", "italian_short.wav", 0, None),
    ("cpc-base", "russian.wav", 8000, 32001),
    ("odd_strides", "italian_short.wav", 4000, 2003),
    ("channel_lstm", "italian_long.wav", 5000, 30007),
    ("channel_lstm", "russian.wav", 9000, 159),  # the fewest samples that give a frame
    ("channel_lstm", "synthetic_english.wav", 0, 20480),
    ("residual", "russian.wav", 8000, 10411),
    ("residual_channel", "italian_short.wav", 2000, 8009),
    ("no_predictors", "synthetic_english.wav", 3000, 12345),
    ("kernel_below_stride", "russian.wav", 6000, 9002),
    ("single_layer", "italian_short.wav", 0, None),
    ("cdck6", "russian.wav", 0, 32777),
    ("fp16", "italian_long.wav", 20000, 30011),
    ("input_scale", "italian_short.wav", 0, None),
    ("cdck5", "russian.wav", 4000, 24001),
    ("residual_everywhere", "italian_short.wav", 3000, 12003),
]


def features(model, samples, dtype):
    z = model.encode(torch.tensor(samples, dtype=dtype)[None])  # [1, T, Z]
    config = model.config["context"]
    out = {"latent": z[0], "context": model.layer_output(z, config.get("output_layer", config["layers"]))[0]}
    if len(model.predictors):
        out["prediction"] = model.predict(model.context(z)[0])[0]  # [T, K, Z], of the last layer
    if "reverse" in model.config:
        backward = model.reverse.context(model.encode(torch.tensor(samples[::-1].copy(), dtype=dtype)[None]))[0]  # [1, T, H]
        out |= {"reverse_context": backward[0], "reverse_prediction": model.reverse.predict(backward)[0]}
    return out


def feature_case(models, model_name, wav, start, count):
    folder, model = models[model_name]
    samples = read_clip(wav)[start:][:count]
    exact, differences = in_both_precisions(lambda m, dtype: features(m, samples, dtype), model)
    frames = len(exact["latent"])
    full_frames = np.unique(np.linspace([0, 1, 2], [frames - 3, frames - 2, frames - 1], 4).clip(0, frames - 1).astype(int))
    prediction_frames = np.unique([0, frames // 2, frames - 1])
    arrays = {"full_frames": full_frames, "prediction_frames": prediction_frames}
    for key, value in exact.items():
        if key.endswith("prediction"):
            arrays[key] = value[prediction_frames]
            continue
        width = value.shape[1]  # wide outputs: every frame of some channels, and some frames whole
        channels = np.arange(width) if width <= 64 else np.union1d(np.arange(16), np.arange(0, width, 16))
        arrays |= {f"{key}_channels": channels, key: value[:, channels], f"{key}_full": value[full_frames]}
    name = f"features_{model_name.replace('-', '_')}_{Path(wav).stem}" + ("_one_frame" if frames == 1 else "")
    report(name, differences, f"T {frames}, std " + " ".join(f"{k} {v.std():.2f}" for k, v in exact.items()))
    return {
        "name": name, "model": folder, "wav": wav, "start": start, "samples": len(samples), "frames": frames,
        "seed": SMALL_MODELS[model_name][0] if model_name in SMALL_MODELS else None,
        **save(f"{name}.npz", arrays), "fp32_vs_fp64": differences,
    }


# --- the objective as the original has it: one t, negatives from that frame of other windows ---


def random_windows(seed, count, length):
    rng = np.random.RandomState(seed)
    found = []
    while len(found) < count:
        wav = CLIPS[len(found) % len(CLIPS)]
        start = int(rng.randint(len(read_clip(wav)) - length))
        if read_clip(wav)[start : start + length].std() > 0.01:  # not silence
            found.append({"wav": wav, "start": start})
    return found


def windows_in_order(length):
    """Every clip from its beginning in whole windows: as POST /v1/score cuts."""
    return [{"wav": wav, "start": start} for wav in CLIPS for start in range(0, len(read_clip(wav)) - length + 1, length)]


def read_windows(windows, length, dtype):
    return torch.tensor(np.stack([read_clip(w["wav"])[w["start"] :][:length] for w in windows]), dtype=dtype)  # [N, samples]


def figures(z, predictions, t):
    """total [K, N, N], nce, accuracy of every step at frame t. z [N, T, Z], predictions [N, K, Z]"""
    softmax, log_softmax = nn.Softmax(dim=1), nn.LogSoftmax(dim=1)  # what nn.Softmax() and nn.LogSoftmax() take for 2-D
    own = torch.arange(len(z))
    total = torch.stack([z[:, t + k + 1] @ predictions[:, k].T for k in range(predictions.shape[1])])
    return {
        "total": total,
        "nce_k": torch.stack([-torch.diag(log_softmax(x)).mean() for x in total]),
        "accuracy_k": torch.stack([(torch.argmax(softmax(x), dim=0) == own).to(x.dtype).mean() for x in total]),
    }


def original_forward(part, z, t, hidden):
    output, state = part.context(z[:, : t + 1], hidden)  # output [N, t + 1, H]
    return figures(z, part.predict(output[:, t]), t), state


def both_networks(model, x, t):
    """CDCK6's own figures: both networks at one t, the reversed one over the time-reversed samples."""
    n, nce, correct, nce_k, accuracy_k = len(x), 0, 0, [], []
    for part, samples in ((model, x), (model.reverse, x.flip(1))):
        z = model.encode(samples)
        each = figures(z, part.predict(part.context(z[:, : t + 1])[0][:, t]), t)
        for scores in each["total"]:
            nce = nce + torch.diag(torch.log_softmax(scores, 1)).sum()
        correct = correct + (torch.argmax(torch.softmax(each["total"][-1], 1), dim=0) == torch.arange(n)).sum()
        nce_k.append(each["nce_k"])
        accuracy_k.append(each["accuracy_k"])
    return {
        "nce": nce / (-n * len(model.predictors)) / 2, "accuracy": correct / (2 * n), "frames": torch.tensor(z.shape[1]),
        "nce_k": torch.stack(nce_k).mean(0), "accuracy_k": torch.stack(accuracy_k).mean(0),
    }


def objective(model, x, case):
    """Results of one case, for windows x [N, samples]."""
    if case.get("reverse") == "both":
        return both_networks(model, x, case["t"])
    dtype = x.dtype
    z = model.encode(x.flip(1) if case.get("reverse") else x)
    part = model.reverse if case.get("reverse") else model
    n_steps = len(part.predictors)
    if case["t"] == "all":  # means over t = 0 … T − K − 1
        hidden = part.context(z)[0]  # [N, T, H]
        each = [figures(z, part.predict(hidden[:, t]), t) for t in range(z.shape[1] - n_steps)]
        out = {k: torch.stack([f[k] for f in each]).mean(0) for k in ("nce_k", "accuracy_k")}
    else:
        shape = (part.context.num_layers, len(x), part.context.hidden_size)
        rng = np.random.RandomState(case["seed"])
        size = 0.9 if case["hidden"] == "random" else 0
        hidden_in, cell_in = (torch.tensor(rng.uniform(-size, size, shape).astype(np.float32), dtype=dtype) for _ in range(2))
        lstm = isinstance(part.context, nn.LSTM)
        t = z.shape[1] - n_steps - 1 if case["t"] == "last" else case["t"]
        out, state = original_forward(part, z, t, (hidden_in, cell_in) if lstm else hidden_in)
        out |= {"hidden_in": hidden_in, "hidden_out": state[0] if lstm else state}  # [L, N, H]
        if lstm:
            out |= {"cell_in": cell_in, "cell_out": state[1]}
    return out | {"nce": out["nce_k"].mean(), "accuracy": out["accuracy_k"][-1], "frames": torch.tensor(z.shape[1])}


# `n` None: all clips in order. The seeds of the first two are picked so that no accuracy hangs on
# log-probabilities closer than 1e-3.
OBJECTIVE_CASES = [
    {"name": "cpc_base_middle", "model": "cpc-base", "n": 8, "window": 20480, "t": 57, "hidden": "zero", "seed": 205},
    {"name": "cpc_base_last_t", "model": "cpc-base", "n": 8, "window": 20480, "t": "last", "hidden": "random", "seed": 201},
    {"name": "cpc_base_clips_in_order", "model": "cpc-base", "n": None, "window": 20480, "t": 60, "hidden": "zero", "seed": 203},
    {"name": "cpc_base_clips_in_order_all_t", "model": "cpc-base", "n": None, "window": 20480,
     "t": "all", "hidden": "zero", "seed": 203},
    {"name": "gru2_first_t", "model": "odd_strides", "n": 8, "window": 1200, "t": 0, "hidden": "zero", "seed": 204},
    {"name": "gru2_middle", "model": "odd_strides", "n": 8, "window": 1200, "t": 101, "hidden": "random", "seed": 205},
    {"name": "gru2_last_t", "model": "odd_strides", "n": 8, "window": 1200, "t": "last", "hidden": "random", "seed": 206},
    {"name": "gru2_two_windows", "model": "odd_strides", "n": 2, "window": 1200, "t": 33, "hidden": "zero", "seed": 207},
    {"name": "lstm_middle", "model": "channel_lstm", "n": 8, "window": 5120, "t": 17, "hidden": "random", "seed": 208},
    {"name": "lstm_two_windows_last_t", "model": "channel_lstm", "n": 2, "window": 5120,
     "t": "last", "hidden": "zero", "seed": 209},
    {"name": "residual_all_t", "model": "residual", "n": 8, "window": 2000, "t": "all", "hidden": "zero", "seed": 210},
    {"name": "cdck6_forward", "model": "cdck6", "n": 8, "window": 20480, "t": 40, "hidden": "zero", "seed": 211},
    {"name": "cdck6_reverse", "model": "cdck6", "n": 8, "window": 20480,
     "t": 40, "hidden": "zero", "seed": 211, "reverse": "alone"},
    {"name": "cdck6_both", "model": "cdck6", "n": 8, "window": 20480,
     "t": 40, "hidden": "zero", "seed": 211, "reverse": "both"},
    {"name": "cdck5_middle", "model": "cdck5", "n": 8, "window": 20480, "t": 61, "hidden": "random", "seed": 212},
    {"name": "residual_everywhere_middle", "model": "residual_everywhere", "n": 8, "window": 10240,
     "t": 30, "hidden": "zero", "seed": 213},
]


def objective_case(models, case):
    folder, model = models[case["model"]]
    length = case["window"]
    windows = random_windows(case["seed"], case["n"], length) if case["n"] else windows_in_order(length)
    exact, differences = in_both_precisions(lambda m, dtype: objective(m, read_windows(windows, length, dtype), case), model)
    frames = int(exact.pop("frames"))
    differences.pop("frames")
    nce, accuracy = float(exact.pop("nce")), float(exact.pop("accuracy"))
    n_steps = len(exact["nce_k"])
    t = frames - n_steps - 1 if case["t"] == "last" else case["t"]
    name = f"objective_{case['name']}"
    report(name, differences, f"nce {nce:.4f} accuracy {accuracy:.3f}")
    return {
        "name": name, "model": folder, "seed": case["seed"], "windows": windows, "window": length, "frames": frames,
        "t": t, "reverse": case.get("reverse"), "nce": nce, "accuracy": accuracy,
        **save(f"{name}.npz", exact), "fp32_vs_fp64": differences,
    }


# --- the objective over all t with sampled negatives ---


def sampled(model, x, negatives, shared):
    """nce and correctness [K, N, S] for t = 0 … S − 1, S = T − K.

    Negatives are rows of z seen as [N · T, Z]: [K, N, S, M], or [M] of them for all positions, where
    a negative that is the positive itself scores −inf.
    """
    z = model.encode(x)  # [N, T, Z]
    n, frames, width = z.shape
    n_steps = len(model.predictors)
    times = frames - n_steps
    predictions = model.predict(model.context(z)[0][:, :times])  # [N, S, K, Z]
    rows = z.reshape(n * frames, width)
    out = {"nce_each": [], "correct_each": []}
    for k in range(n_steps):
        own = torch.arange(n)[:, None] * frames + torch.arange(times) + k + 1  # [N, S]: the positives' rows
        w = predictions[:, :, k]  # [N, S, Z]
        positive = (w * rows[own]).sum(-1, keepdim=True)  # [N, S, 1]
        if shared:
            scores = (w @ rows[negatives].T).masked_fill(own[..., None] == negatives, -torch.inf)  # [N, S, M]
        else:
            scores = torch.einsum("nsz,nsmz->nsm", w, rows[negatives[k]])
        logits = torch.cat([positive, scores], -1)  # [N, S, 1 + M]
        out["nce_each"].append(-torch.log_softmax(logits, -1)[..., 0])
        out["correct_each"].append((logits.argmax(-1) == 0).to(z.dtype))
    out = {key: torch.stack(value) for key, value in out.items()}
    return out | {"nce_k": out["nce_each"].mean((1, 2)), "accuracy_k": out["correct_each"].mean((1, 2))}


NEGATIVES_CASES = [
    {"name": "cpc_base_shared", "model": "cpc-base", "n": 4, "window": 20480, "count": 128, "shared": True, "seed": 301},
    {"name": "gru2_shared", "model": "odd_strides", "n": 4, "window": 600, "count": 128, "shared": True, "seed": 302},
    {"name": "gru2_each", "model": "odd_strides", "n": 4, "window": 240, "count": 16, "shared": False, "seed": 303},
    {"name": "residual_each", "model": "residual", "n": 3, "window": 1000, "count": 16, "shared": False, "seed": 304},
    {"name": "lstm_shared", "model": "channel_lstm", "n": 4, "window": 5120, "count": 64, "shared": True, "seed": 305},
]


def draw_negatives(case, n, frames, n_steps):
    rng = np.random.RandomState(case["seed"] + 1000)
    if case["shared"]:
        return rng.choice(n * frames, case["count"], replace=False)  # [M]
    times = frames - n_steps
    own = np.arange(n)[:, None] * frames + np.arange(times) + np.arange(1, n_steps + 1)[:, None, None]  # [K, N, S]
    drawn = rng.randint(n * frames - 1, size=(*own.shape, case["count"]))  # [K, N, S, M]
    return drawn + (drawn >= own[..., None])  # skips the positive


def negatives_case(models, case):
    folder, model = models[case["model"]]
    windows = random_windows(case["seed"], case["n"], case["window"])
    x = read_windows(windows, case["window"], torch.float32)
    with torch.inference_mode():
        frames = model.float().encode(x).shape[1]
    negatives = draw_negatives(case, len(windows), frames, len(model.predictors))
    indices = torch.from_numpy(negatives)
    exact, differences = in_both_precisions(lambda m, dtype: sampled(m, x.to(dtype), indices, case["shared"]), model)
    nce = float(exact["nce_k"].mean())
    name = f"negatives_{case['name']}"
    report(name, differences, f"nce {nce:.4f} accuracy {exact['accuracy_k'].round(3)[:4]}")
    exact.pop("correct_each")
    return {
        "name": name, "model": folder, "seed": case["seed"], "windows": windows, "window": case["window"], "frames": frames,
        "shared": case["shared"], "negatives": case["count"], "nce": nce,
        **save(f"{name}.npz", {"negatives": negatives, **exact}), "fp32_vs_fp64": differences,
    }


def main():
    torch.set_num_threads(1)
    with warnings.catch_warnings():  # the implicit dimension of the original's softmaxes is 1 on 2-D input
        warnings.simplefilter("ignore")
        probe = torch.randn(3, 3)
        assert torch.equal(nn.Softmax()(probe), nn.Softmax(dim=1)(probe))
        assert torch.equal(nn.LogSoftmax()(probe), nn.LogSoftmax(dim=1)(probe))
    models = models_by_name()
    index = {
        "made_with": {"torch": torch.__version__.split("+")[0], "numpy": np.__version__},
        "features": [feature_case(models, *case) for case in FEATURE_CASES],
        "objective": [objective_case(models, case) for case in OBJECTIVE_CASES],
        "negatives": [negatives_case(models, case) for case in NEGATIVES_CASES],
    }
    (GOLDEN / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
