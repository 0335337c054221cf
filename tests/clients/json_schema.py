"""Holds a JSON document against a JSON schema: json_schema.py SCHEMA DOCUMENT. Prints `valid`, or where it is not."""

import json
import sys

import jsonschema


def main():
    schema, document = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:])
    checker = jsonschema.validators.validator_for(schema)(schema)
    wrong = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in checker.iter_errors(document)]
    print("\n".join(wrong) or "valid")


main()
