#!/usr/bin/python3
"""Validates reports against the schema of this repository with an independent validator (the
jsonschema package). Exit 1 names the first problem of each report."""

import json
import pathlib
import sys

import jsonschema

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "reports" / "report-1.schema.json"


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def main(paths):
    if not paths:
        print("usage: validate_report.py REPORT.json ...", file=sys.stderr)
        return 64
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    bad = 0
    for path in paths:
        report = json.loads(pathlib.Path(path).read_text(), parse_constant=refuse_constant)
        error = jsonschema.exceptions.best_match(validator.iter_errors(report))
        if error is None:
            print(f"{path}: valid, {len(report['results'])} results")
        else:
            bad += 1
            where = "/".join(str(p) for p in error.absolute_path)
            print(f"{path}: {where}: {error.message[:300]}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
