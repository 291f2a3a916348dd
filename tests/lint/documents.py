#!/usr/bin/python3
"""Checks of the documents.

documents.py openapi FILE            docs/openapi.yaml against OpenAPI
documents.py asyncapi FILE SCHEMA    docs/asyncapi.yaml against AsyncAPI 3.0
documents.py references              every link of a document, and every path and metric that it names, leads somewhere

The first two need the python of build/lint-tools, the last one needs only git. Each prints what is wrong, and fails when
there is something.
"""
import functools
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys

# ---- OpenAPI and AsyncAPI ----


def openapi_errors(path):
    import openapi_spec_validator
    import yaml
    document = yaml.safe_load(path.read_text())
    return openapi_spec_validator.OpenAPIV31SpecValidator(document).iter_errors() \
        if str(document.get("openapi")).startswith("3.1") \
        else openapi_spec_validator.OpenAPIV30SpecValidator(document).iter_errors()


def asyncapi_errors(path, schema):
    import jsonschema
    import yaml
    document = yaml.safe_load(path.read_text())
    return jsonschema.Draft7Validator(json.loads(schema.read_text())).iter_errors(document)


def check_description(kind, path, schema):
    import jsonschema
    if not path.exists():
        print(f"{path} is missing")
        return 1
    errors = openapi_errors(path) if kind == "openapi" else asyncapi_errors(path, schema)
    failed = 0
    for error in errors:
        best = jsonschema.exceptions.best_match([error]) if error.context else error
        print(f"{path}: at {'/'.join(str(step) for step in error.absolute_path) or 'the top'}: {best.message[:300]}")
        failed = 1
    return failed


# ---- links and paths ----

ROOT = pathlib.Path(__file__).resolve().parents[2]

LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

# Folders at the top of the tree whose content is kept in git.
TOP = ("deploy", "docs", "libclient", "libcommon", "mk", "proto", "services", "tests", "tools", r"\.ci")
FULL_PATH = re.compile(r"(?<![\w./-])((?:" + "|".join(TOP) + r")/[\w./*{},-]*)")
# A path as an #include writes it ("im/http/auth.h"), and the name of a file without its folder ("auth.c").
SUFFIX = r"\.(?:c|h|py|sh|sql|proto|pml|mk)"
SHORT_PATH = re.compile(r"(?<![\w./-])((?:[a-z_0-9]+/)+[\w*{},-]+" + SUFFIX + r")(?![\w/])")
FILE_NAME = re.compile(r"`([a-z][\w-]*" + SUFFIX + r")`")
PLACEHOLDER = re.compile(r"[A-Z]{3,}|\.\.\.")  # tests/fuzz/NAME_fuzz.c stands for any of them

METRIC = re.compile(r"\bskein_(?:gateway|im|push|router)_[a-z_]*[a-z]\b(?![_*])")  # skein_im_* stands for several
# "`skein_im_unsettled_sends`, `_bytes`": the last part of a metric of the same line, or a metric of the same service without
# the first parts of its name ("`closes_total{code="4004"}`").
METRIC_SHORT = re.compile(r"`(_[a-z][a-z_]*|(?!skein_)[a-z][a-z_]*_total)(?:\{[^`]*\})?`")
METRIC_MADE = re.compile(r'"(skein_\w+)"')

# A document that sources name.
DOCUMENT = re.compile(r"(?<![\w./-])(docs/[\w./-]+\.(?:md|yaml))")


@functools.cache
def tracked():
    """Every file that git has or would take, without those that were removed and not committed."""
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                           check=True, capture_output=True, text=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file()]


@functools.cache
def file_names():
    return {name.rsplit("/", 1)[-1] for name in tracked()}


@functools.cache
def anchors(path):
    """The anchors of a document's headings, made as GitHub makes them."""
    headings = HEADING.findall(FENCE.sub("", path.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def expanded(path):
    """a{b,c} as ab and ac."""
    match = re.search(r"\{([^{}]*)\}", path)
    if not match:
        return [path]
    return list(itertools.chain.from_iterable(
        expanded(path[:match.start()] + part + path[match.end():]) for part in match.group(1).split(",")))


def exists(path, folder):
    """A file or folder: from the top of the tree, as an #include names it, or from the document's own folder."""
    starts = (ROOT, ROOT / "libcommon", ROOT / "services", folder)
    return any(next(start.glob(path.rstrip("/")), None) for start in starts)


def broken_links(path, text):
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        if not there.exists():
            yield f"the link to {link} leads nowhere"
        elif anchor and there.suffix == ".md" and anchor not in anchors(there):
            yield f"the link to {link}: {there.name} has no such heading"


def missing_paths(folder, text):
    found = FULL_PATH.findall(text) + SHORT_PATH.findall(text)
    for path in {one for name in found for one in expanded(name.rstrip(".,-{"))}:
        if not PLACEHOLDER.search(path.replace("README.md", "")) and not exists(path, folder):
            yield f"there is no {path}"
    for name in set(FILE_NAME.findall(text)) - file_names():
        yield f"no folder has a file {name}"


@functools.cache
def metrics():
    """The names of all metrics that the services have."""
    sources = [name for name in tracked() if name.endswith(".c") and name.startswith(("services/", "libcommon/"))]
    return set(itertools.chain.from_iterable(METRIC_MADE.findall((ROOT / name).read_text()) for name in sources))


def is_metric(name):
    return name in metrics() or re.sub(r"_(sum|count|bucket)$", "", name) in metrics()


def metrics_meant(short, full):
    """The names that a short one may stand for, beside a full one: skein_im_unsettled_sends and _bytes."""
    parts = full.split("_")
    if not short.startswith("_"):
        return ["_".join(parts[:2]) + "_" + short]
    return ["_".join(parts[:count]) + short for count in range(2, len(parts) + 1)]


def missing_metrics(text):
    for name in {name for name in METRIC.findall(text) if not is_metric(name)}:
        yield f"there is no metric {name}"
    for line in text.splitlines():
        full = METRIC.findall(line)
        for short in METRIC_SHORT.findall(line) if full else []:
            if not any(is_metric(name) for beside in full for name in metrics_meant(short, beside)):
                yield f"there is no metric {short} beside {full[0]}"


def missing_documents(text):
    for name in set(DOCUMENT.findall(text)):
        if not (ROOT / name).exists():
            yield f"there is no {name}"


def wrong_references(name):
    path = ROOT / name
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return
    if path.suffix == ".md":
        yield from broken_links(path, text)
        yield from missing_paths(path.parent, text)
        if name != "CHANGELOG.md":  # which names those that are gone, too
            yield from missing_metrics(text)
    elif name.startswith("docs/"):
        yield from broken_links(path, text)
        yield from missing_metrics(text)
    else:
        yield from missing_documents(text)
        if name.startswith(("deploy/", "tools/", ".ci/")):
            yield from missing_metrics(text)


def check_references():
    failed = 0
    for name in sorted(tracked()):
        for problem in sorted(wrong_references(name)):
            print(f"{name}: {problem}")
            failed = 1
    return failed


def main():
    os.chdir(ROOT)
    if sys.argv[1] == "references":
        return check_references()
    return check_description(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None)


if __name__ == "__main__":
    sys.exit(main())
