"""Features of recordings as a Kaldi archive of float matrices, with its index.

python write_ark.py WAV.scp FEATS.ark FEATS.scp [--output context|latent] [--url URL]
"""

import argparse
import struct

import cpc_stream


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wav_scp", metavar="WAV.scp", help="lines UTTERANCE PATH")
    parser.add_argument("ark", metavar="FEATS.ark")
    parser.add_argument("scp", metavar="FEATS.scp")
    parser.add_argument("--output", default="context", choices=["context", "latent"])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    options = parser.parse_args()

    with open(options.wav_scp) as lines:
        utterances = [line.strip().split(maxsplit=1) for line in lines if line.strip()]
    with open(options.ark, "wb") as ark, open(options.scp, "w") as scp:
        for name, path in utterances:
            [rows] = cpc_stream.embed(options.url, path, output=options.output)
            ark.write(f"{name} ".encode())
            print(name, f"{options.ark}:{ark.tell()}", file=scp)
            ark.write(b"\0BFM ")  # a binary float matrix; each size after the number of its bytes
            ark.write(struct.pack("<bibi", 4, rows.shape[0], 4, rows.shape[1]))
            ark.write(rows.astype("<f4").tobytes())
            print(f"{name}: {rows.shape[0]} frames of {rows.shape[1]}")


if __name__ == "__main__":
    main()
