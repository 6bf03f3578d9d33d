#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Words that must hold: module pages, links, sizes. Usage: pages.py SOURCE_ROOT

  pages      a folder of the program with more than three source files has a README.md that says what it promises, what its
             invariant is, and what it does not do, and names only files that exist;
  links      a path of ours in a comment or a document leads somewhere; so does "docs/codegen.md section N";
  functions  a C function has at most FUNCTION_MAX lines.
"""
import collections
import os
import re
import subprocess
import sys

PROGRAM = ("include/", "decoder/", "devices/", "monitor/", "shadow-mmu/", "bt/", "direct/", "boot/", "host/", "lab/", "cli/")
FUNCTION_MAX = 100
WORDS = ("**Promises**", "**Invariant**", "**Not here**")
TOPS = "include/ring1|decoder|devices|monitor|shadow-mmu|bt|direct|boot|host/linux|host/metal|lab|cli|docs|tests|bench|tools|guests"
PATH = re.compile(rf"(?<![\w/.-])((?:{TOPS})/[\w/.-]*\w\.(?:c|h|S|def|inc|md|py|sh|txt|1))\b")
SECTION = re.compile(r"docs/(\w+)\.md,?\s+(?:\*\s+)?section\s+(\d+)")


def tracked(root):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, stdout=subprocess.PIPE, text=True)
    return [p for p in listed.stdout.split("\n") if p and os.path.isfile(os.path.join(root, p))]


def read(root, path):
    with open(os.path.join(root, path), errors="replace") as f:
        return f.read()


def check_pages(root, files, problems):
    count = collections.Counter(os.path.dirname(p) for p in files
                                if p.startswith(PROGRAM) and p.endswith((".c", ".h", ".S", ".def")))
    for folder, n in sorted(count.items()):
        page = f"{folder}/README.md"
        if n <= 3:
            continue
        if page not in files:
            problems.append(f"{page}: missing; {folder} has {n} files")
            continue
        text = read(root, page)
        problems += [f"{page}: says nothing under {w}" for w in WORDS if w not in text]
        for name in re.findall(r"`(\w+\.(?:c|h|def))`", text):
            if f"{folder}/{name}" not in files:
                problems.append(f"{page}: names {name}, which is not there")


def check_links(root, files, problems):
    known = set(files)
    sections = {p[5:-3]: set(re.findall(r"^## (\d+)\.", read(root, p), re.M)) for p in files
                if p.startswith("docs/") and p.endswith(".md")}
    for path in files:
        if not path.endswith((".c", ".h", ".S", ".def", ".md", ".py", ".sh", ".build")) or path == "tests/lint/pages.py":
            continue
        text = read(root, path)
        for m in PATH.finditer(text):
            if m[1] not in known and not any(f.endswith("/" + m[1]) for f in known):
                problems.append(f"{path}: {m[1]} does not exist")
        for m in SECTION.finditer(text):
            if sections.get(m[1]) and m[2] not in sections[m[1]]:
                problems.append(f"{path}: docs/{m[1]}.md has no section {m[2]}")


def check_functions(root, files, problems):
    """clang-format puts a function's opening and closing braces into column 0."""
    longest = 0
    for path in files:
        if not path.startswith(PROGRAM + ("tests/", "bench/", "guests/")) or not path.endswith((".c", ".h")):
            continue
        start = None
        for number, line in enumerate(read(root, path).split("\n"), 1):
            if line == "{":
                start = number
            elif line == "}" and start:
                longest = max(longest, number - start + 1)
                if number - start + 1 > FUNCTION_MAX:
                    problems.append(f"{path}:{start}: a function of {number - start + 1} lines")
                start = None
    return longest


def main():
    root = sys.argv[1]
    files, problems = tracked(root), []
    check_pages(root, files, problems)
    check_links(root, files, problems)
    longest = check_functions(root, files, problems)
    print("\n".join(problems))
    print(f"{len(files)} files, longest function {longest} lines, {len(problems)} problems")
    return 1 if problems or len(files) < 50 else 0


sys.exit(main())
