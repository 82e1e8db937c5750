#!/usr/bin/env python3
"""Holds the sources against HOUSE.md: the include rule, the homes of third-party headers, a file
for every kernel row and a row for every kernel file, and headers that compile alone."""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What a folder may include beside itself (HOUSE.md, section 2, arrows followed to their ends).
MAY_INCLUDE = {
    "core": set(),
    "kernels": {"core"},
    "runtime": {"core", "kernels"},
    "model": {"core", "kernels", "runtime"},
    "verify": {"core", "kernels", "runtime", "model"},
    "reports": {"core"},
    "bench": {"core", "kernels", "runtime", "model", "verify", "reports"},
}

# Third-party headers and the only places that may include them.
HOMES = {
    r"Eigen/": r"verify/|kernels/cpu/matmul_dense_eigen\.cpp",
    r"volk\.h|vulkan/": r"runtime/vulkan",
    r"CL/": r"runtime/opencl",
    r"benchmark/": r"bench/measure\.cpp",
    r"CLI/": r"(model|bench)/main\.cpp",
    r"gtest/|gmock/": r".*_test\.cpp",
    r"nlohmann/": r"(model|reports)/[^/]*\.cpp|reports/json_values\.h|runtime/tuning\.cpp|.*_test\.cpp",
    r"immintrin\.h|x86intrin\.h": r"kernels/x86/",
    r"arm_neon\.h": r"kernels/arm/",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)
ROW = re.compile(r"^ROTOR_(CPU|OPENCL|VULKAN)\s*\(\s*(\w+)", re.M)
KERNEL_FILES = {
    "CPU": ("kernels/cpu/*.cpp", "kernels/x86/*.cpp", "kernels/arm/*.cpp"),
    "OPENCL": ("kernels/opencl/*.cl",),
    "VULKAN": ("shaders/*.comp", "shaders/*.spvasm"),
}


def sources():
    for folder in MAY_INCLUDE:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".cpp", ".h"):
                yield path.relative_to(ROOT)


def check_includes(path):
    folder = path.parts[0]
    for own, system in INCLUDE.findall((ROOT / path).read_text()):
        name = own or system
        target = name.split("/")[0]
        if own and target in MAY_INCLUDE and target != folder and target not in MAY_INCLUDE[folder]:
            yield f"{path}: includes {name}, but {folder}/ may not use {target}/"
        for pattern, home in HOMES.items():
            if re.match(pattern, name) and not re.match(home, str(path)):
                yield f"{path}: includes {name}, whose home is {home}"


def check_rows():
    rows = {}
    for backend, stem in ROW.findall((ROOT / "kernels/variants.inc").read_text()):
        rows.setdefault(backend, set()).add(stem)
    for backend, patterns in KERNEL_FILES.items():
        files = {
            f.stem
            for pattern in patterns
            for f in ROOT.glob(pattern)
            if not f.stem.endswith("_test") and f.stem != "roof"  # loops under the roofline, not ops
        }
        for stem in sorted(files - rows.get(backend, set())):
            yield f"{stem}: a kernel file without a row in kernels/variants.inc"
        for stem in sorted(rows.get(backend, set()) - files):
            yield f"kernels/variants.inc: row {stem} has no file"


def check_header(path):
    flags = ["-std=c++20", "-fsyntax-only", "-x", "c++", "-I", str(ROOT)]
    compiler = "aarch64-linux-gnu-g++" if path.parts[1] == "arm" else "g++"
    # Included rather than compiled itself: a header is allowed its #pragma once.
    result = subprocess.run(
        [compiler, *flags, "-"], input=f'#include "{path}"\n', capture_output=True, text=True
    )
    if result.returncode == 0:
        return []
    lines = result.stderr.splitlines()
    error = next((line for line in lines if "error:" in line), lines[0])
    return [f"{path}: does not compile alone: {error}"]


def main():
    problems = []
    paths = list(sources())
    for path in paths:
        problems += check_includes(path)
    # The GPU drivers' own headers need packages that not every build has.
    headers = [
        path
        for path in paths
        if path.suffix == ".h" and not str(path).startswith(("runtime/vulkan", "runtime/opencl"))
    ]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(check_header, headers):
            problems += found
    problems += check_rows()
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"layers: {len(paths)} sources, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
