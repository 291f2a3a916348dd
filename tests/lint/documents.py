"""Validates docs/openapi.yaml against OpenAPI, docs/asyncapi.yaml against AsyncAPI 3.0 (python of build/lint-tools)."""
import json
import pathlib
import sys

import jsonschema
import openapi_spec_validator
import yaml


def openapi(path):
    document = yaml.safe_load(path.read_text())
    return openapi_spec_validator.OpenAPIV31SpecValidator(document).iter_errors() \
        if str(document.get("openapi")).startswith("3.1") \
        else openapi_spec_validator.OpenAPIV30SpecValidator(document).iter_errors()


def asyncapi(path, schema):
    document = yaml.safe_load(path.read_text())
    return jsonschema.Draft7Validator(json.loads(schema.read_text())).iter_errors(document)


def main():
    kind, path = sys.argv[1], pathlib.Path(sys.argv[2])
    if not path.exists():
        print(f"{path} is missing")
        return 1
    errors = openapi(path) if kind == "openapi" else asyncapi(path, pathlib.Path(sys.argv[3]))
    failed = 0
    for error in errors:
        best = jsonschema.exceptions.best_match([error]) if error.context else error
        print(f"{path}: at {'/'.join(str(step) for step in error.absolute_path) or 'the top'}: {best.message[:300]}")
        failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
