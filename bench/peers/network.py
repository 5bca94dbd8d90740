"""The network of a weights folder in PyTorch: layers with their norms folded in, and their plan.

B streams, T frames, C channels, H hidden width, Z latent width.
"""

import json
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

EPS = 1e-5


@dataclass
class Layer:
    """One convolution with its norm folded in, and how it streams (docs/architecture.md)."""

    weight: Tensor  # [out, in, kernel]
    bias: Tensor  # [out]
    kernel: int
    stride: int
    padding: int
    rows_per_hop: int = 0
    delay_rows: int = 0

    @property
    def tail_rows(self):
        return self.kernel - self.stride


@dataclass
class Gru:
    weight_ih: Tensor  # [3H, Z]
    weight_hh: Tensor  # [3H, H]
    bias_ih: Tensor
    bias_hh: Tensor

    @property
    def hidden(self):
        return self.weight_hh.shape[1]

    def run(self, latent, hidden):
        """latent [B, T, Z], hidden [B, H] → context [B, T, H]"""
        inputs = F.linear(latent, self.weight_ih, self.bias_ih)  # [B, T, 3H]
        contexts = []
        for gates in inputs.unbind(1):
            own = F.linear(hidden, self.weight_hh, self.bias_hh)  # [B, 3H]
            reset, update, new = gates.chunk(3, 1)
            own_reset, own_update, own_new = own.chunk(3, 1)
            reset = torch.sigmoid(reset + own_reset)
            update = torch.sigmoid(update + own_update)
            new = torch.tanh(new + reset * own_new)
            hidden = new + update * (hidden - new)
            contexts.append(hidden)
        return torch.stack(contexts, 1)


class Network:
    def __init__(self, folder):
        config = json.loads((Path(folder) / "config.json").read_text())
        tensors = load_file(Path(folder) / "model.safetensors")
        check(config)
        self.tensors = {name: tensor.float() for name, tensor in tensors.items()}
        self.scale = config.get("input_scale", 1)
        self.layers = [self.folded(i, spec) for i, spec in enumerate(config["encoder"])]
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        self.gru = Gru(*(self.tensors[f"context.{name}"] for name in names))
        self.plan()

    def folded(self, i, spec):
        weight = self.tensors[f"encoder.{i}.conv.weight"]
        bias = self.tensors.get(f"encoder.{i}.conv.bias", torch.zeros(len(weight)))
        names = ("weight", "bias", "running_mean", "running_var")
        gain, shift, mean, variance = (self.tensors[f"encoder.{i}.norm.{name}"] for name in names)
        gain = gain / torch.sqrt(variance + EPS)
        weight, bias = weight * gain[:, None, None], (bias - mean) * gain + shift
        return Layer(weight, bias, spec["kernel"], spec["stride"], spec["padding"])

    def plan(self):
        """What the strides imply: see streamingPlan() in model/architecture.ts."""
        self.hop, self.lookahead = 1, 1
        for layer in self.layers:
            self.lookahead += (layer.kernel - 1 - layer.padding) * self.hop
            self.hop *= layer.stride
        self.delay_frames = max(0, ceil(self.lookahead / self.hop) - 1)
        rows, delay = 1, self.delay_frames
        for layer in reversed(self.layers):
            layer.rows_per_hop, layer.delay_rows = rows, delay
            delay = (delay + 1) * layer.stride + layer.padding - layer.kernel
            rows *= layer.stride
        self.lead = delay
        self.young_hops = max(ceil(one.delay_rows / one.rows_per_hop) for one in self.layers)

    def encode(self, samples):
        """Offline: samples [N] → latents [T, Z], the borders padded."""
        x = samples[None, None] * self.scale
        for layer in self.layers:
            x = F.conv1d(x, layer.weight, layer.bias, layer.stride, layer.padding).relu_()
        return x[0].T

    def exact_frames(self, samples):
        """Frames that no later sample changes."""
        return max(0, (samples - self.lookahead) // self.hop + 1)


def check(config):
    """These peers know the kind of network that cpc-base is."""
    for layer in config["encoder"]:
        if layer["norm"] != "batch" or layer.get("residual_blocks"):
            raise SystemExit("the peers take batch norms and no residual blocks")
        if layer["kernel"] % layer["stride"]:
            raise SystemExit("the peers take kernels of whole strides")
    context = config["context"]
    if context["type"] != "gru" or context["layers"] != 1 or "delay_samples" in config:
        raise SystemExit("the peers take one GRU layer, and no delay")
