#!/usr/bin/python3
"""Checks the layout of C files against .clang-format, or with --fix changes it.

Authors break lines where that reads best, at 120 columns or before, which is why the style has no limit; --fix breaks
those that lint refuses (132), comments too. clang-format 14 does four things badly, and what it says about them is left
aside: a macro's definition, a text in many literals, where a ?: is broken, and how many items of a list (an enum,
arguments) are on a line.
"""
import concurrent.futures
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def formatted(path):
    command = ["clang-format", "--style=file:.clang-format", path]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines(keepends=True)


def break_long_lines(path):
    """Has clang-format, with a limit, lay out the statements and comments that are too long, and nothing else."""
    style = pathlib.Path(".clang-format").read_text()
    style = style.replace("\nColumnLimit: 0\n", "\nColumnLimit: 120\n")
    style = style.replace("\nReflowComments: false\n", "\nReflowComments: true\n")
    lines = pathlib.Path(path).read_text().splitlines()
    macros = lines_of_macros([line + "\n" for line in lines])
    long = [n for n, line in enumerate(lines) if len(line.expandtabs(8)) > 132 and n not in macros]
    if long:
        with tempfile.NamedTemporaryFile("w", suffix=".clang-format") as file:
            file.write(style)
            file.flush()
            ranges = [f"--lines={n + 1}:{n + 1}" for n in long]
            subprocess.run(["clang-format", f"--style=file:{file.name}", "-i", *ranges, path], check=True)


def lines_of_macros(lines):
    inside, found = False, set()
    for number, line in enumerate(lines):
        inside = inside or re.match(r"\s*#\s*define\b", line)
        if inside:
            found.add(number)
        inside = inside and line.endswith("\\\n")
    return found


def is_list(lines):
    """Items: lines end after a comma or an opening brace, or before a closing one; no statement inside. Or a ?:."""
    text = re.sub(r"}[\w ]*;\n", "},\n", "".join(lines))
    if "?" in text and ";" not in text.rstrip().rstrip(";"):
        return True
    return ";" not in text and not re.search(r"[^,{\s]\s*\n(?!\s*})", text)


def is_text(lines):
    """Literals and macros that stand for some, as a script that is written into C."""
    return all(re.fullmatch(r'\s*("(\\.|[^"\\])*"|[A-Z_]+)[,;]?\s*', line) for line in lines)


def breaks_a_list_elsewhere(old, new):
    return len(old) != len(new) and "".join(old).split() and is_list(old) and is_list(new) and \
        re.sub(r"\s", "", "".join(old)) == re.sub(r"\s", "", "".join(new))


def wanted_changes(path):
    old = pathlib.Path(path).read_text().splitlines(keepends=True)
    new = formatted(path)
    macros = lines_of_macros(old)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    wanted = []
    for tag, i, j, first, last in matcher.get_opcodes():
        if tag == "equal" or macros.intersection(range(i, j)):
            continue
        if is_text(old[i:j]) or breaks_a_list_elsewhere(old[i:j], new[first:last]):
            continue
        wanted.append((i, j, new[first:last]))
    return path, old, wanted


def apply(old, wanted):
    new = list(old)
    for first, last, lines in reversed(wanted):
        new[first:last] = lines
    return new


def fix(path):
    before = pathlib.Path(path).read_text()
    for _ in range(2): # what was laid out anew may have become too long
        path, old, wanted = wanted_changes(path)
        pathlib.Path(path).write_text("".join(apply(old, wanted)))
        break_long_lines(path)
    return [f"laid out {path}\n"] if pathlib.Path(path).read_text() != before else []


def check(path):
    path, old, wanted = wanted_changes(path)
    return list(difflib.unified_diff(old, apply(old, wanted), path, "after make fmt", n=1))


def main():
    work, paths = (fix, sys.argv[2:]) if sys.argv[1:2] == ["--fix"] else (check, sys.argv[1:])
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for output in pool.map(work, paths):
            sys.stdout.writelines(output)
            failed = failed or bool(output)
    return int(failed) if work == check else 0


if __name__ == "__main__":
    sys.exit(main())
