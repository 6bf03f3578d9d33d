#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shape lint: SPDX line first, files of at most LINES_MAX lines (tables exempt), lines of at most 120 columns in prose and 100
in C, no tabs, no trailing blanks, no second definition of what include/ring1/x86.h defines. Usage: shape.py SOURCE_ROOT
"""
import os
import re
import subprocess
import sys

SOURCE = (".c", ".h", ".S", ".py", ".sh", ".def", ".inc", ".build")
NO_LICENCE_LINE = {"COPYING"}
OF_GUESTS = ("guests/", "tests/user/")  # programs that run elsewhere
LINES_MAX = 700
DEFINE = re.compile(r"^#define (\w+)[ (]")


def architectural(root):
    """The names of x86.h: one fact about the CPU stands in one place."""
    with open(os.path.join(root, "include/ring1/x86.h")) as f:
        return {m[1] for m in map(DEFINE.match, f) if m}


def main():
    root = sys.argv[1]
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, stdout=subprocess.PIPE, text=True)
    problems, count, facts = [], 0, architectural(root)
    for path in listed.stdout.split("\n"):
        if not path.endswith(SOURCE) or not os.path.isfile(os.path.join(root, path)):
            continue
        count += 1
        with open(os.path.join(root, path)) as f:
            lines = f.read().split("\n")
        if not any("SPDX-License-Identifier: MIT" in line for line in lines[:2]):
            problems.append(f"{path}:1: no SPDX line")
        if len(lines) > LINES_MAX and not path.endswith((".def", ".inc")):
            problems.append(f"{path}: {len(lines)} lines; split it")
        for number, line in enumerate(lines, 1):
            m = DEFINE.match(line)
            if m and m[1] in facts and path != "include/ring1/x86.h" and not path.startswith(OF_GUESTS):
                problems.append(f"{path}:{number}: {m[1]} is defined in include/ring1/x86.h")
            if path.endswith((".c", ".h")) and len(line) > 100:
                problems.append(f"{path}:{number}: {len(line)} columns")
            if line != line.rstrip() or ("\t" in line and not path.endswith(".S")):
                problems.append(f"{path}:{number}: tab or trailing blank")
    print("\n".join(problems))
    print(f"{count} files, {len(problems)} problems")
    return 1 if problems or count < 50 else 0


sys.exit(main())
