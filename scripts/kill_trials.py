#!/usr/bin/env python3
"""Breaks runs of rotor-bench at random moments, and goes on with each. Whatever broke it: the journal must
give a valid report with all that was finished, only the case at hand may be lost, and --resume must
complete the run.

    scripts/kill_trials.py build/release/rotor-bench --runs 20
"""

import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import jsonschema

FLAGS = ["--device", "cpu", "--filter", "portable/n64_k256_b", "--no-roofline",
         "--prepare-timeout", "2s", "--run-timeout", "2s"]
BUDGET = {"hang": "8s"}  # the wait for a sign of life is part of it
MOMENTS = (0.05, 4)  # seconds after the start, first and last
SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "reports" / "report-1.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Wrong(Exception):
    """What a trial found wrong."""


def statuses(report):
    return {r["case"]["id"]: r["status"] for r in report["results"]}


def passed(report):
    return {case for case, status in statuses(report).items() if status == "pass"}


def losses(report):
    """Cases that were lost, and what was at hand: a row loses all its cases when its battery breaks."""
    return {r["case"]["id"]: r["case"]["variant"] if r["reason"]["code"] == "battery_failed" else r["case"]["id"]
            for r in report["results"] if r["status"] in ("crash", "timeout", "device_lost", "error")}


def read(path):
    report = json.loads(path.read_text())
    error = jsonschema.exceptions.best_match(VALIDATOR.iter_errors(report))
    if error:
        raise Wrong(f"{path.name} is not valid: {error.message[:200]}")
    return report


def begin(command, seed, before=None, **environment):
    return subprocess.Popen([*command, "--seed", str(seed)], **QUIET, preexec_fn=before,
                            env={**os.environ, **environment}, start_new_session=True)


def worker_of(run):
    """Its process id; nothing while there is none."""
    try:
        children = pathlib.Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def strike_worker(run, how):
    worker = worker_of(run)
    if worker:
        try:
            os.kill(worker, how)
        except ProcessLookupError:
            pass  # it had just ended


# Each way to break a run starts it, breaks it, and returns its exit code and those that are right.
def kill_parent(command, seed, chance):
    run = begin(command, seed)
    time.sleep(chance.uniform(*MOMENTS))
    worker = worker_of(run)
    run.kill()
    run.wait(60)
    time.sleep(0.2)
    if worker and pathlib.Path(f"/proc/{worker}/exe").exists():  # a zombie has none
        raise Wrong("a worker outlived its run")
    return 0, (0,)


def kill_worker(command, seed, chance):
    run = begin(command, seed)
    time.sleep(chance.uniform(*MOMENTS))
    strike_worker(run, signal.SIGKILL)
    return run.wait(60), (0, 4)


def hang(command, seed, chance):
    """A worker that stands still at any moment, or a kernel that hangs in one phase of one case."""
    if seed % 2:
        run = begin(command, seed)
        time.sleep(chance.uniform(*MOMENTS))
        strike_worker(run, signal.SIGSTOP)
        return run.wait(60), (0, 4)
    phase = chance.choice(["fill", "check", "sample", "check_timed"])
    case = "bitpacked_portable/n64_k256_b" + chance.choice(["1", "5", "8", "32", "128"]) + "$"
    run = begin(command, seed, ROTOR_FAULT=f"hang {phase} {case}")
    return run.wait(60), (4,)


def full_disk(command, seed, chance):
    """A limit on the size of files stands for it."""
    limit = chance.randrange(4, 160) * 1024

    def shrink():
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    run = begin(command, seed, shrink)
    return run.wait(60), (0, 73)


def interrupt(command, seed, chance):
    """Ctrl-C reaches every process of the terminal."""
    run = begin(command, seed)
    time.sleep(chance.uniform(*MOMENTS))
    os.killpg(run.pid, signal.SIGINT)
    code = run.wait(60)
    return code, (0, 130, -signal.SIGINT)  # the last: before it was ready for signals


WAYS = {"parent": kill_parent, "worker": kill_worker, "hang": hang, "disk": full_disk, "interrupt": interrupt}


def trial(way, program, seed):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        out, journal, shown = folder / "r.json", folder / "r.jsonl", folder / "cut.json"
        command = [program, *FLAGS, "--budget", BUDGET.get(way, "5s"), "--out", out]
        code, right = WAYS[way](command, seed, random.Random(f"{way} {seed}"))
        if code not in right:
            raise Wrong(f"ended with {code}")
        if way != "parent" and code >= 0 and code != 73 and not out.exists():
            raise Wrong("left no report")
        if not journal.exists() or not journal.read_text().count("\n"):
            return "before its first record"
        if subprocess.run([program, "show", journal, "--out", shown], **QUIET).returncode:
            raise Wrong("the journal gives no report")
        cut = read(shown)
        if out.exists():
            read(out)
        lost = losses(cut)
        if len(set(lost.values())) > 1:
            raise Wrong(f"more than one case was lost: {sorted(lost)}")
        again = subprocess.run([*command, "--resume"], capture_output=True, text=True)
        if again.returncode != (4 if lost else 0):
            raise Wrong(f"--resume ended with {again.returncode}: {again.stderr.strip()}")
        report = read(out)
        if not report["run"]["complete"] or "not_run" in statuses(report).values():
            raise Wrong("--resume did not complete it")
        if not passed(cut) <= passed(report):
            raise Wrong("--resume lost cases")
        return f"{len(passed(cut))} kept, {len(lost)} lost"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--runs", type=int, default=20, help="of each way to break a run")
    parser.add_argument("--way", action="append", choices=WAYS, help="default: all; repeatable")
    parser.add_argument("--verbose", action="store_true", help="a line for each trial")
    args = parser.parse_args()
    bad = 0
    for way in args.way or WAYS:
        right = 0
        for seed in range(args.runs):
            try:
                found = trial(way, args.program, seed)
                right += 1
            except Wrong as wrong:
                found = f"WRONG: {wrong}"
            if args.verbose or found.startswith("WRONG"):
                print(f"  {way} {seed}: {found}", flush=True)
        bad += args.runs - right
        print(f"{way}: {right} of {args.runs} kept what was finished and went on", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
