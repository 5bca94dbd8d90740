"""Who speaks? Compares a recording with recordings of people you know.

python who_speaks.py UNKNOWN NAME=FILE NAME=FILE… [--url URL]
"""

import argparse
import os
from pathlib import Path

import httpx


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("unknown", metavar="UNKNOWN", type=Path, help="a recording of any kind")
    parser.add_argument("known", nargs="+", metavar="NAME=FILE", help="whom you know")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    options = parser.parse_args()

    answers = []
    key = os.environ.get("CPC_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=options.url, headers=headers, timeout=600) as client:
        for pair in options.known:
            name, path = pair.split("=", 1)
            files = [("file", each.read_bytes()) for each in (options.unknown, Path(path))]
            answer = client.post("/v1/compare", files=files)
            if answer.is_error:
                parser.exit(1, f"{answer.status_code}: {answer.text}\n")
            answers.append((answer.json()["cosine"], name, answer.json()["same"]))
    for cosine, name, same in sorted(answers, reverse=True):
        said = {True: "the same", False: "another", None: "no threshold"}[same]
        print(f"{cosine:.3f}\t{name}\t{said}")


if __name__ == "__main__":
    main()
