#!/usr/bin/python3
"""Writes the seeds of the fuzz targets, tests/fuzz/corpus/TARGET/NAME: small inputs that are good, nearly good, or at a
limit. Inputs that were found later and kept are files there without an entry here."""
import pathlib

import seeds_of_frames
import seeds_of_text

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def main():
    for target, seeds in {**seeds_of_text.SEEDS, **seeds_of_frames.SEEDS}.items():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, content in seeds.items():
            (CORPUS / target / name).write_bytes(content.encode() if isinstance(content, str) else content)


if __name__ == "__main__":
    main()
