#!/usr/bin/python3
"""Validates reports, and what is made of them, against the schemas of this repository with an
independent validator (the jsonschema package). Exit 1 names the first problem of each file."""

import json
import pathlib
import sys

import jsonschema

REPORTS = pathlib.Path(__file__).resolve().parent.parent / "reports"
# By the name in a file's "format"; the member that tells how much it holds.
SCHEMAS = {
    "rotor.report": ("report-1.schema.json", "results"),
    "rotor.comparison": ("comparison-1.schema.json", "cases"),
    "rotor.held": ("held-1.schema.json", "products"),
    "rotor.projection": ("projection-1.schema.json", "targets"),
    "rotor.hardware": ("hardware-1.schema.json", "targets"),
    "rotor.gate": ("gate-2.schema.json", "cases"),
}


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def main(paths):
    if not paths:
        print("usage: validate_report.py REPORT.json ...", file=sys.stderr)
        return 64
    bad = 0
    for path in paths:
        report = json.loads(pathlib.Path(path).read_text(), parse_constant=refuse_constant)
        name, content = SCHEMAS[report["format"]["name"]]
        schema = json.loads((REPORTS / name).read_text())
        validator = jsonschema.Draft202012Validator(schema)
        error = jsonschema.exceptions.best_match(validator.iter_errors(report))
        if error is None:
            if report["format"].get("kind") == "published":
                report, content = report["published"], "products"
            print(f"{path}: valid, {len(report[content])} {content}")
        else:
            bad += 1
            where = "/".join(str(p) for p in error.absolute_path)
            print(f"{path}: {where}: {error.message[:300]}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
