#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/compare.py works: its options, its own test, and every row of bench32 as a process of this machine.

Usage: bench.py SOURCE_ROOT BUILD_DIR
"""
import json
import os
import re
import subprocess
import sys


def run(*args):
    done = subprocess.run([sys.executable, "-B", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    print(f"{' '.join(args[1:]) or 'no arguments'}: {done.returncode}")
    return done


def demand(condition, what, done):
    if not condition:
        print(f"not so: {what}\n{done.stdout}\n{done.stderr}")
        sys.exit(1)


def rows_of(root):
    """The names in the tables of the sources."""
    names = []
    folder = os.path.join(root, "bench", "programs")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as f:
            names += re.findall(r'\{"([a-z0-9]+\.[a-z0-9_]+)", "', f.read())
    return set(names)


def main():
    root, build = sys.argv[1:3]
    script = os.path.join(root, "bench", "compare.py")
    done = run(script, "--help")
    demand(done.returncode == 0 and "--native-only" in done.stdout, "--help names the options", done)
    done = run(script, "--self-test")
    demand(done.returncode == 0 and "ok test_parser" in done.stdout, "the script's own test passes", done)
    result = os.path.join(build, "bench.json")
    # Other tests keep the machine busy: what the rows compute counts, not how fast, nor how well the clocks agree.
    done = run(script, "--native-only", "--ms", "1", "--rounds", "1", "--build", build, "--json", result,
               "--timeout", "200")
    demand(done.returncode in (0, 1) and "| int.sieve |" in done.stdout, "a native run ends in a table", done)
    with open(result) as f:
        data = json.load(f)
    native = data["boots"]["native"][0]
    demand(not native["problems"], f"no row fails: {native['problems']}", done)
    measured = {name for name, row in data["rows"].items() if row["rate"].get("native", [None])[0]}
    skipped = {name for name, row in data["rows"].items() if "native" not in row["rate"]}
    missing = rows_of(root) - measured - skipped
    demand(not missing and len(measured) > 50, f"every row is measured; missing: {missing}", done)
    done = run(script, "--json", result, "--show", "--mean")
    demand("| int.sieve |" in done.stdout, "--show prints the table again", done)
    done = run(script, "--native-only", "--ms", "1", "--rounds", "2", "--build", build,
               "--rows", "int.c*", "--rows", "x87.t*")
    demand("| int.crc |" in done.stdout and "| x87.trig |" in done.stdout and "| int.hash |" not in done.stdout,
           "--rows may be repeated", done)
    done = subprocess.run([os.path.join(build, "bench32"), "-r", "int.crc", "-m", "1"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    demand(done.returncode == 0 and "bench32 row int.crc " in done.stdout, "bench32 runs by itself", done)
    done = run(script, "--native-only", "--rows", "nothing*", "--rounds", "1", "--build", build)
    demand(done.returncode == 2 and "no row is named nothing*" in done.stderr, "a wrong --rows is explained", done)


main()
