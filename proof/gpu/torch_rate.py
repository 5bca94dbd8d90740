"""PyTorch with the architecture and the batches of a training configuration: one line of JSON.

    python3 proof/gpu/torch_rate.py training/configs/cpc-base-gpu.json [SECONDS]

Seconds of audio per second, forward over recordings and in training, in fp32 with TF32 off: on the
card that CUDA finds, else on the CPU. Weights and audio are random: only the time counts.
"""

import json
import sys
import time

import torch
from torch import nn

RATE = 16_000


class Encoder(nn.Module):
    """x [N, samples] -> z [N, T, Z]"""

    def __init__(self, layers):
        super().__init__()
        parts, inputs = [], 1
        for layer in layers:
            if layer["norm"] != "batch" or layer.get("residual_blocks"):
                raise SystemExit("torch_rate.py knows plain encoders with batch norm only")
            outputs = layer["channels"]
            parts += [
                nn.Conv1d(
                    inputs, outputs, layer["kernel"], layer["stride"], layer["padding"], bias=False
                ),
                nn.BatchNorm1d(outputs),
                nn.ReLU(),
            ]
            inputs = outputs
        self.layers = nn.Sequential(*parts)

    def forward(self, x):
        return self.layers(x[:, None]).transpose(1, 2)


class Cpc(nn.Module):
    """Encoder, GRU and K linear predictors."""

    def __init__(self, config):
        super().__init__()
        context = config["context"]
        if context["type"] != "gru":
            raise SystemExit("torch_rate.py knows a GRU only")
        width = config["encoder"][-1]["channels"]
        self.encoder = Encoder(config["encoder"])
        self.gru = nn.GRU(width, context["hidden"], context["layers"], batch_first=True)
        self.predictors = nn.ModuleList(
            nn.Linear(context["hidden"], width, bias=False)
            for _ in range(config["predictors"]["steps"])
        )

    def forward(self, x):
        z = self.encoder(x)
        return z, self.gru(z)[0]

    def loss(self, x, negatives):
        """InfoNCE of all t and k against the same rows of the batch."""
        z, c = self(x)
        n, frames, width = z.shape
        steps = len(self.predictors)
        rows = torch.randint(n * frames, (negatives,), device=x.device)
        others = z.reshape(-1, width)[rows]  # [M, Z]
        context = c[:, : frames - steps].reshape(-1, c.shape[2])
        losses = []
        for k, predictor in enumerate(self.predictors, 1):
            prediction = predictor(context)
            target = z[:, k : k + frames - steps].reshape(-1, width)
            positive = (prediction * target).sum(1, keepdim=True)
            scores = torch.cat([positive, prediction @ others.T], 1)
            losses.append(-scores.log_softmax(1)[:, 0].mean())
        return torch.stack(losses).mean()


def rate_of(audio_seconds, work, seconds):
    """Seconds of audio per second over calls of some seconds, after two that are not counted."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    for _ in range(2):
        work()
    wait()
    began, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - began < seconds:
        work()
        calls += 1
    wait()
    return calls * audio_seconds / (time.perf_counter() - began)


def main(path, seconds=10.0):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = json.load(open(path))
    defaults = {"voices": 8, "windows_per_voice": 1, "window_samples": 20_480}
    batch = defaults | config.get("batch", {})
    windows, samples = batch["voices"] * batch["windows_per_voice"], batch["window_samples"]
    model = Cpc(config["model"]).to(device)
    noise = lambda *shape: torch.randn(*shape, device=device) * 0.05
    rates = {}
    model.eval()
    for count in (1, 64) if device == "cuda" else (1,):
        x = noise(count, 10 * RATE)
        with torch.inference_mode():
            rates[f"{count} x 10 s"] = rate_of(count * 10, lambda: model(x), seconds)
    model.train()
    x, adam = noise(windows, samples), torch.optim.Adam(model.parameters(), lr=1e-4)

    def step():
        adam.zero_grad(set_to_none=True)
        model.loss(x, config.get("negatives", {}).get("batch", 128)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        adam.step()

    rates["training"] = rate_of(windows * samples / RATE, step, seconds)
    name = torch.cuda.get_device_name() if device == "cuda" else "the CPU"
    print(json.dumps({"torch": torch.__version__, "device": name, "rates": rates}))


main(sys.argv[1], *map(float, sys.argv[2:3]))
