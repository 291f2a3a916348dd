"""Compares what the services say with docs/openapi.yaml and docs/asyncapi.yaml."""
import json
import pathlib
import re

import jsonschema
import yaml

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
OPENAPI = yaml.safe_load((DOCS / "openapi.yaml").read_text())
ASYNCAPI = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
URIS = {(DOCS / "openapi.yaml").as_uri(): OPENAPI, (DOCS / "asyncapi.yaml").as_uri(): ASYNCAPI}
CLOSE_CODES = ASYNCAPI["x-close-codes"]
CONTENT_TYPES = OPENAPI["components"]["schemas"]["ContentType"]["enum"]

_validators = {}


class NotAsDocumented(AssertionError):
    pass


def _pattern(validator, pattern, instance, schema):
    """A pattern as JSON Schema means it: `$` is the end of the text, while Python's `$` also matches before a final newline."""
    del schema
    if validator.is_type(instance, "string") and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})


def _resolver(document):
    return jsonschema.RefResolver((DOCS / document).as_uri(), URIS[(DOCS / document).as_uri()], store=URIS)


def _validator(document, schema):
    key = id(schema)  # the documents live as long as the process
    if key not in _validators:
        _validators[key] = Validator(schema, resolver=_resolver(document))
    return _validators[key]


def _fault(document, schema, value):
    """What is wrong with the value, as one sentence; None if nothing is."""
    error = jsonschema.exceptions.best_match(_validator(document, schema).iter_errors(value))
    return error and f"at {'.'.join(map(str, error.absolute_path)) or 'the top'}: {error.message}"


def deref(node):
    """The target of a reference inside openapi.yaml."""
    while "$ref" in node:
        target = OPENAPI
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def _path_pattern(template):
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)))


PATHS = [(_path_pattern(template), operations) for template, operations in OPENAPI["paths"].items()]


def operation(method, path):
    """The documented operation, or None if the path or the method is not documented."""
    for pattern, operations in PATHS:
        if pattern.fullmatch(path):
            return operations.get("get" if method == "HEAD" else method.lower())
    return None


def _documented_answer(method, path, status, prefix):
    if any(pattern.fullmatch(path) for pattern, _ in PATHS):
        found = operation(method, path)
        answers = found["responses"] if found else {"405": {"$ref": f"#/components/responses/{prefix}MethodNotAllowed"}}
    else:
        answers = {"404": {"$ref": f"#/components/responses/{prefix}NotFound"}}
    if str(status) not in answers:
        raise NotAsDocumented(f"{method} {path} answered {status}; openapi.yaml has {', '.join(answers)}")
    return deref(answers[str(status)])


def check_answer(method, path, answer, prefix=""):
    """
    `answer` has status, headers (names in any case) and bytes; returns the JSON of its body, or its text. `prefix`
    "Handshake" is for what a gateway answers.
    """
    documented = _documented_answer(method, path, answer.status, prefix)
    where = f"{method} {path} {answer.status}"
    for name, described in documented.get("headers", {}).items():
        values = answer.headers.getall(name, [])
        header = deref(described)
        if len(values) > 1 or (header.get("required") and not values):
            raise NotAsDocumented(f"{where}: {len(values)} headers {name}")
        fault = values and _fault("openapi.yaml", header["schema"], values[0])
        if fault:
            raise NotAsDocumented(f"{where}: {name}: {fault}")
    if method == "HEAD" or "content" not in documented:
        if answer.bytes:
            raise NotAsDocumented(f"{where}: a body of {len(answer.bytes)} bytes")
        return None
    return _check_content(where, documented["content"], answer)


def _check_content(where, content, answer):
    (content_type, media), = content.items()
    actual = answer.headers.get("Content-Type", "").split(";")[0]
    if actual != content_type:
        raise NotAsDocumented(f"{where}: Content-Type {actual!r} instead of {content_type}: {answer.bytes[:200]!r}")
    value = strict_json(answer.bytes) if content_type.endswith("json") else answer.bytes.decode()
    fault = _fault("openapi.yaml", media["schema"], value)
    if fault:
        raise NotAsDocumented(f"{where}: {fault} in {answer.bytes[:1000]!r}")
    return value


def takes_body(method, path):
    """Not where the body may be absent."""
    return operation(method, path).get("requestBody", {}).get("required", False)


def request_fault(method, path, body):
    """Why the documented operation refuses this JSON, or None if it accepts it."""
    content = operation(method, path)["requestBody"]["content"]
    return _fault("openapi.yaml", content["application/json"]["schema"], body)


def strict_json(text):
    """Reads JSON strictly: UTF-8, no key twice, no NaN."""
    def no_duplicates(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise NotAsDocumented(f"a key is given twice in {text[:200]!r}")
        return dict(pairs)

    def no_constant(name):
        raise NotAsDocumented(f"{name} in {text[:200]!r}")
    return json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)


def _frames(operation_name):
    frames = {}
    for reference in ASYNCAPI["operations"][operation_name]["messages"]:
        message = ASYNCAPI["components"]["messages"][reference["$ref"].rsplit("/", 1)[1]]
        frames[message["payload"]["properties"]["type"]["const"]] = message
    return frames


SERVER_FRAMES, CLIENT_FRAMES = _frames("toClient"), _frames("fromClient")


def check_frame(frame):
    """A frame of the server, as an object."""
    message = SERVER_FRAMES.get(frame.get("type"))
    if not message:
        raise NotAsDocumented(f"asyncapi.yaml has no such frame: {frame}")
    fault = _fault("asyncapi.yaml", message["payload"], frame)
    if fault:
        raise NotAsDocumented(f"frame {frame['type']}: {fault} in {frame}")


def client_frame_fault(frame):
    """Why asyncapi.yaml does not allow a client to send this, or None if it does."""
    message = CLIENT_FRAMES.get(frame.get("type"))
    return _fault("asyncapi.yaml", message["payload"], frame) if message else "no such frame"


def check_close(code):
    if code not in CLOSE_CODES:
        raise NotAsDocumented(f"asyncapi.yaml has no close code {code}")


def examples():
    """Every example of both documents: its place, its schema's name, and what is wrong with it (None: nothing)."""
    def walk(node, place):
        if isinstance(node, dict):
            if "schema" in node:
                for name, example in ({"": {"value": node["example"]}} if "example" in node
                                      else node.get("examples", {})).items():
                    yield f"{place}/{name}", _fault("openapi.yaml", node["schema"], example["value"])
            for key, value in node.items():
                yield from walk(value, f"{place}/{key}")
    yield from walk(OPENAPI, "openapi")
    for name, message in ASYNCAPI["components"]["messages"].items():
        for example in message["examples"]:
            yield f"asyncapi/{name}", _fault("asyncapi.yaml", message["payload"], example["payload"])
