"""`python -m cpc_stream FILE|mic`: streams audio, and prints or saves the frames."""

from __future__ import annotations

import argparse
import sys
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from . import CpcError, Frames, Stream, connect, embed
from ._options import comma_list
from ._types import Floats

_BLOCK_S = 0.1
_SHOWN = 4


def main() -> int:
    """Runs the command; returns its exit status: 2 for bad use, 1 for a failure."""
    options = _parser().parse_args()
    try:
        if options.source == "mic":
            return _stream(options, *_microphone(options.sample_rate))
        path = Path(options.source)
        if not path.is_file():
            return _fail(2, f"there is no file {path}: name a recording, or mic for the microphone")
        wav = _open_wav(path)
        return _embed(options, path) if wav is None else _stream(options, *wav)
    except KeyboardInterrupt:
        return 130
    except _UsageError as error:
        return _fail(2, str(error))
    except (CpcError, ValueError, OSError) as error:
        code = f"{error.code}: " if isinstance(error, CpcError) else ""
        return _fail(1, f"{code}{error}")


class _UsageError(Exception):
    pass


def _fail(status: int, why: str) -> int:
    print(f"cpc_stream: {why}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cpc_stream", description=__doc__)
    parser.add_argument("source", metavar="FILE|mic", help="a recording, or the microphone")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="default: %(default)s")
    parser.add_argument("--key", help="default: the environment's CPC_API_KEY")
    parser.add_argument("--model", help="default: the server's first")
    parser.add_argument("--output", default="context", help="comma list; default: %(default)s")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th frame")
    parser.add_argument("--sample-rate", type=int, default=16000, help="of mic; default: 16000")
    parser.add_argument("--save", type=Path, metavar="FILE.npz", help="save instead of print")
    return parser


def _open_wav(path: Path) -> tuple[Iterator[Any], int, int] | None:
    """Blocks [samples, channels] of a PCM WAV file, its rate and channels; None for other files."""
    try:
        file = wave.open(str(path), "rb")  # noqa: SIM115 (the blocks close it)
    except (wave.Error, EOFError):
        return None
    width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()

    def blocks() -> Iterator[Any]:
        with file:
            while data := file.readframes(int(rate * _BLOCK_S)):
                yield _samples(data, width).reshape(-1, channels)

    return blocks(), rate, channels


def _samples(data: bytes, width: int) -> Any:
    if width == 2:
        return np.frombuffer(data, "<i2")
    if width == 1:
        return (np.frombuffer(data, "u1").astype("f4") - 128) / 128
    words = np.zeros((len(data) // width, 4), "u1")
    words[:, 4 - width :] = np.frombuffer(data, "u1").reshape(-1, width)
    return (words.view("<i4")[:, 0] / 2**31).astype("f4")


def _microphone(rate: int) -> tuple[Iterator[Any], int, int]:
    try:
        import sounddevice
    except ImportError:
        raise _UsageError(
            "the microphone needs the package sounddevice: pip install sounddevice"
        ) from None
    except OSError as error:  # PortAudio itself is missing
        raise _UsageError(f"sounddevice cannot open audio devices: {error}") from error

    def blocks() -> Iterator[Any]:
        with sounddevice.InputStream(samplerate=rate, channels=1, dtype="float32") as device:
            print("listening; Ctrl-C ends", file=sys.stderr)
            while True:
                try:
                    yield device.read(int(rate * _BLOCK_S))[0]
                except KeyboardInterrupt:
                    return

    return blocks(), rate, 1


def _stream(options: argparse.Namespace, blocks: Iterator[Any], rate: int, channels: int) -> int:
    saved = _Saved()
    add = saved.add if options.save else _print
    with (
        connect(
            options.url,
            key=options.key,
            model=options.model,
            output=options.output,
            every=options.every,
            sample_rate=rate,
            channels=channels,
        ) as stream,
        ThreadPoolExecutor(1) as reader,
    ):
        reading = reader.submit(_read, stream, add)
        try:
            for block in blocks:
                stream.send(block)
            stream.finish()
        except BaseException:
            stream.close()
            raise
        reading.result()
    if options.save:
        saved.save(options.save)
    return 0


def _read(stream: Stream, add: Callable[[Frames], None]) -> None:
    for frames in stream:
        add(frames)


def _print(frames: Frames) -> None:
    """Prints a line for each frame: the time, and how each output's row begins."""
    for i, time in enumerate(frames.times):
        parts = [f"{name} {_shown(rows[i])}" for name, rows in _arrays(frames).items()]
        print(f"{time:.2f}", *parts, sep="\t", flush=True)


class _Saved:
    """Frames as arrays of an npz file: one for each output, and `index`."""

    def __init__(self) -> None:
        self._parts: list[dict[str, Any]] = []

    def add(self, frames: Frames) -> None:
        self._parts.append({"index": frames.index, **_arrays(frames)})

    def save(self, path: Path) -> None:
        names = self._parts[0] if self._parts else ()
        _save(path, {name: np.concatenate([part[name] for part in self._parts]) for name in names})


def _arrays(frames: Frames) -> dict[str, Floats]:
    arrays = {
        "context": frames.context,
        "latent": frames.latent,
        "prediction": frames.prediction,
    }
    if (score := frames.score) is not None:
        arrays |= {"surprise": score.surprise, "nce": score.nce, "correct": score.correct}
    return {name: rows for name, rows in arrays.items() if rows is not None}


def _shown(row: Any) -> str:
    numbers = np.ravel(row)
    more = " …" if len(numbers) > _SHOWN else ""
    return " ".join(f"{number:+.3f}" for number in numbers[:_SHOWN]) + more


def _embed(options: argparse.Namespace, path: Path) -> int:
    """What is not PCM WAV, the server decodes."""
    outputs = comma_list(options.output)
    [answer] = embed(options.url, path, output=outputs, key=options.key, model=options.model)
    arrays = answer if isinstance(answer, dict) else {outputs[0]: answer}
    arrays = {name: rows[:: options.every] for name, rows in arrays.items()}
    if options.save:
        index = options.every * np.arange(len(next(iter(arrays.values()))))
        _save(options.save, {"index": index, **arrays})
        return 0
    for i in range(len(next(iter(arrays.values())))):
        parts = [f"{name} {_shown(rows[i])}" for name, rows in arrays.items()]
        print(f"{i * options.every / 100:.2f}", *parts, sep="\t")
    return 0


def _save(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)
    sizes = ", ".join(f"{name} {list(rows.shape)}" for name, rows in arrays.items())
    print(f"{path}: {sizes}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
