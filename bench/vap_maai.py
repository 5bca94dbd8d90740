"""Times MaAI's own loop for one dialogue on one thread: prints its ms for 100 ms of audio.

usage: vap_maai.py ROWS. Weights are random, of MaAI's sizes. What the package imports for
microphones and windows is not needed, so stand-ins take the place of what is not installed.
"""

import contextlib
import importlib
import os
import statistics
import sys
import tempfile
import time
from unittest.mock import MagicMock

NEEDED = ("maai", "torch", "numpy", "einops")
ROWS_BEFORE = 210  # they fill the attention's window


def load(name):
    """Imports a module of MaAI."""
    while True:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name.split(".")[0] in NEEDED:
                raise
            sys.modules[error.name] = MagicMock()
            for module in [one for one in sys.modules if one.split(".")[0] == "maai"]:
                del sys.modules[module]


model = load("maai.model")
parts = load("maai.encoder_components")
network = load("maai.models.vap")
config = load("maai.models.config")

import numpy as np  # noqa: E402
import torch  # noqa: E402


def start(folder):
    """MaAI on random weights, which it reads from files."""
    cpc, vap = os.path.join(folder, "cpc.pt"), os.path.join(folder, "vap.pt")
    context = parts.CPCAR(256, 256, False, 1, mode="LSTM")
    features = parts.CPCModel(parts.CPCEncoder(256, "layerNorm"), context)
    torch.save({"config": {}, "weights": features.state_dict()}, cpc)
    weights = dict(network.VapGPT(config.VapConfig()).state_dict())
    weights["encoder.downsample.1.weight"] = torch.randn(256, 256, 10) / 50
    weights["encoder.downsample.1.bias"] = torch.zeros(256)
    weights["encoder.downsample.2.ln.weight"] = torch.ones(256)
    weights["encoder.downsample.2.ln.bias"] = torch.zeros(256)
    torch.save(weights, vap)
    return model.Maai(
        mode="vap",
        lang="en",
        audio_ch1=MagicMock(),
        audio_ch2=MagicMock(),
        frame_rate=10,
        context_len_sec=20,
        local_model=vap,
        cpc_model=cpc,
    )


def main(rows):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    noise = np.random.default_rng(1)
    times = []
    with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as folder:
        maai = start(folder)
        for _ in range(ROWS_BEFORE + rows):
            one, two = (noise.standard_normal((2, 1600)) / 20).astype(np.float32)
            started = time.perf_counter()
            maai.process(one, two)
            times.append(1000 * (time.perf_counter() - started))
    print(statistics.median(times[-rows:]))


main(int(sys.argv[1]))
