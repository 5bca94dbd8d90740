"""Writes the resampled clips of tests/fixtures/audio: soxr's HQ resampler (`soxr` of PyPI), ffmpeg.

    python tests/reference/make_resampled.py
"""

import subprocess
import wave
from pathlib import Path

import numpy as np
import soxr

FIXTURES = Path(__file__).parents[1] / "fixtures"
SAMPLES = 9_600  # 0.6 s at 16 kHz


def write(name: str, samples: np.ndarray, rate: int) -> None:
    """Writes 16-bit FLAC."""
    words = np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2")
    path = FIXTURES / "audio" / name
    raw = ["-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", "-"]
    clean = ["-map_metadata", "-1", "-bitexact", "-c:a", "flac", "-y", str(path)]
    subprocess.run(["ffmpeg", "-v", "error", *raw, *clean], input=words.tobytes(), check=True)


with wave.open(str(FIXTURES / "speech" / "italian_short.wav")) as file:
    clip = np.frombuffer(file.readframes(SAMPLES), "<i2") / 32768
for rate in (8_000, 44_100):
    sent = np.rint(soxr.resample(clip, 16_000, rate, "VHQ") * 32768) / 32768
    write(f"clip_{rate}.flac", sent, rate)
    write(f"clip_{rate}_by_soxr.flac", soxr.resample(sent, rate, 16_000, "HQ"), 16_000)
