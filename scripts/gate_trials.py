#!/usr/bin/env python3
"""Trials of the gate: how often does it call a copy slower (A/A), how often does it find a kernel that
was made slower (A/B)? Builds what it needs, appends one line a trial to a journal, and writes a table
from all lines; run it again to go on, or with a larger --runs.

    scripts/gate_trials.py --runs 40 --kind aa
    scripts/gate_trials.py --runs 20 --kind slow10 --kind slow5

Where others use the machine as well, --around "flock -x FILE" keeps them out of one trial at a time.
"""

import argparse
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# By how many percent a kernel is slower; "busy": with a compiler running beside.
KINDS = {"aa": 0, "aa_busy": 0, "slow5": 5, "slow10": 10, "slow10_busy": 10}


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


def trial(kind, number, base, program, kernel, around):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "gate.json"
        load = busy() if kind.endswith("busy") else None
        try:
            done = subprocess.run(
                [*around, program, "gate", base, "--seed", str(1000 + number), "--out", out],
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
        "build": gate["b"]["build"],
        "exit": gate["exit_code"],
        "noise": gate["noise"],
        "wall_s": gate["wall_s"],
        "regressed": [c for c, v in verdicts.items() if v == "regressed"],
        "cases": {c["id"]: {"verdict": c["verdict"], "control": c["control"], **c["shift"]}
                  for c in gate["cases"]},
        "slowed": {c: v for c, v in verdicts.items() if c.startswith(kernel + "/")},
    }


def slowed_noise(line):
    """The noise floor of the case that is slower, or may be: what a copy differs by."""
    return max(abs(line["cases"][c]["control"]) for c in line["slowed"])


def table(lines):
    rows = ["| trials | runs | alarms | right case named | called the same | its A/A: median, most | "
            "A/A of all: median, most | longest |", "|---|---:|---:|---:|---:|---:|---:|---:|"]

    def add(name, of_kind, slowed):
        if not of_kind:
            return
        alarms = sum(l["exit"] == 1 for l in of_kind)
        named = sum(any(c in l["slowed"] for c in l["regressed"]) for l in of_kind)
        same = sum("same" in l["slowed"].values() for l in of_kind)
        noises = [sorted(slowed_noise(l) for l in of_kind), sorted(l["noise"] for l in of_kind)]
        shown = [f"{100 * n[len(n) // 2]:.1f} %, {100 * n[-1]:.1f} %" for n in noises]
        longest = max(l["wall_s"] for l in of_kind)
        rows.append(f"| {name} | {len(of_kind)} | {alarms} | {named if slowed else '-'} | "
                    f"{same if slowed else '-'} | {shown[0]} | {shown[1]} | {longest:.0f} s |")

    for kind, slowed in KINDS.items():
        of_kind = [l for l in lines if l["kind"] == kind]
        add(kind, of_kind, slowed)
        if kind == "slow5":
            add("slow5, its A/A 1 % or less", [l for l in of_kind if slowed_noise(l) <= 0.01], slowed)
    return "\n".join(rows) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="of each kind, those done before included")
    parser.add_argument("--kind", action="append", choices=KINDS, help="default: all; repeatable")
    parser.add_argument("--kernel", default="cpu/matmul_int8_avx512vnni", help="the one made slower")
    parser.add_argument("--builds", type=pathlib.Path, default=ROOT / "build",
                        help="folder of their build trees, gate_base and so on")
    parser.add_argument("--journal", type=pathlib.Path, default=ROOT / "out" / "gate_trials.jsonl")
    parser.add_argument("--around", type=shlex.split, default=[], help="command in front of each trial")
    parser.add_argument("--table", type=pathlib.Path, help="also write the table to this file")
    args = parser.parse_args()
    args.journal.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(l) for l in args.journal.read_text().splitlines()] if args.journal.exists() else []

    base = build(args.builds / "gate_base", args.kernel, 0)
    for kind in args.kind or KINDS:
        if KINDS[kind]:
            program = build(args.builds / f"gate_slow{KINDS[kind]}", args.kernel, KINDS[kind])
        else:
            program = args.builds / f"gate_copy_{kind}" / "rotor-bench"
            program.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(base, program)
        done = sum(l["kind"] == kind for l in lines)
        for number in range(done, args.runs):
            line = trial(kind, number, base, program, args.kernel, args.around)
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
