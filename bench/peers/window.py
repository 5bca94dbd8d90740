"""PyTorch, re-encoding: with each message, the encoder runs over the last of the audio again.

The context network runs over the new frames alone, from a state that is kept; so the outputs are
those of the whole signal. Streams come one after the other.
"""

import torch
from in_turn import InTurn


class Window(InTurn):
    def __init__(self, network, seconds):
        super().__init__(network, Stream)
        self.samples = int(seconds * 100) * network.hop


class Stream:
    def __init__(self, owner):
        self.owner = owner
        self.window = torch.zeros(0)
        self.first = 0  # the window's first sample
        self.given = 0  # frames
        self.hidden = torch.zeros(1, owner.network.gru.hidden)
        self.fresh = False

    def push(self, samples):
        self.window = torch.cat([self.window, torch.from_numpy(samples)])
        self.fresh = True

    def ready(self):
        return self.fresh

    def rows(self):
        network = self.owner.network
        self.fresh = False
        exact = network.exact_frames(self.first + len(self.window))
        if exact == self.given:
            return []
        latent = network.encode(self.window)
        before = self.first // network.hop
        new = latent[self.given - before : exact - before]
        context = network.gru.run(new[None], self.hidden)[0]
        self.hidden, self.given = context[-1:], exact
        over = len(self.window) - self.owner.samples
        if over > 0:  # it begins at a frame, so that frames lie as they do offline
            over = -(-over // network.hop) * network.hop
            self.window, self.first = self.window[over:], self.first + over
        return context.numpy()

    def close(self):
        pass
