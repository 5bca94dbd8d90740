"""Writes tests/fixtures/golden/{spectral,probe}.npz: librosa's features, scikit-learn's probe.

    pip install librosa==0.11.0 scikit-learn==1.9.1 numpy==2.4.6
    python tests/reference/make_evaluation.py

`spectral`: samples 4000 … 12000 of italian_short.wav, windows of 400 samples (Hann, periodic) in an
FFT of 512, hop 160, centred between zeros; natural logarithm of the mel spectrum's power, at least
1e-10 (`mel40`, `mel80` [T, n]); its first 13 orthonormal DCT-II coefficients (`mfcc` [T, 13]);
slopes over 9 frames, the edge frames repeated (`delta`, `delta2` [T, 13]).

`probe`: 90 points of 5 classes, and for each C the weights [5, D] and intercepts [5] of the
multinomial model of scikit-learn's logistic regression.
"""

import wave
from pathlib import Path

import librosa
import numpy as np
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/fixtures/golden"


def spectral():
    with wave.open(str(ROOT / "tests/fixtures/speech/italian_short.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)[4000:12000] / 32768
    arrays = {}
    for bands in (40, 80):
        power = librosa.feature.melspectrogram(
            y=samples,
            sr=16000,
            n_fft=512,
            win_length=400,
            hop_length=160,
            center=True,
            pad_mode="constant",
            n_mels=bands,
        )
        arrays[f"mel{bands}"] = np.log(np.maximum(1e-10, power))
    arrays["mfcc"] = librosa.feature.mfcc(S=arrays["mel40"], n_mfcc=13)
    arrays["delta"] = librosa.feature.delta(arrays["mfcc"], width=9, mode="nearest")
    arrays["delta2"] = librosa.feature.delta(arrays["delta"], width=9, mode="nearest")
    np.savez(
        GOLDEN / "spectral.npz",
        **{name: np.ascontiguousarray(value.T, np.float32) for name, value in arrays.items()},
    )


def probe():
    random = np.random.RandomState(7)
    labels = np.repeat(np.arange(5), 18).astype(np.int32)
    centres = random.randn(5, 6)
    points = (centres[labels] + 1.2 * random.randn(90, 6)).astype(np.float32)
    arrays = {"points": points, "labels": labels, "c": np.array([0.05, 1, 20], np.float32)}
    for i, c in enumerate(arrays["c"]):
        model = LogisticRegression(C=float(c), tol=1e-10, max_iter=10000).fit(
            points.astype(np.float64), labels
        )
        arrays[f"weight{i}"] = np.ascontiguousarray(model.coef_, np.float32)
        arrays[f"bias{i}"] = (model.intercept_ - model.intercept_.mean()).astype(np.float32)
    np.savez(GOLDEN / "probe.npz", **arrays)


if __name__ == "__main__":
    spectral()
    probe()
