"""Context vectors as a heat map in a terminal, one line for each 50 ms.

python heat_map.py FILE.wav [--url URL]
arecord -q -t raw -f S16_LE -r 16000 | python heat_map.py -     # the microphone
"""

import argparse
import os
import sys
import threading
import wave

import cpc_stream

CELLS = 64
SHADES = [17, 18, 19, 25, 31, 37, 73, 109, 145, 181, 217, 216, 209, 203, 197]  # xterm-256
LETTERS = " .:-=+*#%@"
HAS_COLOURS = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "source", metavar="FILE.wav|-", help="- is 16 kHz, 16 bits, mono, no header"
    )
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    options = parser.parse_args()
    blocks, rate, channels = read(options.source)
    with cpc_stream.connect(
        options.url, encoding="s16le", sample_rate=rate, channels=channels, every=5
    ) as stream:
        threading.Thread(target=send, args=(stream, blocks), daemon=True).start()
        for frames in stream:
            for time, context in zip(frames.times, frames.context, strict=True):
                print(f"{time:7.2f} {line(context)}", flush=True)


def read(source):
    """Blocks of 20 ms as bytes, their rate and channels."""
    if source == "-":
        return iter(lambda: sys.stdin.buffer.read(640), b""), 16000, 1
    file = wave.open(source)  # noqa: SIM115 (read to its end, with the program)
    if file.getsampwidth() != 2:
        sys.exit(f"{source} has {8 * file.getsampwidth()} bits a sample: convert it to 16")
    rate = file.getframerate()
    return iter(lambda: file.readframes(rate // 50), b""), rate, file.getnchannels()


def send(stream, blocks):
    for block in blocks:
        stream.send(block)
    stream.finish()


def line(context):
    """Each cell is the mean of neighbouring dimensions; beyond ±0.5 its colour stays the same."""
    cells = 2 * context.reshape(CELLS, -1).mean(axis=1)
    scale = SHADES if HAS_COLOURS else LETTERS
    shades = [scale[int((min(1, max(-1, cell)) + 1) / 2 * (len(scale) - 1))] for cell in cells]
    if not HAS_COLOURS:
        return "".join(shades)
    return "".join(f"\x1b[48;5;{shade}m " for shade in shades) + "\x1b[0m"


if __name__ == "__main__":
    main()
