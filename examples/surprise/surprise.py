"""Surprise of a recording as BIDS events: a row for each frame, and a sidecar of the columns.

python surprise.py FILE.wav sub-01_task-listen [--every N] [--url URL]
"""

import argparse
import json
import wave

import cpc_stream
import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE.wav", help="16 bits")
    parser.add_argument("prefix", help="writes PREFIX_events.tsv and PREFIX_events.json")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th frame")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    options = parser.parse_args()

    with wave.open(options.file) as file:
        rate, channels = file.getframerate(), file.getnchannels()
        audio = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, channels)
    with cpc_stream.connect(
        options.url, output="score", sample_rate=rate, channels=channels, every=options.every
    ) as stream:
        stream.send(audio)
        stream.finish()
        model, steps = stream.ready["model"], stream.ready["steps"]
        parts = list(stream)

    columns = ["onset", "duration", "trial_type", "surprise", *(f"nce_{k}" for k in steps)]
    with open(f"{options.prefix}_events.tsv", "w") as table:
        print(*columns, sep="\t", file=table)
        for frames in parts:
            for time, surprise, nce in zip(
                frames.times, frames.score.surprise, frames.score.nce, strict=True
            ):
                numbers = map(cell, (surprise, *nce))
                length = options.every / frames.frame_rate
                print(f"{time:.3f}", f"{length:.3f}", "frame", *numbers, sep="\t", file=table)
    with open(f"{options.prefix}_events.json", "w") as sidecar:
        json.dump(described(model, steps, options.file), sidecar, indent=2)


def cell(number):
    """BIDS writes n/a where there is no value: the first frames have no score yet."""
    return "n/a" if np.isnan(number) else f"{number:.4f}"


def described(model, steps, file):
    nce = "InfoNCE in nats of the prediction made {} ms before, against negatives of this recording"
    return {
        "StimulusPresentation": {"SoftwareName": "cpc-stream", "Model": model},
        "stim_file": {"Description": file},
        "surprise": {"Description": "Mean of the nce columns", "Units": "nat"},
        **{f"nce_{k}": {"Description": nce.format(10 * k), "Units": "nat"} for k in steps},
    }


if __name__ == "__main__":
    main()
