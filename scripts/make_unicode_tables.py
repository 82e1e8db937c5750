#!/usr/bin/env python3
"""Writes model/unicode_tables.inc: which code points are letters, numbers and white space.

The classes are those of the Llama-3 splitting rule: general category L*, general category N*, and
the White_Space property. The data is that of Python's unicodedata; its version is written into the
file. Run from anywhere: scripts/make_unicode_tables.py
"""

import itertools
import pathlib
import unicodedata

OUTPUT = pathlib.Path(__file__).resolve().parent.parent / "model" / "unicode_tables.inc"
# White_Space is the separators (Z*) and these controls.
SPACE_CONTROLS = {0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85}
PER_LINE = 5


def char_class(code):
    category = unicodedata.category(chr(code))
    if code in SPACE_CONTROLS or category[0] == "Z":
        return "Space"
    return {"L": "Letter", "N": "Number"}.get(category[0], "Other")


def main():
    runs = []  # (first code point, class); a run ends where the next one begins
    for name, codes in itertools.groupby(range(0x110000), key=char_class):
        runs.append((next(codes), name))
    entries = [f"{{0x{first:04X}, {name}}}," for first, name in runs]
    lines = [
        "// Runs of code points of one class, in order; each ends where the next begins.",
        f"// Unicode {unicodedata.unidata_version}. Made by scripts/make_unicode_tables.py: do not edit.",
        "// clang-format off",
    ]
    for i in range(0, len(entries), PER_LINE):
        lines.append(" ".join(entries[i : i + PER_LINE]))
    lines.append("// clang-format on")
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="ascii")
    print(f"{OUTPUT}: {len(runs)} runs, Unicode {unicodedata.unidata_version}")


if __name__ == "__main__":
    main()
