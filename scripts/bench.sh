#!/usr/bin/env bash
# The main job in one command: set-up, Release build, `rotor-bench --suite all`. Arguments go to
# rotor-bench; the report is written to out/report.json unless --out says otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh >&2
cmake --preset release -DROTOR_TESTS=OFF >/dev/null
cmake --build build/release --target rotor rotor-bench >&2

mkdir -p out
case " $* " in
  *" --out"*) exec build/release/rotor-bench --suite all "$@" ;;
  *) exec build/release/rotor-bench --suite all --out out/report.json "$@" ;;
esac
