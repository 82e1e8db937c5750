#!/usr/bin/env python3
"""Bad input as a user meets it: each case must end with one clear line on stderr and the exit code
of HOUSE.md section 8.   usage: bad_input_test.py BUILD_DIR"""

import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEMO = ROOT / "model" / "demo"
USAGE, BAD_INPUT, UNAVAILABLE, CANNOT_WRITE = 64, 65, 69, 73


def read_container(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + size]), bytearray(data[8 + size :])


def write_container(path, header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def model(folder, name, change):
    """A copy of the demo model that `change` has spoilt."""
    copy = folder / name
    shutil.copytree(DEMO, copy)
    change(copy)
    return str(copy)


def truncate(copy):
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


def lie_about_offsets(copy):
    header, data = read_container(copy / "model.safetensors")
    header["model.norm.weight"]["data_offsets"][1] += 2
    write_container(copy / "model.safetensors", header, data)


def wrong_shape(copy):
    header, data = read_container(copy / "model.safetensors")
    header["model.norm.weight"]["shape"] = [128, 2]
    write_container(copy / "model.safetensors", header, data)


def code_three(copy):
    header, data = read_container(copy / "model.safetensors")
    begin = header["model.layers.0.self_attn.q_proj.weight"]["data_offsets"][0]
    data[begin + 7] |= 3
    write_container(copy / "model.safetensors", header, data)


def cases(folder, programs):
    rotor, bench = (str(programs / "rotor"), str(programs / "rotor-bench"))
    spoilt = [
        ("truncated", truncate),
        ("lying", lie_about_offsets),
        ("misshapen", wrong_shape),
        ("code3", code_three),
        ("no_tokenizer", lambda copy: (copy / "tokenizer.json").unlink()),
        ("no_config", lambda copy: (copy / "config.json").unlink()),
        ("no_weights", lambda copy: (copy / "model.safetensors").unlink()),
    ]
    for name, change in spoilt:
        yield name, [rotor, "generate", "--model", model(folder, name, change), "Hi"], BAD_INPUT
        if name != "no_tokenizer":  # weights alone can be converted
            yield name + ", convert", [rotor, "convert", str(folder / name), str(folder / "m.gguf")], BAD_INPUT
    verify_one = [bench, "--verify-only", "--filter", "matmul_bitpacked_portable/n640_k2560_b1$"]
    odd = [rotor, "convert", "synthetic:odd/1"]
    yield "convert to nowhere", [*odd, str(folder / "no" / "m.gguf")], CANNOT_WRITE
    yield "convert onto a device", [*odd, "/dev/full", "--to", "i2_s"], CANNOT_WRITE
    yield "convert to an unknown format", [*odd, str(folder / "m.gguf"), "--to", "q2_k"], USAGE
    yield "convert what does not fit", [*odd, str(folder / "m.gguf"), "--to", "tq1_0"], USAGE
    yield "inspect beyond the context", [rotor, "inspect", "synthetic:odd/1", "--context", "9999"], USAGE
    yield "missing model", [rotor, "generate", "--model", str(folder / "nothing"), "Hi"], BAD_INPUT
    yield "unknown preset", [rotor, "score", "--model", "synthetic:3b/1", "--ids", "-"], USAGE
    yield "unknown flag", [rotor, "generate", "--greedyy", "Hi"], USAGE
    generate = [rotor, "generate", "--max-tokens", "4"]
    (folder / "empty.txt").write_text("\n")
    yield "missing prompt file", [*generate, "--prompt-file", str(folder / "nothing.txt")], BAD_INPUT
    yield "empty prompt file", [*generate, "--prompt-file", str(folder / "empty.txt")], BAD_INPUT
    yield "folder as prompt file", [*generate, "--prompt-file", str(folder)], BAD_INPUT
    yield "two prompts", [*generate, "--prompt-file", str(folder / "empty.txt"), "Hi"], USAGE
    yield "no prompt", generate, USAGE
    yield "no sample", [*generate, "--n", "0", "Hi"], USAGE
    yield "empty stop string", [*generate, "--stop", "", "Hi"], USAGE
    yield "ids and JSON", [*generate, "--ids", "--json", "Hi"], USAGE
    yield "chat without tokenizer", [rotor, "chat", "--model", str(folder / "no_tokenizer")], BAD_INPUT
    yield "chat with an empty stop string", [rotor, "chat", "--stop", ""], USAGE
    yield "chat with a context beyond the model", [rotor, "chat", "--context", "4096"], USAGE
    yield "unknown bench flag", [bench, "--suit", "all"], USAGE
    yield "no time-out", [bench, "--run-timeout", "soon"], USAGE
    (folder / "known.json").write_text('{"issues": []}')
    yield "bad known issues", [*verify_one, "--known-issues", str(folder / "known.json")], BAD_INPUT
    yield "missing known issues", [*verify_one, "--known-issues", str(folder / "no.json")], BAD_INPUT
    yield "worker without a parent", [bench, "--worker", "--device", "cpu"], USAGE
    yield "unknown suite", [bench, "--suite", "everything"], USAGE
    yield "unknown feature", [rotor, "generate", "--features", "avx3", "Hi"], USAGE
    yield "no such device", [rotor, "generate", "--device", "abacus", "Hi"], UNAVAILABLE
    yield "no match", [bench, "--filter", "no_such_kernel"], USAGE
    yield "unwritable report", [*verify_one, "--out", str(folder / "no" / "r.json")], CANNOT_WRITE
    yield "report onto a device", [*verify_one, "--out", "/dev/full"], CANNOT_WRITE
    yield "full stdout", ["sh", "-c", f"{rotor} generate --greedy Hi >/dev/full"], CANNOT_WRITE
    yield "full stdout, JSON", ["sh", "-c", f"{rotor} generate --json Hi >/dev/full"], CANNOT_WRITE
    yield "full stdout, chat", ["sh", "-c", f"echo Hi | {rotor} chat >/dev/full"], CANNOT_WRITE


def check(name, command, expected):
    result = subprocess.run(command, capture_output=True, text=True, input="1 2 3", timeout=120)
    lines = [line for line in result.stderr.splitlines() if line.startswith(("rotor: ", "rotor-bench: "))]
    ok = result.returncode == expected and len(lines) == 1
    print(f"{'ok  ' if ok else 'FAIL'} {name}: exit {result.returncode}: {' | '.join(lines)[:200]}")
    if not ok:
        print(f"     expected exit {expected} and one line; stderr:\n{result.stderr[-1500:]}")
    return ok


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return USAGE
    with tempfile.TemporaryDirectory() as folder:
        results = [
            check(*case) for case in cases(pathlib.Path(folder), pathlib.Path(arguments[0]).resolve())
        ]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
