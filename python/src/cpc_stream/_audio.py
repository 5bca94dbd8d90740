"""Audio as the bytes that travel."""

from __future__ import annotations

import struct
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Audio to send: samples, or bytes.
Audio: TypeAlias = (
    NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int16] | bytes | bytearray | memoryview
)

#: Bytes of one sample of one channel.
SAMPLE_BYTES = {"s16le": 2, "f32le": 4, "mulaw": 1, "alaw": 1}

#: Encodings whose bytes are no samples: a packet a message, or a recorder's output.
OPUS = ("opus", "ogg-opus", "webm-opus")


class Encoder:
    """Turns audio into an encoding.

    Without an encoding, samples travel as f32le, so that floats are not rounded, and bytes are
    s16le, the server's default.
    """

    def __init__(self, encoding: str | None, channels: int) -> None:
        self.encoding = encoding or "f32le"
        self._bytes_are_words = encoding is None
        self._channels = channels
        self._half = b""

    def encode(self, audio: Audio) -> bytes:
        """Audio as bytes; a sample that is cut in two is held back.

        Raises TypeError for arrays that are not audio, ValueError for the wrong number of channels.
        """
        if isinstance(audio, np.ndarray):
            return self._encode_samples(audio)
        if not isinstance(audio, bytes | bytearray | memoryview):
            raise TypeError(
                "audio must be a float32 or int16 array, or bytes, "
                f"and {type(audio).__name__} is neither"
            )
        data = bytes(audio)
        if not self._bytes_are_words:
            return data
        data = self._half + data
        whole = len(data) & ~1
        self._half = data[whole:]
        return to_floats(np.frombuffer(data[:whole], "<i2")).tobytes()

    def begin_segment(self) -> None:
        """Forgets half a sample."""
        self._half = b""

    def _encode_samples(self, audio: NDArray[Any]) -> bytes:
        if self._half:
            raise ValueError("the bytes sent before end within a sample: send its second half")
        if audio.ndim == 2 and audio.shape[1] != self._channels:
            raise ValueError(
                f"an array of shape {audio.shape} has {audio.shape[1]} channels, and the stream "
                f"has channels={self._channels}: arrays are [samples] or [samples, channels]"
            )
        if audio.ndim not in (1, 2):
            raise ValueError(f"audio is [samples] or [samples, channels], not {audio.ndim}-D")
        if self.encoding == "f32le":
            return to_floats(audio).tobytes()
        if self.encoding != "s16le":
            raise TypeError(
                f"samples cannot be converted to {self.encoding}: send bytes, or use f32le or s16le"
            )
        if audio.dtype.kind == "f":
            audio = np.clip(np.rint(audio * np.float32(32768)), -32768, 32767)
        elif not _is_words(audio):
            raise _no_audio(audio)
        return audio.astype("<i2").tobytes()


def to_floats(audio: NDArray[Any]) -> NDArray[np.float32]:
    """Samples as floats: 16-bit integers are divided by 32768."""
    if audio.dtype.kind == "f":
        return audio.astype("<f4")
    if not _is_words(audio):
        raise _no_audio(audio)
    floats: NDArray[np.float32] = audio.astype("<f4") / np.float32(32768)
    return floats


def wav_of(audio: NDArray[Any], sample_rate: int) -> bytes:
    """Samples as a float WAV file; an array [samples, channels] has channels."""
    if audio.ndim not in (1, 2):
        raise ValueError(f"audio is [samples] or [samples, channels], not {audio.ndim}-D")
    data = to_floats(audio).tobytes()
    channels = audio.shape[1] if audio.ndim == 2 else 1
    block = 4 * channels
    form = struct.pack("<HHIIHH", 3, channels, sample_rate, sample_rate * block, block, 32)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _is_words(audio: NDArray[Any]) -> bool:
    return audio.dtype.kind == "i" and audio.dtype.itemsize == 2


def _no_audio(audio: NDArray[Any]) -> TypeError:
    return TypeError(f"audio must be float32 or int16, and this array is {audio.dtype}")
