"""Writes tests/fixtures/golden/gradients_*.npz: PyTorch's gradients of one training step.

    python tests/reference/make_gradients.py      (needs what make_golden.py has written)

Loss: mean(z · w) + mean(W_2 h · w), where h is the context network's last layer and
w[i] = sin(0.37 i) over [N · T, Z]; of CDCK6 the same again with its reversed network over the
time-reversed samples, which batch norm sees as a batch of their own, after. The input is 3 windows
of 1600 samples of italian_short.wav, 1600 apart, from sample 8000. Arrays: `gradient.NAME` for each
parameter that the loss depends on, `after.NAME` for each running statistic, and `loss`.
"""

import numpy as np
import torch
from make_golden import GOLDEN, load_model, read_clip, save

MODELS = ["residual", "residual_channel", "cdck6", "channel_lstm"]
WINDOWS, SAMPLES, START, STEP = 3, 1600, 8000, 2


def main():
    clip = torch.from_numpy(
        read_clip("italian_short.wav")[START : START + WINDOWS * SAMPLES].copy()
    )
    for name in MODELS:
        model = load_model(GOLDEN / "models" / name).double().train()
        x = clip.reshape(WINDOWS, SAMPLES)
        loss = 0
        for part, samples in [(model, x)] + (
            [(model.reverse, x.flip(1))] if "reverse" in model.config else []
        ):
            z = model.encode(samples)  # [N, T, Z]
            weighting = torch.sin(0.37 * torch.arange(z.numel(), dtype=torch.float64)).reshape(
                z.shape
            )
            loss = (
                loss
                + (z * weighting).mean()
                + (part.predictors[STEP - 1](part.context(z)[0]) * weighting).mean()
            )
        loss.backward()
        arrays = {
            f"gradient.{key}": p.grad.numpy()
            for key, p in model.named_parameters()
            if p.grad is not None
        }
        arrays |= {
            f"after.{key}": b.numpy() for key, b in model.named_buffers() if "running_" in key
        }
        save(f"gradients_{name}.npz", {**arrays, "loss": np.array([loss.item()])})
        print(name, f"loss {loss.item():.6f},", len(arrays), "arrays")


if __name__ == "__main__":
    main()
