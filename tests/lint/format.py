#!/usr/bin/python3
"""Checks the layout of C files against .clang-format, or with --fix changes it.

clang-format 14 does two things badly, and what it says about them is left aside: the lines of a macro's definition, and
how many items of a list (an enum, an initializer, arguments) stand on one line.
"""
import concurrent.futures
import difflib
import os
import pathlib
import re
import subprocess
import sys


def formatted(path):
    command = ["clang-format", "--style=file:.clang-format", path]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines(keepends=True)


def lines_of_macros(lines):
    inside, found = False, set()
    for number, line in enumerate(lines):
        inside = inside or re.match(r"\s*#\s*define\b", line)
        if inside:
            found.add(number)
        inside = inside and line.endswith("\\\n")
    return found


def is_list(lines):
    """Nothing but items: lines end after a comma or an opening brace, or before a closing one; no statement inside."""
    text = re.sub(r"}[\w ]*;\n", "},\n", "".join(lines))
    return ";" not in text and not re.search(r"[^,{\s]\s*\n(?!\s*})", text)


def breaks_a_list_elsewhere(old, new):
    return len(old) != len(new) and "".join(old).split() and is_list(old) and is_list(new) and \
        re.sub(r"\s", "", "".join(old)) == re.sub(r"\s", "", "".join(new))


def wanted_changes(path):
    old = pathlib.Path(path).read_text().splitlines(keepends=True)
    new = formatted(path)
    macros = lines_of_macros(old)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    wanted = []
    for tag, i, j, k, l in matcher.get_opcodes():
        if tag == "equal" or macros.intersection(range(i, j)) or breaks_a_list_elsewhere(old[i:j], new[k:l]):
            continue
        wanted.append((i, j, new[k:l]))
    return path, old, wanted


def apply(old, wanted):
    new = list(old)
    for first, last, lines in reversed(wanted):
        new[first:last] = lines
    return new


def main():
    fix = sys.argv[1:2] == ["--fix"]
    paths = sys.argv[2:] if fix else sys.argv[1:]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, old, wanted in pool.map(wanted_changes, paths):
            if not wanted:
                continue
            new = apply(old, wanted)
            if fix:
                pathlib.Path(path).write_text("".join(new))
                print("formatted", path)
            else:
                failed = 1
                sys.stdout.writelines(difflib.unified_diff(old, new, path, "after make fmt", n=1))
    return failed


if __name__ == "__main__":
    sys.exit(main())
