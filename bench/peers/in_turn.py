"""A peer that computes its streams one after the other."""


class InTurn:
    """`stream`: the class of its streams, which is given the peer."""

    def __init__(self, network, stream):
        self.network = network
        self.stream = stream

    def open(self):
        return self.stream(self)

    def step(self, streams):
        return [(one, one.rows()) for one in streams]
