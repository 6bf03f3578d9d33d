#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds every configuration and runs every test; the program behind ./check.

Configurations: build-check (gcc, debug), build-asan (gcc, ASan and UBSan), build-clang (clang, release; its unit
tests run), build-release (gcc; compiled only, as users do, since other warnings come with it). Each is a meson build directory, so that `meson test -C build-check --suite unit` works by hand.
The last line is "N passed, N failed".
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

RESULT = re.compile(r"^ *\d+/\d+ ")  # meson's line of a finished test
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# name, environment, meson setup options, suites run there (None: all but slow)
CONFIGS = [
    ("build-check", {"CC": "gcc"}, ["--buildtype=debugoptimized"], None),
    ("build-asan", {"CC": "gcc"}, ["--buildtype=debugoptimized", "-Db_sanitize=address,undefined", "-Db_lundef=false"],
     ["unit", "guest", "cli", "fuzz"]),
    ("build-clang", {"CC": "clang"}, ["--buildtype=release"], ["unit"]),
    ("build-release", {"CC": "gcc"}, ["--buildtype=release"], []),
]


def say(text):
    print(f"== {text}", flush=True)


def run(args, **kw):
    return subprocess.run(args, cwd=ROOT, **kw)


def setup(name, env, options):
    """Configures and builds one directory. Returns True when that worked."""
    build = os.path.join(ROOT, name)
    environment = dict(os.environ, **env)
    if not os.path.exists(os.path.join(build, "build.ninja")):
        say(f"{name}: meson setup")
        done = run(["meson", "setup", name, *options], env=environment, stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            print(done.stdout)
            return False
    say(f"{name}: build")
    done = run(["ninja", "-C", name], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print(done.stdout[-8000:])
    return done.returncode == 0


def tests_of(name, suites, chosen, slow):
    """The tests of one build directory: (name, suites) of those that are to run."""
    listed = json.loads(run(["meson", "introspect", "--tests", name], stdout=subprocess.PIPE, text=True).stdout)
    result = []
    for t in listed:
        own = [s.split(":")[-1] for s in t["suite"]]
        if "slow" in own and not slow:
            continue
        if suites is not None and not set(own) & set(suites):
            continue
        full = f"{own[0] if own else ''}/{t['name']}"
        if chosen and not any(c in full for c in chosen):
            continue
        result.append(t["name"])
    return result


def run_tests(name, names):
    """Runs them, one line each; returns (passed, failed list)."""
    if not names:
        return 0, []
    log = os.path.join(ROOT, name, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    say(f"{name}: {len(names)} tests")
    with subprocess.Popen(["meson", "test", "-C", name, "--no-rebuild", "--num-processes", "2", *names], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as meson:
        for line in meson.stdout:
            if RESULT.match(line):
                print(line.rstrip(), flush=True)
    passed, failed = 0, []
    if not os.path.exists(log):
        return 0, [f"{name}: meson wrote no test log"]
    with open(log) as lines:
        for line in lines:
            t = json.loads(line)
            if t["result"] in ("OK", "EXPECTEDFAIL"):
                passed += 1
            elif t["result"] == "SKIP":
                print(f"skip  {name}|{t['name']}")
            else:
                failed.append(f"{name}|{t['name']}")
                print(f"FAIL  {name}|{t['name']} ({t['result']})")
                print((t.get("stdout", "") + t.get("stderr", ""))[-4000:])
    if passed + len(failed) == 0:
        failed.append(f"{name}: no test ran")
    return passed, failed


def main():
    parser = argparse.ArgumentParser(prog="./check", description="build and run every test of ring1")
    parser.add_argument("--slow", action="store_true", help="also the soak runs")
    parser.add_argument("names", nargs="*", help="only tests whose suite/name contains one of these")
    args = parser.parse_args()
    start = time.time()
    if run(["tools/packages", "build", "demo", "check", "metal", "metal-iso", "metal-bochs"]).returncode:
        print("0 passed, 1 failed")
        return 1
    if run(["tools/debian-guest", "build/demo", "disk"]).returncode:
        say("Debian's kernels cannot be had: the boot tests will fail")
    if run(["tools/zydis-source", "build/zydis"]).returncode:
        say("the source of Debian's zydis cannot be had: the image for a machine of our own is not built")
    passed, failed = 0, []
    for name, env, options, suites in CONFIGS:
        if not setup(name, env, options):
            failed.append(f"{name}: the build failed")
            continue
        ok, bad = run_tests(name, tests_of(name, suites, args.names, args.slow))
        passed += ok
        failed += bad
    say(f"{time.time() - start:.0f} s")
    for f in failed:
        print(f"failed: {f}")
    print(f"{passed} passed, {len(failed)} failed", flush=True)
    return 1 if failed or not passed else 0


sys.exit(main())
