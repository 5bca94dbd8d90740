"""Writes tests/fixtures/golden/gradients_*.npz: PyTorch's gradients, and running statistics, of one training step.

    python tests/reference/make_gradients.py      (needs what make_golden.py has written)

Loss: mean(z · w) + mean(W_2 h · w), and the latter of the reversed network too, where h is the context network's last layer and
w[i] = sin(0.37 i) over [N · T, Z]. The input is 3 windows of 1600 samples of italian_short.wav, 1600 apart, from sample 8000.
Arrays: `gradient.NAME` for each parameter that the loss depends on, `after.NAME` for each running statistic, and `loss`.
"""

import numpy as np
import torch
from make_golden import GOLDEN, load_model, read_clip, save

MODELS = ["residual", "residual_channel", "cdck6", "channel_lstm"]
WINDOWS, SAMPLES, START, STEP = 3, 1600, 8000, 2


def main():
    clip = torch.from_numpy(read_clip("italian_short.wav")[START : START + WINDOWS * SAMPLES].copy())
    for name in MODELS:
        model = load_model(GOLDEN / "models" / name).double().train()
        z = model.encode(clip.reshape(WINDOWS, SAMPLES))  # [N, T, Z]
        weighting = torch.sin(0.37 * torch.arange(z.numel(), dtype=torch.float64)).reshape(z.shape)
        loss = (z * weighting).mean()
        parts = [(model, z)] + ([(model.reverse, z.flip(1))] if "reverse" in model.config else [])
        for part, latents in parts:
            h = part.context(latents)[0]
            h = h if part is model else h.flip(1)
            loss = loss + (part.predictors[STEP - 1](h) * weighting).mean()
        loss.backward()
        arrays = {f"gradient.{key}": p.grad.numpy() for key, p in model.named_parameters() if p.grad is not None}
        arrays |= {f"after.{key}": b.numpy() for key, b in model.named_buffers() if "running_" in key}
        save(f"gradients_{name}.npz", {**arrays, "loss": np.array([loss.item()])})
        print(name, f"loss {loss.item():.6f},", len(arrays), "arrays")


if __name__ == "__main__":
    main()
