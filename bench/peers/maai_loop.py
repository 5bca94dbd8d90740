"""MaAI's own encoder in MaAI's own loop: new audio behind the last 320 samples, encoded whole.

Its first and last latent are dropped, and the context network's state is kept. MaAI has channel
norms; here the norms are folded into its convolutions, so that it computes with the same weights.
MaAI's loop serves one dialogue a process, and begins with 320 zeros; this one takes streams one
after the other, and begins as the offline model does, so that outputs can be compared.
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from unittest.mock import MagicMock

import numpy as np
import torch
from in_turn import InTurn

OVERLAP = 320


def load():
    """MaAI's encoder, without what it imports for microphones, windows and downloads."""
    package = ModuleType("maai")
    package.__path__ = importlib.util.find_spec("maai").submodule_search_locations
    sys.modules["maai"] = package
    sys.modules.setdefault("huggingface_hub", MagicMock())
    encoder = importlib.import_module("maai.encoder")
    return encoder, importlib.import_module("maai.encoder_components")


class MaaiLoop(InTurn):
    def __init__(self, network):
        super().__init__(network, Stream)
        encoder, parts = load()
        layers, gru = network.layers, network.gru
        width = layers[-1].weight.shape[0]
        convolutions = parts.CPCEncoder(width)
        for i, layer in enumerate(layers):
            own = getattr(convolutions, f"conv{i}")
            own.weight.data, own.bias.data = layer.weight, layer.bias
            setattr(convolutions, f"batchNorm{i}", torch.nn.Identity())
        context = parts.CPCAR(width, gru.hidden, True, 1, mode="GRU")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(context.baseNet, f"{name}_l0").data = getattr(gru, name)
        self.encoder = encoder.EncoderCPC.__new__(encoder.EncoderCPC)  # its own loads a checkpoint
        torch.nn.Module.__init__(self.encoder)
        self.encoder.encoder = parts.CPCModel(convolutions, context)


class Stream:
    def __init__(self, owner):
        self.owner = owner
        self.samples = np.zeros(0, np.float32)
        self.begun = False
        self.hidden = None

    def push(self, samples):
        self.samples = np.concatenate([self.samples, samples])

    def ready(self):
        return len(self.samples) >= (2 * OVERLAP if self.begun else OVERLAP)

    def rows(self):
        encoder = self.owner.encoder
        usable = len(self.samples) // self.owner.network.hop * self.owner.network.hop
        waveform = torch.from_numpy(self.samples[:usable])[None, None] * self.owner.network.scale
        encoder.encoder.gAR.hidden = self.hidden
        if self.begun:
            context = encoder.forward_shared(waveform)
        else:
            latent = encoder.encoder.gEncoder(waveform).transpose(1, 2)
            context = encoder.encoder.gAR(latent[:, :-1])
            self.begun = True
        self.hidden = encoder.encoder.gAR.hidden
        self.samples = self.samples[usable - OVERLAP :]
        return context[0].numpy()

    def close(self):
        pass
