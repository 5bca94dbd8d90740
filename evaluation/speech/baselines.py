"""Scores of other voice activity detectors, for `deno task speech:compare --baselines DIR`.

    pip install --no-deps silero-vad                    # without torch
    pip install webrtcvad-wheels onnxruntime numpy
    python evaluation/speech/baselines.py DATA OUT

DATA is a folder of `deno task speech:data`. For each WAV file of test.csv and each detector, OUT
gets NAME.DETECTOR.json: `{"hop_s", "scores": […]}`, and OUT/cost.json has the microseconds that a
second of audio took on one thread.
"""

import csv
import importlib.util
import json
import pathlib
import sys
import time
import wave

import numpy as np
import onnxruntime
import webrtcvad

RATE = 16_000
CHUNK = 512  # silero's only size at 16 kHz
CONTEXT = 64  # samples of the chunk before, which it expects in front
FRAME = 160  # WebRTC takes 10, 20 or 30 ms


def silero_session():
    folder = pathlib.Path(importlib.util.find_spec("silero_vad").origin).parent
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(folder / "data" / "silero_vad.onnx"), options)


def silero(session, samples):
    """Probability of each whole chunk, as the package's own OnnxWrapper computes it."""
    state = np.zeros((2, 1, 128), np.float32)
    context = np.zeros(CONTEXT, np.float32)
    rate = np.array(RATE, np.int64)
    scores = []
    for at in range(0, len(samples) - CHUNK + 1, CHUNK):
        chunk = samples[at : at + CHUNK]
        feed = {"input": np.concatenate([context, chunk])[None], "state": state, "sr": rate}
        probability, state = session.run(None, feed)
        context = chunk[-CONTEXT:]
        scores.append(float(probability[0, 0]))
    return {"hop_s": CHUNK / RATE, "scores": scores}


def webrtc(pcm):
    """How many of the four modes call each 10 ms speech, as a share; above 0.75 are all four."""
    total = np.zeros(len(pcm) // FRAME)
    for mode in range(4):
        vad = webrtcvad.Vad(mode)
        for i in range(len(total)):
            total[i] += vad.is_speech(pcm[i * FRAME : (i + 1) * FRAME].tobytes(), RATE)
    return {"hop_s": FRAME / RATE, "scores": (total / 4).tolist()}


def main(data, out):
    with open(data / "test.csv", newline="") as file:
        paths = list(dict.fromkeys(row["path"] for row in csv.DictReader(file)))
    session = silero_session()
    spent = {"silero": 0.0, "webrtc": 0.0}
    seconds = 0.0
    for path in paths:
        with wave.open(str(data / path)) as file:
            pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        seconds += len(pcm) / RATE
        samples = (pcm / 32768).astype(np.float32)
        runs = {"silero": lambda: silero(session, samples), "webrtc": lambda: webrtc(pcm)}
        for name, run in runs.items():
            started = time.process_time()
            found = run()
            spent[name] += time.process_time() - started
            target = out / f"{path}.{name}.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(found))
    spent["webrtc"] /= 4  # a stream runs one mode
    cost = {name: 1e6 * time_s / seconds for name, time_s in spent.items()}
    (out / "cost.json").write_text(json.dumps(cost))
    print({name: round(us) for name, us in cost.items()}, "µs a second of audio")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
