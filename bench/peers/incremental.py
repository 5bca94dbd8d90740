"""PyTorch, incremental and batched: a step takes the new hops of all streams that have some.

Each layer keeps the end of its input, so nothing is computed twice, and is one matrix product over
all streams and rows.
"""

import torch

SLOTS = 256
MOST_HOPS = 4  # of a stream in one step


class Incremental:
    def __init__(self, network):
        self.network = network
        self.tails = [
            torch.zeros(SLOTS, layer.tail_rows, layer.weight.shape[1]) for layer in network.layers
        ]
        self.hidden = torch.zeros(SLOTS, network.gru.hidden)
        # [kernel · in, out]: taps outside, channels inside, as a window lies in memory
        self.weights = [
            layer.weight.permute(2, 1, 0).flatten(0, 1).contiguous() for layer in network.layers
        ]
        self.free = list(range(SLOTS))

    def open(self):
        return Stream(self)

    def step(self, streams):
        """Takes one step of some streams; returns those, with the rows of each."""
        young = [one for one in streams if one.taken < self.network.young_hops]
        batch = young or streams
        hops = 1 if young else min(MOST_HOPS, *(one.hops() for one in batch))
        samples = torch.stack([one.take(hops) for one in batch])  # [B, N]
        slots = torch.tensor([one.slot for one in batch])
        latent = self.encode(samples, slots, batch)  # [B, T, Z]
        context = self.network.gru.run(latent, self.hidden[slots])  # [B, T, H]
        last = context[:, -1].clone()
        for i, one in enumerate(batch):
            if one.taken < self.network.delay_frames:
                last[i] = 0  # what came before the first frame
        self.hidden.index_copy_(0, slots, last)
        rows = context.numpy()
        results = []
        for i, one in enumerate(batch):
            skipped = max(0, self.network.delay_frames - one.taken)
            one.taken += hops
            results.append((one, rows[i, skipped:]))
        return results

    def encode(self, samples, slots, batch):
        x = samples[..., None] * self.network.scale  # [B, N, 1]
        for layer, weight, tails in zip(self.network.layers, self.weights, self.tails, strict=True):
            x = torch.cat([tails[slots], x], 1)  # [B, N, C]
            tails.index_copy_(0, slots, x[:, x.shape[1] - layer.tail_rows :])
            streams, length, channels = x.shape
            rows = (length - layer.kernel) // layer.stride + 1
            strides = (length * channels, layer.stride * channels, 1)
            windows = x.as_strided((streams, rows, layer.kernel * channels), strides)
            windows = windows.reshape(streams * rows, -1)
            x = torch.addmm(layer.bias, windows, weight).relu_().view(streams, rows, -1)
            for i, one in enumerate(batch):
                garbage = layer.delay_rows - one.taken * layer.rows_per_hop
                if garbage > 0:
                    x[i, :garbage] = 0  # this is the next layer's padding
        return x


class Stream:
    """A connection's audio that was not taken yet, and its place."""

    def __init__(self, owner):
        self.owner = owner
        self.slot = owner.free.pop()
        for tails in owner.tails:
            tails[self.slot] = 0
        owner.hidden[self.slot] = 0
        self.samples = torch.zeros(owner.network.lead)
        self.taken = 0

    def push(self, samples):
        self.samples = torch.cat([self.samples, torch.from_numpy(samples)])

    def hops(self):
        return len(self.samples) // self.owner.network.hop

    def ready(self):
        return self.hops() > 0

    def take(self, hops):
        length = hops * self.owner.network.hop
        taken, self.samples = self.samples[:length], self.samples[length:]
        return taken

    def close(self):
        self.owner.free.append(self.slot)
