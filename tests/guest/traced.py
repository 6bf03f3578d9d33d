#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tracing changes nothing: every guest test, with every stage of -d, ends in the state in which it ends untraced.

Usage: traced.py FINAL_STATE TRACE_DEF KERNEL...
Under -exec lockstep, whose clock counts instructions, a guest runs the same each time: what final_state.c prints and what
the guest prints are compared.
"""
import os
import re
import subprocess
import sys
import tempfile

FINAL_STATE, TRACE_DEF = sys.argv[1:3]
KERNELS = sys.argv[3:]
OPTIONS = ["-exec", "lockstep", "-m", "32", "-display", "none", "-serial", "none", "-no-reboot", "-rtc", "base=2026-01-01",
           "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]
# Everything is translated at its first execution; -d exec takes the instructions one by one.
BLOCKS = "heat=0,elsewhere=off"
STEPS = BLOCKS + ",insns=1"
with open(TRACE_DEF) as rows:
    STAGES = re.findall(r"^TRACE\(\w+, (\w+),", rows.read(), re.M)
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")


# Guests of other CPU models fail their checks on this one, and one resets: they are compared all the same.
ENDS_OTHERWISE = {"cpu_cmov.elf", "cpu_popcnt.elf", "cpu_486.elf", "reset_code.elf"}


def run(kernel, stages, knobs, folder):
    log = os.path.join(folder, "log")
    trace = ["-d", ",".join(stages), "-D", "/dev/null"] if stages else []
    done = subprocess.run([FINAL_STATE, "-kernel", kernel, "-debugcon", f"file:{log}", "-bt", knobs, *OPTIONS, *trace],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, env=ENV)
    with open(log, errors="replace") as f:
        return [f"run {done.returncode}", *done.stdout.split("\n"), *f.read().split("\n"), *done.stderr.split("\n")]


def differences(kernel, stages, expected, knobs, folder):
    """`expected`: the lines of an untraced run; None: whatever."""
    seen = run(kernel, stages, knobs, folder)
    apart = [f"  {a!r}\n  {b!r}" for a, b in zip(expected, seen) if a is not None and a != b]
    if len(seen) == len(expected) and not apart:
        return []
    if len(stages) > 1:  # which of them?
        parts = [line for stage in stages for line in differences(kernel, [stage], expected, knobs, folder)]
        if parts:
            return parts
    return ["\n".join([f"{os.path.basename(kernel)}: -d {','.join(stages)}", *(apart or ["  the number of lines"])[:4]])]


def compare(kernel, folder):
    """A line for each stage that changes something."""
    blocks = run(kernel, [], BLOCKS, folder)
    steps = run(kernel, [], STEPS, folder)
    for untraced in blocks, steps:
        if ("status 1" not in untraced or "done" not in untraced) and os.path.basename(kernel) not in ENDS_OTHERWISE:
            return [f"{os.path.basename(kernel)}: untraced: {untraced}"]
    # The clock runs a few ns apart by blocks and by single instructions, and what the guest made of it differs.
    timeless = [b if a == b and not b.startswith("time ") else None for a, b in zip(blocks, steps)]
    return (differences(kernel, [stage for stage in STAGES if stage != "exec"], blocks, BLOCKS, folder) +
            differences(kernel, ["exec"], timeless, STEPS, folder))


def main():
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        for kernel in KERNELS:
            bad += compare(kernel, folder)
    print("\n".join(bad))
    print(f"{len(KERNELS)} guests, {len(bad)} differences")
    return 1 if bad else 0


sys.exit(main())
