"""Who speaks? Compares a recording with recordings of people you know.

python who_speaks.py UNKNOWN NAME=FILE NAME=FILE… [--url URL]
"""

import argparse

import cpc_stream
import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("unknown", metavar="UNKNOWN", help="a recording of any kind")
    parser.add_argument("known", nargs="+", metavar="NAME=FILE", help="whom you know")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    options = parser.parse_args()
    names, files = zip(*(pair.split("=", 1) for pair in options.known), strict=True)

    vectors = np.stack(cpc_stream.embed(options.url, [options.unknown, *files], pool="mean"))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors[1:] @ vectors[0]
    for cosine, name in sorted(zip(cosines, names, strict=True), reverse=True):
        print(f"{cosine:.3f}\t{name}")


if __name__ == "__main__":
    main()
