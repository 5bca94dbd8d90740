"""Embeds a batch with Triton's own client: python triton_client.py URL FILE."""

import json
import sys
import urllib.request
import wave

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

url, path = sys.argv[1:]
with wave.open(path) as file:
    assert file.getframerate() == 16_000 and file.getnchannels() == 1
    audio = np.frombuffer(file.readframes(16_000), "<i2").astype(np.float32) / 32_768
batch = np.stack([audio, audio[::-1]])

client = triton.InferenceServerClient(url.removeprefix("http://"))
assert client.is_server_live() and client.is_server_ready()
assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
with urllib.request.urlopen(f"{url}/v1/models") as answer:
    model = json.load(answer)["data"][0]
name, dims = model["id"], model["dims"]
assert client.is_model_ready(name) and client.is_model_ready(name, "1")
metadata = client.get_model_metadata(name, "1")
assert [tensor["name"] for tensor in metadata["inputs"]] == ["audio"]
assert client.get_model_config(name)["max_batch_size"] == 0


def infer(outputs=None, binary=True, given=batch, **how):
    tensor = triton.InferInput("audio", given.shape, "FP32")
    tensor.set_data_from_numpy(given, binary_data=binary)
    asked = outputs and [triton.InferRequestedOutput(one, binary_data=binary) for one in outputs]
    return client.infer(how.pop("name", name), [tensor], outputs=asked, **how)


rows = infer(["latent", "context"], request_id="7")
assert rows.get_response()["id"] == "7"
latent, context = rows.as_numpy("latent"), rows.as_numpy("context")
frames = context.shape[1]
assert latent.shape == (2, frames, dims["latent"]) and context.shape == (2, frames, dims["context"])

request = urllib.request.Request(f"{url}/v1/embeddings", data=open(path, "rb").read())
with urllib.request.urlopen(request) as answer:
    whole = np.array(json.load(answer)["data"][0]["context"], np.float32)
assert np.allclose(context[0, : frames - 3], whole[: frames - 3], atol=1e-4)
assert not np.allclose(context[0], context[1], atol=1e-2)

assert np.allclose(infer().as_numpy("context"), context, atol=1e-5)  # what nobody named is context
assert np.allclose(infer(["context"], binary=False).as_numpy("context"), context, atol=1e-5)
mean = infer(["context"], parameters={"pool": "mean"}, model_version="1").as_numpy("context")
assert np.allclose(mean, context.mean(axis=1), atol=1e-4)
prediction = infer(["prediction"], parameters={"steps": "1,3"}).as_numpy("prediction")
assert prediction.shape == (2, frames, 2, dims["latent"])

for status, how in (
    ("404", {"name": "none"}),
    ("404", {"model_version": "2"}),
    ("422", {"outputs": ["colour"]}),
    ("422", {"parameters": {"colour": "red"}}),
    ("422", {"given": batch[:, :100]}),
    ("400", {"given": np.full_like(batch, np.nan)}),
):
    try:
        infer(**how)
    except InferenceServerException as refused:
        assert refused.status() == status and isinstance(refused.message(), str), (how, refused)
    else:
        raise AssertionError(f"{how} was not refused")
print(f"tritonclient: {context.shape} of {name}")
