#!/usr/bin/python3
"""Rules that a compiler does not know: banned functions, circles of includes, guards, length of lines.

rules.py RULE FILE... prints file:line: what is wrong, and fails when there is something.
"""
import os
import pathlib
import re
import sys

# What clang-tidy does not refuse (it knows strcpy, strcat, rand and mktemp; no header declares gets any more).
BANNED = {
    "strncpy": "snprintf: it may leave the text without its end",
    "sprintf": "snprintf or buf_printf",
    "vsprintf": "vsnprintf or buf_vprintf",
    "strtok": "struct str",
    "strtok_r": "struct str",
    "atoi": "str_to_i64: it cannot tell 0 from an error",
    "atol": "str_to_i64",
    "atoll": "str_to_i64",
    "atof": "strtod with its end looked at",
    "srand": "base/random.h",
    "random": "base/random.h",
    "srandom": "base/random.h",
    "alloca": "mem_alloc: the stack has no bound",
    "tmpnam": "mkstemp",
}

# malloc and its family are for base/mem.c, which knows what to do when there is none left.
NOT_IN_PRODUCTION = dict.fromkeys(("malloc", "calloc", "realloc", "strdup", "strndup", "asprintf"), "base/mem.h")

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


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.MULTILINE)


def includes(text):
    """Line and name of each of our own headers that a file includes."""
    comments_gone = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.DOTALL)
    for match in INCLUDE.finditer(comments_gone):
        yield comments_gone.count("\n", 0, match.start()) + 1, match.group(1)


def full_includes(path, text):
    """An include names the folder too: the compiler's include path then decides whether the layer may see it."""
    if path.startswith(OURS):
        for number, included in includes(text):
            if "/" not in included:
                yield number, f'"{included}": write the folder it belongs to'


def module_of(path):
    """thing.h and thing.c are one module; its name is the way it is included."""
    inside = path.removeprefix("libcommon/").removeprefix("services/")
    return inside.rsplit(".", 1)[0]


def circles_in(graph):
    """Groups of nodes of which each reaches the others (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def all_circles(paths):
    """Circles of includes between modules, and between the folders of a part. A service's own folder (main.c, app.h) wires
    the others and does not count as one of them."""
    modules, folders = {}, {}
    for path in paths:
        if not path.startswith(OURS):
            continue
        module = module_of(path)
        for _, included in includes(pathlib.Path(path).read_text()):
            other = included.removesuffix(".h")
            if other == module:
                continue
            modules.setdefault(module, set()).add(other)
            ours, theirs = module.rsplit("/", 1)[0], other.rsplit("/", 1)[0]
            if ours != theirs and "/" in ours and "/" in theirs:
                folders.setdefault(ours, set()).add(theirs)
    for kind, graph in (("files", modules), ("folders", folders)):
        for group in circles_in(graph):
            yield f"{kind} that include each other in a circle: {', '.join(group)}"


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


RULES = {"banned": banned, "full-includes": full_includes, "guards": guards, "lines": lines}


def main():
    if sys.argv[1] == "circles":
        found = list(all_circles(sys.argv[2:]))
        print("\n".join(found))
        return bool(found)
    rule, failed = RULES[sys.argv[1]], 0
    for path in sys.argv[2:]:
        for number, problem in rule(path, pathlib.Path(path).read_text()):
            print(f"{path}:{number}: {problem}")
            failed = 1
    return failed


if __name__ == "__main__":
    os.chdir(pathlib.Path(__file__).resolve().parents[2])
    sys.exit(main())
