"""Embeds a recording with OpenAI's own package: python openai_client.py URL FILE."""

import base64
import math
import sys

import openai

url, path = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
audio = base64.b64encode(open(path, "rb").read()).decode()
models = [model.id for model in client.models.list()]

vectors = []
for encoding in ({}, {"encoding_format": "float"}):  # by default the package asks for base64
    for given in (audio, [audio, audio]):
        answer = client.embeddings.create(model=models[0], input=given, **encoding)
        assert answer.object == "list" and answer.model == models[0]
        vectors += [list(item.embedding) for item in answer.data]
assert len(vectors) == 6
for vector in vectors:  # steps of other sizes round differently
    assert all(math.isclose(a, b, abs_tol=1e-5) for a, b in zip(vector, vectors[0], strict=True))
assert vectors[-1] == list(answer.data[-1].context)

pooled = client.embeddings.create(model=models[0], input=audio, extra_body={"pool": "max"})
assert list(pooled.data[0].embedding) != vectors[0]

for error, given in (
    (openai.BadRequestError, {"input": "words are no audio"}),
    (openai.UnprocessableEntityError, {"input": audio, "dimensions": 8}),
    (openai.NotFoundError, {"input": audio, "model": "none"}),
):
    try:
        client.embeddings.create(**{"model": models[0], **given})
    except error as refused:
        assert refused.body["code"] and refused.body["message"], refused.body
    else:
        raise AssertionError(f"{given} was not refused")
print(f"openai {openai.__version__}: {len(vectors[0])} numbers of {models[0]}")
