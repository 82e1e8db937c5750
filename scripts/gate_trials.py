#!/usr/bin/env python3
"""Trials of the gate: how often does it call a copy slower (A/A), how often does it find a kernel that
was made slower (A/B)? Builds what it needs, appends one line a trial to a journal, and writes a table
from all lines; run it again to go on, or with a larger --runs.

    scripts/gate_trials.py --runs 40 --kind aa
    scripts/gate_trials.py --runs 20 --kind slow10 --kind slow5
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
KINDS = {"aa": 0, "aa_busy": 0, "slow5": 5, "slow10": 10}


def build(folder, kernel, percent):
    """A Release build; with a kernel made slower where `percent` is above 0."""
    flags = [f"-DROTOR_SLOW_KERNEL={kernel if percent else ''}", f"-DROTOR_SLOW_PERCENT={percent}"]
    subprocess.run(
        ["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
         "-DROTOR_TESTS=OFF", *flags],
        check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder, "--target", "rotor-bench"], check=True,
                   stdout=subprocess.DEVNULL)
    return folder / "rotor-bench"


def busy():
    """A compiler at work, over and over, until it is ended."""
    source = "#include <regex>\n#include <iostream>\nstd::regex r(\"a*b\");\n"
    return subprocess.Popen(
        ["sh", "-c", f"while :; do printf '%s' '{source}' | g++ -std=c++20 -O2 -x c++ -c -o /dev/null -; done"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def trial(kind, number, base, program, kernel):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "gate.json"
        load = busy() if kind == "aa_busy" else None
        try:
            done = subprocess.run([program, "gate", base, "--seed", str(1000 + number), "--out", out],
                                  capture_output=True, text=True)
        finally:
            if load:
                os.killpg(load.pid, 15)
                load.wait()
        if not out.exists():
            sys.exit(f"trial {kind} {number}: exit {done.returncode}: {done.stderr.strip()}")
        gate = json.loads(out.read_text())
    verdicts = {c["id"]: c["verdict"] for c in gate["cases"]}
    return {
        "kind": kind,
        "number": number,
        "exit": gate["exit_code"],
        "noise": gate["noise"],
        "wall_s": gate["wall_s"],
        "regressed": [c for c, v in verdicts.items() if v == "regressed"],
        "slowed": {c: v for c, v in verdicts.items() if c.startswith(kernel + "/")},
    }


def table(lines):
    rows = ["| trials | runs | alarms | right case named | never called the same | noise floor, median | longest |",
            "|---|---:|---:|---:|---:|---:|---:|"]
    for kind in KINDS:
        of_kind = [l for l in lines if l["kind"] == kind]
        if not of_kind:
            continue
        alarms = sum(l["exit"] == 1 for l in of_kind)
        named = sum(any(c in l["slowed"] for c in l["regressed"]) for l in of_kind)
        not_same = sum("same" not in l["slowed"].values() for l in of_kind)
        noise = sorted(l["noise"] for l in of_kind)[len(of_kind) // 2]
        longest = max(l["wall_s"] for l in of_kind)
        slowed = KINDS[kind] > 0
        rows.append(f"| {kind} | {len(of_kind)} | {alarms} | {named if slowed else '-'} | "
                    f"{not_same if slowed else '-'} | {100 * noise:.1f} % | {longest:.0f} s |")
    return "\n".join(rows) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="of each kind, those done before included")
    parser.add_argument("--kind", action="append", choices=KINDS, help="default: all; repeatable")
    parser.add_argument("--kernel", default="cpu/matmul_int8_avx512vnni", help="the one made slower")
    parser.add_argument("--builds", type=pathlib.Path, default=ROOT / "build" / "gate")
    parser.add_argument("--journal", type=pathlib.Path, default=ROOT / "out" / "gate_trials.jsonl")
    parser.add_argument("--table", type=pathlib.Path, help="also write the table to this file")
    args = parser.parse_args()
    args.journal.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(l) for l in args.journal.read_text().splitlines()] if args.journal.exists() else []

    base = build(args.builds / "base", args.kernel, 0)
    for kind in args.kind or KINDS:
        if KINDS[kind]:
            program = build(args.builds / kind, args.kernel, KINDS[kind])
        else:
            program = args.builds / "copy" / "rotor-bench"
            program.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(base, program)
        done = sum(l["kind"] == kind for l in lines)
        for number in range(done, args.runs):
            line = trial(kind, number, base, program, args.kernel)
            lines.append(line)
            with args.journal.open("a") as journal:
                journal.write(json.dumps(line) + "\n")
                journal.flush()
                os.fsync(journal.fileno())
            print(f"{kind} {number + 1}/{args.runs}: exit {line['exit']}, {line['wall_s']:.0f} s, "
                  f"noise {100 * line['noise']:.1f} %", flush=True)
    print(table(lines))
    if args.table:
        args.table.write_text(table(lines))


if __name__ == "__main__":
    main()
