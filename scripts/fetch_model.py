#!/usr/bin/env python3
"""Downloads BitNet b1.58 2B4T and its tokenizer, checks what arrived, and says how to use it.

  scripts/fetch_model.py packed            1.2 GB: the model as it is meant to be run
  scripts/fetch_model.py gguf              1.2 GB: the same in the format of bitnet.cpp
  scripts/fetch_model.py bf16              4.8 GB: master weights, made ternary when loaded
  scripts/fetch_model.py packed --to DIR   into this folder (default: models/<repository>)

A download that was interrupted goes on where it stopped. A file appears under its name only when it
is complete and its sha256 is the known one; until then it is NAME.part. Needs only Python.

Exit codes: 0 all is there, 64 usage, 65 a file is not what it should be, 69 no connection or no such
file on the server, 73 cannot write, 130 interrupted.
"""

import argparse
import dataclasses
import hashlib
import http.client
import os
import pathlib
import shutil
import sys
import time
import urllib.error
import urllib.request

BLOCK = 1 << 20
ATTEMPTS = 5  # without progress; each waits twice as long as the one before
TIMEOUT_S = 60


@dataclasses.dataclass(frozen=True)
class File:
    name: str
    size: int | None = None  # bytes; None: not known beforehand
    sha256: str | None = None


@dataclasses.dataclass(frozen=True)
class Model:
    repository: str
    run_as: str  # what rotor's --model names, inside the folder
    files: tuple


TOKENIZER = File(
    "tokenizer.json",
    sha256="e134af98b985517b4f068e3755ae90d4e9cd2d45d328325dc503f1c6b2d06cc7",
)
TEXTS = (File("config.json"), File("generation_config.json"), TOKENIZER, File("tokenizer_config.json"))

MODELS = {
    "packed": Model(
        "microsoft/bitnet-b1.58-2B-4T",
        "",
        TEXTS
        + (
            File(
                "model.safetensors",
                1_178_623_988,
                "8143ae115ed6babe5e5ada8fb8c5b769d8f417802b2db042ad98b4f7ed73975b",
            ),
        ),
    ),
    "bf16": Model(
        "microsoft/bitnet-b1.58-2B-4T-bf16",
        "",
        TEXTS + (File("model.safetensors", 4_825_679_400),),
    ),
    "gguf": Model(
        "microsoft/bitnet-b1.58-2B-4T-gguf",
        "ggml-model-i2_s.gguf",
        (
            File(
                "ggml-model-i2_s.gguf",
                1_187_801_280,
                "4221b252fdd5fd25e15847adfeb5ee88886506ba50b8a34548374492884c2162",
            ),
        ),
    ),
}


class FetchError(Exception):
    """One line for the user, and the exit code."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Broken(Exception):
    """The connection broke; what arrived is on disk."""


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def problem_with(path, file):
    """What is wrong with a complete download, or None."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"has {size} bytes instead of {file.size}"
    if file.sha256 is not None:
        found = sha256_of(path)
        if found != file.sha256:
            return f"has sha256 {found} instead of {file.sha256}"
    return None


class Progress:
    """A line that is rewritten on a terminal, and nothing in a log."""

    def __init__(self, name, have):
        self.name = name
        self.first = have
        self.start = time.monotonic()
        self.shown = 0.0
        self.on_terminal = sys.stderr.isatty()

    def show(self, have, total):
        now = time.monotonic()
        if not self.on_terminal or now - self.shown < 0.2:
            return
        self.shown = now
        rate = (have - self.first) / max(now - self.start, 1e-9)
        share = f"{100 * have / total:5.1f} % of {total / 1e6:.1f} MB" if total else f"{have / 1e6:.1f} MB"
        left = f", {(total - have) / rate:.0f} s left" if total and rate > 0 else ""
        print(f"\r{self.name}: {share}, {rate / 1e6:.1f} MB/s{left}   ", end="", file=sys.stderr, flush=True)

    def end(self):
        if self.on_terminal and self.shown:
            print(file=sys.stderr)


