#!/usr/bin/env python3
"""Times `rotor` and llama-bench programs of other projects in turns, on one machine.

    scripts/compare_peers.py --peer ik=~/ik_llama.cpp/build/bin/llama-bench:~/2b4t-iq2_bn_r4.gguf \\
        --rotor ours=build/release/rotor --threads 2 1 --rounds 5 --json out.json

Models for the others: `rotor convert synthetic:2b4t/1 2b4t-i2_s.gguf --embedding q6_k`; give rotor
the same weights with --model. A round runs each contender once per work, so that what a neighbour does to
the machine hits all of them; the ratios are of one round, and their median is what counts. A --json file that
is there already is added to. Work: generate:N is N tokens after a prompt of one, prompt:N a prompt of N.
Before each round the limits of the machine are measured with `rotor-bench` (it lies beside the first
rotor), unless --no-roof. A run during which other processes had more than 6 % of a processor is repeated.

A rotor can have flags of its own: --rotor "avx2=build/release/rotor --features avx2".
"""
import argparse
import json
import os
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time


MOST_OF_OTHERS = 0.06  # processors that others may have had during a run
REPEATS = 20
PAUSE_S = 3  # before a repetition


def busy_seconds():
    """Time that all processors were busy since the start, and that of our finished children."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK"), used.ru_utime + used.ru_stime


def undisturbed(run, *args):
    """What run(*args) gives; again where other processes, or other machines of the host, took part."""
    for _ in range(REPEATS):
        start, (busy, ours) = time.monotonic(), busy_seconds()
        result = run(*args)
        busy_after, ours_after = busy_seconds()
        others = (busy_after - busy - (ours_after - ours)) / (time.monotonic() - start)
        if others <= MOST_OF_OTHERS:
            return result
        print(f"others had {others:.0%} of a processor: again", file=sys.stderr, flush=True)
        time.sleep(PAUSE_S)
    sys.exit(f"the machine is too busy: {REPEATS} runs in a row were disturbed")


def rotor_rate(command, model, kind, count, threads):
    """Tokens per second of one run."""
    ids = " ".join(str(37 * i % 1000 + 1) for i in range(count if kind == "prompt" else 1))
    tokens = 1 if kind == "prompt" else count
    run = subprocess.run(
        command[:1] + ["generate", "--model", model, "--device", "cpu", "--greedy", "--ids",
                   "--threads", str(threads), "--max-tokens", str(tokens), *command[1:], ids],
        capture_output=True, text=True, check=True)
    line = {"prompt": r"prompt +\d+ tokens in [\d.]+ s, ([\d.]+)",
            "generate": r"generated +\d+ tokens in [\d.]+ s, ([\d.]+)"}[kind]
    return float(re.search(line, run.stderr).group(1))


def peer_rate(command, model, kind, count, threads):
    prompt, generate = (count, 0) if kind == "prompt" else (0, count)
    run = subprocess.run(
        command + ["-m", model, "-t", str(threads), "-p", str(prompt), "-n", str(generate),
                   "-r", "1", "-o", "json"], capture_output=True, text=True, check=True)
    return json.loads(run.stdout[run.stdout.index("["):])[0]["avg_ts"]


def roofs(rotor_bench):
    """The machine's limits: bytes/s from memory by threads, int8 operations/s."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "roof.json")
        subprocess.run([rotor_bench, "--suite", "matmul", "--device", "cpu", "--filter",
                        "matmul_bitpacked_avx2/n640_k2560_b1$", "--roofline", "--no-isolation", "--budget", "30s",
                        "--seed", "1", "--out", out],
                       capture_output=True, check=True)
        with open(out, encoding="utf-8") as file:
            found = json.load(file)["roofline"]
    largest = max(r.get("footprint_bytes") or 0 for r in found if r["kind"] == "read_bw")
    return {"read, all threads": [s for r in found if r["kind"] == "read_bw" and not r["threads"]
                                  and r["footprint_bytes"] == largest for s in r["samples"]],
            "read, 1 thread": [s for r in found if r["kind"] == "read_bw" and r["threads"] == 1
                               and r["footprint_bytes"] == largest for s in r["samples"]],
            "int8": [s for r in found if r["kind"] == "int8_dot" for s in r["samples"]]}


def contender(text, separator):
    name, _, rest = text.partition("=")
    path, _, model = rest.rpartition(separator) if separator else (rest, "", "")
    return name, [os.path.expanduser(w) for w in shlex.split(path)], os.path.expanduser(model)


def read_results(path):
    """Rates by work and threads, samples of the limits: those of earlier rounds, if there were any."""
    if not path or not os.path.exists(path):
        return {}, {}
    with open(path, encoding="utf-8") as file:
        earlier = json.load(file)
    return ({(r["work"], r["threads"]): r["tokens_per_second"] for r in earlier["rates"]},
            earlier["limits"])


def save_results(path, rates, limits):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"rates": [{"work": w, "threads": t, "tokens_per_second": of}
                             for (w, t), of in rates.items()], "limits": limits}, file, indent=1)
        file.write("\n")


def play_round(args, contenders, bench, rates, limits):
    """The limits, and each work by each contender, once."""
    if not args.no_roof:
        for kind, samples in undisturbed(roofs, bench).items():
            limits.setdefault(kind, []).extend(samples)
    for work in args.work:
        kind, count = work.split(":")
        for threads in args.threads:
            for name, command, model, rate in contenders:
                value = undisturbed(rate, command, model, kind, int(count), threads)
                rates.setdefault((work, threads), {}).setdefault(name, []).append(value)
                print(f"{work} {threads} {name}: {value:.1f}", file=sys.stderr, flush=True)


def show(work, threads, rates):
    ours = next(iter(rates))
    print(f"{work}, {threads} thread{'s' if threads > 1 else ''}")
    for name, values in rates.items():
        ratios = [a / b for a, b in zip(rates[ours], values)]
        against = "" if name == ours else (f"  {ours} is {statistics.median(ratios):.2f} times as fast "
                                           f"({min(ratios):.2f} to {max(ratios):.2f})")
        print(f"  {name:24} {statistics.median(values):8.1f} tokens/s"
              f" ({min(values):.1f} to {max(values):.1f}){against}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rotor", action="append", required=True, metavar="NAME=COMMAND")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=LLAMA_BENCH:MODEL")
    parser.add_argument("--model", default="synthetic:2b4t/1", help="of every rotor")
    parser.add_argument("--work", nargs="+", default=["generate:64", "prompt:128", "prompt:512"])
    parser.add_argument("--threads", nargs="+", type=int, default=[os.cpu_count(), 1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-roof", action="store_true")
    parser.add_argument("--json", help="write all rates to this file")
    args = parser.parse_args()
    contenders = [(n, c, args.model, rotor_rate)
                  for n, c, _ in (contender(r, "") for r in args.rotor)]
    contenders += [(n, c, m, peer_rate) for n, c, m in (contender(p, ":") for p in args.peer)]
    bench = os.path.join(os.path.dirname(contender(args.rotor[0], "")[1][0]), "rotor-bench")
    rates, limits = read_results(args.json)
    try:
        for _ in range(args.rounds):
            play_round(args, contenders, bench, rates, limits)
    finally:
        if args.json:
            save_results(args.json, rates, limits)
    for (work, threads), of in rates.items():
        show(work, threads, of)
    for kind, samples in limits.items():
        print(f"{kind}: median {statistics.median(samples) / 1e9:.1f} G/s, "
              f"best {max(samples) / 1e9:.1f}")


if __name__ == "__main__":
    main()
