#!/usr/bin/python3
"""Writes the seeds of the fuzz targets below a folder, OUT/TARGET/NAME: small inputs that are good, nearly good, or at a limit.
What is there already goes, so that a seed without an entry does not live on. mk/fuzz.mk calls it.

  tests/fuzz/seeds.py OUT
"""
import pathlib
import shutil
import sys

import seeds_of_frames
import seeds_of_text


def main():
    out = pathlib.Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    for target, seeds in {**seeds_of_text.SEEDS, **seeds_of_frames.SEEDS}.items():
        (out / target).mkdir(parents=True)
        for name, content in seeds.items():
            (out / target / name).write_bytes(content.encode() if isinstance(content, str) else content)


if __name__ == "__main__":
    main()