def open_url(url, have):
    """The response for the bytes from `have` on; None if the server has no more than those."""
    request = urllib.request.Request(url, headers={"User-Agent": "rotor-fetch-model"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{have}":
                return None
            if error.code == 416:
                raise FetchError(65, f"{url}: shorter on the server than the part that is here already")
            if error.code >= 500 or error.code == 429:
                raise Broken(f"the server says {error.code} {error.reason}") from error
            raise FetchError(69, f"{url}: the server says {error.code} {error.reason}") from error


def total_size(response, have):
    """Size of the whole file by the response's headers, and where its body begins."""
    if response.status == 206:
        unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
        first = rest.partition("-")[0]
        total = rest.rpartition("/")[2]
        if unit != "bytes" or first != str(have):
            raise FetchError(69, "the server sent another range than the one asked for")
        return (int(total) if total.isdigit() else None), have
    length = response.headers.get("Content-Length")
    return (int(length) if length is not None else None), 0


def receive(url, part, file):
    """One attempt to complete `part`. Raises Broken if the connection fails in between."""
    have = part.stat().st_size if part.exists() else 0
    response = open_url(url, have)
    if response is None:
        return
    with response:
        total, begin = total_size(response, have)
        if file.size is not None and total is not None and total != file.size:
            raise FetchError(65, f"{url}: has {total} bytes on the server instead of {file.size}")
        free = shutil.disk_usage(part.parent).free
        if total is not None and total - begin > free + (have - begin):
            raise FetchError(73, f"{part}: needs {total - begin} bytes, {free} are free on this disk")
        progress = Progress(file.name, begin)
        # A server without ranges sends everything again.
        with open(part, "ab" if begin else "wb") as out:
            have = begin
            while block := response.read(BLOCK):
                out.write(block)
                have += len(block)
                progress.show(have, total)
            out.flush()
            os.fsync(out.fileno())
        progress.end()
    if total is not None and have < total:
        raise Broken(f"the connection ended after {have} of {total} bytes")


def download(url, part, file):
    """Completes `part`, however often the connection breaks as long as something arrives."""
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            return receive(url, part, file)
        except (Broken, urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            after = part.stat().st_size if part.exists() else 0
            failures = 1 if after > before else failures + 1
            reason = getattr(error, "reason", None) or error
            if failures == ATTEMPTS:
                raise FetchError(69, f"{url}: {reason}; what has arrived is kept, run this again to go on") from error
            wait = 2.0 ** (failures - 1)
            print(f"{file.name}: {reason}; trying again in {wait:.0f} s", file=sys.stderr)
            time.sleep(wait)


def fetch(url, folder, file):
    path = folder / file.name
    part = folder / (file.name + ".part")
    if path.exists():
        problem = problem_with(path, file)
        if problem:
            raise FetchError(65, f"{path}: is there already but {problem}; move it away and run this again")
        print(f"{path}: is there already")
        return
    download(url, part, file)
    problem = problem_with(part, file)
    if problem:
        raise FetchError(65, f"{part}: {problem}; remove it to fetch it again")
    os.replace(part, path)
    checked = "sha256 is right" if file.sha256 else "size is right" if file.size else "no checksum is known"
    print(f"{path}: {path.stat().st_size} bytes, {checked}")


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(64, f"fetch_model: {message}; see --help\n")


def main(arguments):
    parser = Parser(prog="fetch_model", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("--to", type=pathlib.Path, help="folder; default: models/<repository>")
    parser.add_argument("--base-url", default="https://huggingface.co", help="another server with the same paths")
    parser.add_argument("--revision", default="main", help="branch or commit; the checksums are those of main")
    options = parser.parse_args(arguments)
    model = MODELS[options.model]
    folder = options.to or pathlib.Path("models") / model.repository.rpartition("/")[2]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in model.files:
            base = options.base_url.rstrip("/")
            fetch(f"{base}/{model.repository}/resolve/{options.revision}/{file.name}", folder, file)
    except FetchError as error:
        print(f"fetch_model: {error}", file=sys.stderr)
        return error.code
    except ValueError as error:  # an address that is none
        print(f"fetch_model: {options.base_url}: {error}", file=sys.stderr)
        return 64
    except OSError as error:
        print(f"fetch_model: {error.filename or folder}: {error.strerror or error}", file=sys.stderr)
        return 73
    except KeyboardInterrupt:
        print("\nfetch_model: interrupted; run this again to go on", file=sys.stderr)
        return 130
    print(f'try it: rotor generate --model {folder / model.run_as} "The future of AI"')
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
