#!/usr/bin/env python3
"""Ends runs of rotor-bench at random moments and goes on with each: what was finished must be kept, the
journal must give a report, and --resume must complete it.

    scripts/kill_trials.py build/release/rotor-bench --runs 20
"""

import argparse
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

FLAGS = ["--device", "cpu", "--filter", "portable/n64_k256_b", "--budget", "6s", "--no-roofline"]


def passed(report):
    return {r["case"]["id"] for r in report["results"] if r["status"] == "pass"}


def trial(program, how, seed):
    """None, or what was wrong."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        out = folder / "r.json"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        run = subprocess.Popen([program, *FLAGS, "--seed", str(seed), "--out", out], **quiet)
        time.sleep(chance.uniform(0.3, 5))
        run.send_signal(how)
        code = run.wait(60)
        if how == signal.SIGINT and code not in (0, 130):
            return f"ended with {code}"
        if how == signal.SIGINT and not out.exists():
            return "left no report"
        if not (folder / "r.jsonl").exists() or not (folder / "r.jsonl").read_text().count("\n"):
            return None  # ended before the first record: nothing to keep
        shown = folder / "cut.json"
        if subprocess.run([program, "show", folder / "r.jsonl", "--out", shown], **quiet).returncode:
            return "the journal gives no report"
        kept = passed(json.loads(shown.read_text()))
        again = subprocess.run([program, *FLAGS, "--out", out, "--resume"], capture_output=True, text=True)
        if again.returncode:
            return f"--resume ended with {again.returncode}: {again.stderr.strip()}"
        report = json.loads(out.read_text())
        if not report["run"]["complete"] or not kept <= passed(report):
            return "--resume lost cases"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--runs", type=int, default=20, help="of each way to end a run")
    args = parser.parse_args()
    bad = 0
    for how in (signal.SIGKILL, signal.SIGINT):
        wrong = [w for w in (trial(args.program, how, seed) for seed in range(args.runs)) if w]
        bad += len(wrong)
        print(f"{how.name}: {args.runs - len(wrong)} of {args.runs} kept what was finished and went on", *wrong, sep="\n  ", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
