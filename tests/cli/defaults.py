#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A default is written once, in its option's row (include/ring1/option.def): the help, the man page and everything that a
document says about it agree, and the sources have no second place for it. Usage: defaults.py RING1 SOURCE_ROOT
"""
import glob
import os
import re
import subprocess
import sys

RING1, ROOT = sys.argv[1:3]
problems = []


def text_of(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


def rows():
    """{option: default} by the table itself."""
    table = re.sub(r'"\s*\n?\s*"', "", text_of("include/ring1/option.def"))
    found = re.findall(r'^OPTION\(\w+, "([^"]+)",\s*(?:NULL|"[^"]*"),\s*(NULL|"[^"]*"),', table, re.M)
    return {name: value.strip('"') for name, value in found if value != "NULL"}


def said_by_help():
    """{option: default} by what the program prints."""
    out = subprocess.run([RING1, "run", "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found, name = {}, None
    for block in re.split(r"\n(?=  -)", out):
        name = re.match(r"  -([\w-]+)", block)
        default = re.search(r"\(default\s+(\S+)\)\s*\Z", re.split(r"\n\n", block)[0])
        if name and default:
            found[name.group(1)] = default.group(1)
    return found


def said_by_page():
    """{option: default} by the man page."""
    found = {}
    for item in text_of("docs/ring1.1").split("\n.It Fl ")[1:]:
        name = re.match(r'"([^"]+)"', item).group(1).replace("\\", "")
        default = re.search(r"\(default (\S+)\)\.$", item.split("\n")[1])
        if default:
            found[name] = default.group(1).replace("\\-", "-")
    return found


def check_documents(presets):
    """`-OPTION ...: VALUE by default` and `-OPTION ... (default VALUE)` on one line of a document."""
    documents = ["README.md"] + [os.path.relpath(p, ROOT) for d in ("docs", "bench", "guests", "tests")
                                 for p in glob.glob(os.path.join(ROOT, d, "*.md"))]
    seen = set()
    for path in documents:
        for number, line in enumerate(text_of(path).split("\n"), 1):
            said = re.findall(r"-([a-zA-Z][\w-]*)[^|]*?[ (`](\S+?)`? by default", line)
            said += re.findall(r"-([a-zA-Z][\w-]*)[^|]*?\(default `?([^\s)`]+)`?\)", line)
            for option, value in said:
                if option in presets:
                    seen.add(option)
                    if value != presets[option]:
                        problems.append(f"{path}:{number}: -{option} is said to be {value} by default; it is {presets[option]}")
    for option in ("m", "cache-size"):
        if option not in seen:
            problems.append(f"no document says the default of -{option}: is this test blind?")


def main():
    presets = rows()
    if len(presets) < 10:
        problems.append(f"only {len(presets)} rows with a default were found")
    for what, said in (("ring1 run --help", said_by_help()), ("docs/ring1.1", said_by_page())):
        for option in presets.keys() | said.keys():
            if said.get(option) != presets.get(option):
                problems.append(f"{what}: -{option}: default {said.get(option)}; its row has {presets.get(option)}")
    check_documents(presets)
    for path in glob.glob(os.path.join(ROOT, "cli/*.[ch]")) + [os.path.join(ROOT, "host/linux/config.h")]:
        for number, line in enumerate(text_of(path).split("\n"), 1):
            if re.search(r"#define\s+\w*DEFAULT", line):
                problems.append(f"{os.path.relpath(path, ROOT)}:{number}: a default that is not in its option's row")
    print("\n".join(problems) if problems else f"defaults: {len(presets)} ok")
    return 1 if problems else 0


sys.exit(main())
