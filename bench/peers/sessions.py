"""ONNX Runtime in Python with one session a client: each takes its own incremental steps."""

import numpy as np
import onnxruntime as ort
from in_turn import InTurn
from onnx import TensorProto, helper, numpy_helper


class Sessions(InTurn):
    def __init__(self, network):
        super().__init__(network, Stream)
        self.graph = graph_of(network)
        self.options = ort.SessionOptions()
        self.options.intra_op_num_threads = 1
        self.options.inter_op_num_threads = 1


class Stream:
    def __init__(self, owner):
        self.network = owner.network
        providers = ["CPUExecutionProvider"]
        self.session = ort.InferenceSession(owner.graph, owner.options, providers=providers)
        self.samples = np.zeros(self.network.lead, np.float32)
        self.taken = 0
        self.state = {
            f"tail{i}": np.zeros((1, layer.weight.shape[1], layer.tail_rows), np.float32)
            for i, layer in enumerate(self.network.layers)
        }
        self.state["hidden"] = np.zeros((1, 1, self.network.gru.hidden), np.float32)
        self.names = list(self.state)

    def push(self, samples):
        self.samples = np.concatenate([self.samples, samples])

    def ready(self):
        return len(self.samples) >= self.network.hop

    def rows(self):
        network = self.network
        hops = 1 if self.taken < network.young_hops else len(self.samples) // network.hop
        samples, self.samples = np.split(self.samples, [hops * network.hop])
        masks = {f"mask{i}": self.mask(one, hops) for i, one in enumerate(network.layers)}
        feeds = {"samples": samples[None, None], **self.state, **masks}
        context, *state = self.session.run(None, feeds)
        self.state = dict(zip(self.names, state, strict=True))
        before = self.taken < network.delay_frames
        if before:  # what came before the first frame
            self.state["hidden"] = np.zeros_like(self.state["hidden"])
        self.taken += hops
        return [] if before else context.reshape(hops, -1)

    def mask(self, layer, hops):
        mask = np.ones((1, 1, hops * layer.rows_per_hop), np.float32)
        mask[..., : max(0, layer.delay_rows - self.taken * layer.rows_per_hop)] = 0
        return mask

    def close(self):
        pass


def graph_of(network):
    """The incremental step: samples and states in, context and states out."""
    nodes, constants, inputs = [], [], [value("samples", [1, 1, "samples"])]
    outputs = [value("context", ["hops", 1, 1, network.gru.hidden])]

    def constant(name, array):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(kind, ins, outs, **attributes):
        nodes.append(helper.make_node(kind, ins, outs, **attributes))

    x = "samples"
    if network.scale != 1:
        constant("scale", np.float32(network.scale))
        node("Mul", ["samples", "scale"], ["scaled"])
        x = "scaled"
    last = constant("last", np.array([np.iinfo(np.int64).max]))
    axis = constant("axis", np.array([2]))
    for i, layer in enumerate(network.layers):
        channels, tail = layer.weight.shape[1], layer.tail_rows
        inputs += [value(f"tail{i}", [1, channels, tail]), value(f"mask{i}", [1, 1, f"rows{i}"])]
        outputs.append(value(f"next{i}", [1, channels, tail]))
        node("Concat", [f"tail{i}", x], [f"all{i}"], axis=2)
        start = constant(f"start{i}", np.array([-tail]))
        node("Slice", [f"all{i}", start, last, axis], [f"next{i}"])
        weight = constant(f"weight{i}", layer.weight.numpy())
        bias = constant(f"bias{i}", layer.bias.numpy())
        node("Conv", [f"all{i}", weight, bias], [f"conv{i}"], strides=[layer.stride])
        node("Relu", [f"conv{i}"], [f"relu{i}"])
        node("Mul", [f"relu{i}", f"mask{i}"], [f"rows{i}.masked"])
        x = f"rows{i}.masked"
    node("Transpose", [x], ["latent"], perm=[2, 0, 1])  # [T, 1, Z]
    gru = network.gru
    gates = ["weight_ih", "weight_hh"]
    for name in gates:
        constant(name, reordered(getattr(gru, name))[None])
    biases = np.concatenate([reordered(gru.bias_ih), reordered(gru.bias_hh)])
    constant("biases", biases[None])
    inputs.append(value("hidden", [1, 1, gru.hidden]))
    outputs.append(value("next_hidden", [1, 1, gru.hidden]))
    node(
        "GRU",
        ["latent", *gates, "biases", "", "hidden"],
        ["context", "next_hidden"],
        hidden_size=gru.hidden,
        linear_before_reset=1,
    )
    graph = helper.make_graph(nodes, "step", inputs, outputs, constants)
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def value(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def reordered(tensor):
    """PyTorch's gates are reset, update, new; ONNX's are update, reset, hidden."""
    reset, update, new = np.split(tensor.numpy(), 3)
    return np.concatenate([update, reset, new])
