#!/usr/bin/python3
"""Rules that a compiler does not know: banned functions, who may include whom, guards, length of lines.

rules.py RULE FILE... prints file:line: what is wrong, and fails when there is something.
"""
import os
import pathlib
import re
import sys

BANNED = {
    "strcpy": "str_copy or snprintf: it does not know how much room there is",
    "strncpy": "snprintf: it may leave the text without its end",
    "strcat": "struct buf",
    "sprintf": "snprintf or buf_printf",
    "vsprintf": "vsnprintf or buf_vprintf",
    "gets": "fgets",
    "strtok": "struct str",
    "strtok_r": "struct str",
    "atoi": "str_to_i64: it cannot tell 0 from an error",
    "atol": "str_to_i64",
    "atoll": "str_to_i64",
    "atof": "strtod with its end looked at",
    "rand": "base/random.h",
    "srand": "base/random.h",
    "random": "base/random.h",
    "srandom": "base/random.h",
    "alloca": "mem_alloc: the stack has no bound",
    "tmpnam": "mkstemp",
    "mktemp": "mkstemp",
}

# malloc and its family are for base/mem.c, which knows what to do when there is none left.
NOT_IN_PRODUCTION = {name: "base/mem.h" for name in ("malloc", "calloc", "realloc", "strdup", "strndup", "asprintf")}

LAYERS = {
    "base": {"base"},
    "loop": {"base", "loop"},
    "net": {"base", "loop", "net", "proto"},
    "store": {"base", "loop", "store", "proto"},
    "rpc": {"base", "loop", "rpc", "proto"},
}
# What applications link: of ours, what has no I/O.
CLIENT = {"base", "libclient"}
EVERY_LAYER = {"base", "loop", "net", "store", "rpc", "proto"}

OURS = ("libcommon/", "libclient/", "services/")

COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def code_only(text):
    """The text with comments and strings blanked, line numbers kept."""
    return COMMENT_OR_STRING.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def calls(text, names):
    pattern = r"(?<![\w.>])(" + "|".join(names) + r")\s*\("
    for number, line in enumerate(code_only(text).splitlines(), 1):
        for match in re.finditer(pattern, line):
            yield number, match.group(1)


def banned(path, text):
    for number, name in calls(text, BANNED):
        yield number, f"{name}() is banned; use {BANNED[name]}"
    if path.startswith(OURS) and path != "libcommon/base/mem.c":
        for number, name in calls(text, NOT_IN_PRODUCTION):
            yield number, f"{name}() has no place in a service; use {NOT_IN_PRODUCTION[name]}"


def owner(path):
    """Which part a file belongs to, and what that part may include; None: anything."""
    parts = path.split("/")
    if parts[0] == "libcommon":
        return parts[1], LAYERS[parts[1]]
    if parts[0] == "services":
        return parts[1], EVERY_LAYER | {parts[1]}
    if parts[0] == "libclient":
        return "libclient", CLIENT
    return None, None


def layers(path, text):
    part, allowed = owner(path)
    if not allowed:
        return
    comments_gone = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.DOTALL)
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', comments_gone, re.MULTILINE):
        included = match.group(1)
        number = comments_gone.count("\n", 0, match.start()) + 1
        if "/" not in included:
            yield number, f'"{included}": write the part it belongs to, "{part}/{included}"'
        elif included.split("/")[0] not in allowed:
            yield number, f'{part} may not include "{included}", only {", ".join(sorted(allowed))}'


def guards(path, text):
    if not path.endswith(".h") or not path.startswith(OURS):
        return
    inside = path if path.startswith("libclient/") else path.split("/", 1)[1]
    guard = "SKEIN_" + re.sub(r"\W", "_", inside).upper()
    if not text.startswith(f"#ifndef {guard}\n#define {guard}\n"):
        yield 1, f"a header starts with #ifndef {guard}, #define {guard}"


def lines(path, text):
    widest = 180 if path.startswith("tests/") else 132  # a table of cases has one case a line
    for number, line in enumerate(text.splitlines(), 1):
        if len(line.expandtabs(8)) > widest:
            yield number, f"longer than {widest} columns; 120 is what we aim at"
        if line != line.rstrip():
            yield number, "blanks at the end"
        if re.search(r"\b(TO[D]O|FI[X]ME|X[X]X)\b", line):
            yield number, "unfinished work is an issue, not a comment"
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end"


RULES = {"banned": banned, "layers": layers, "guards": guards, "lines": lines}


def main():
    rule, failed = RULES[sys.argv[1]], 0
    for path in sys.argv[2:]:
        for number, problem in rule(path, pathlib.Path(path).read_text()):
            print(f"{path}:{number}: {problem}")
            failed = 1
    return failed


if __name__ == "__main__":
    os.chdir(pathlib.Path(__file__).resolve().parents[2])
    sys.exit(main())
