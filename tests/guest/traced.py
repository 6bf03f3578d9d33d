#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tracing changes nothing: every guest test, with every stage of -d, ends in the state in which it ends untraced.

Usage: traced.py FINAL_STATE TRACE_DEF [cpu=MODEL] KERNEL...
cpu=MODEL is for the kernel that follows. Each guest must pass its own checks, as under run.py.
Under -exec lockstep, whose clock counts instructions, a guest runs the same each time: what final_state.c prints and what
the guest prints are compared.
"""
import os
import re
import subprocess
import sys
import tempfile

FINAL_STATE, TRACE_DEF = sys.argv[1:3]
OPTIONS = ["-exec", "lockstep", "-m", "32", "-display", "none", "-serial", "none", "-rtc", "base=2026-01-01",
           "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]
# Everything is translated at its first execution; -d exec takes the instructions one by one.
BLOCKS = "heat=0,elsewhere=off"
STEPS = BLOCKS + ",insns=1"
with open(TRACE_DEF) as rows:
    STAGES = re.findall(r"^TRACE\(\w+, (\w+),", rows.read(), re.M)
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
# Guests that reset the machine on their way; the others would run again instead of failing.
RESETS = {"reset_code.elf"}


def guests(args):
    """(kernel, its options) of the command line."""
    found, model = [], []
    for arg in args:
        if arg.startswith("cpu="):
            model = ["-cpu", arg.removeprefix("cpu=")]
            continue
        once = [] if os.path.basename(arg) in RESETS else ["-no-reboot"]
        found.append((arg, [*model, *once]))
        model = []
    return found


def name_of(guest):
    return " ".join([os.path.basename(guest[0]), *[option for option in guest[1] if option != "-no-reboot"]])


def run(guest, stages, knobs, folder):
    kernel, options = guest
    log = os.path.join(folder, "log")
    trace = ["-d", ",".join(stages), "-D", "/dev/null"] if stages else []
    done = subprocess.run([FINAL_STATE, "-kernel", kernel, "-debugcon", f"file:{log}", "-bt", knobs, *OPTIONS, *options, *trace],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, env=ENV)
    with open(log, errors="replace") as f:
        return [f"run {done.returncode}", *done.stdout.split("\n"), *f.read().split("\n"), *done.stderr.split("\n")]


def differences(guest, stages, expected, knobs, folder):
    """`expected`: the lines of an untraced run; None: whatever."""
    seen = run(guest, stages, knobs, folder)
    apart = [f"  {a!r}\n  {b!r}" for a, b in zip(expected, seen) if a is not None and a != b]
    if len(seen) == len(expected) and not apart:
        return []
    if len(stages) > 1:  # which of them?
        parts = [line for stage in stages for line in differences(guest, [stage], expected, knobs, folder)]
        if parts:
            return parts
    return ["\n".join([f"{name_of(guest)}: -d {','.join(stages)}", *(apart or ["  the number of lines"])[:4]])]


def compare(guest, folder):
    """A line for each stage that changes something."""
    blocks = run(guest, [], BLOCKS, folder)
    steps = run(guest, [], STEPS, folder)
    for untraced in blocks, steps:
        if "status 1" not in untraced or "done" not in untraced:
            return [f"{name_of(guest)}: untraced: {untraced}"]
    # The clock runs a few ns apart by blocks and by single instructions, and what the guest made of it differs.
    timeless = [b if a == b and not b.startswith("time ") else None for a, b in zip(blocks, steps)]
    return (differences(guest, [stage for stage in STAGES if stage != "exec"], blocks, BLOCKS, folder) +
            differences(guest, ["exec"], timeless, STEPS, folder))


def main():
    bad, all_guests = [], guests(sys.argv[3:])
    with tempfile.TemporaryDirectory() as folder:
        for guest in all_guests:
            bad += compare(guest, folder)
    print("\n".join(bad))
    print(f"{len(all_guests)} guests, {len(bad)} differences")
    return 1 if bad else 0


sys.exit(main())
