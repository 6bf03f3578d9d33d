#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures guests that do what virtual machines are slow at: translated, interpreted, and under QEMU, in turns.

Usage: cliffs.py RING1 [--against RING1] [--rows PATTERN]... [--turns N] [--seconds S] [--no-qemu] [--json FILE]

Prints one row per guest of slow/: rounds per second of CPU time under each, and what the translator makes of the
interpreter's rate. Exit status 1 when that is below 0.5 anywhere. See README.md.
"""
import argparse
import fnmatch
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LIB = os.path.join(os.path.dirname(HERE), "tests", "guest", "lib")
GUESTS = os.path.join(HERE, "slow")
QEMU = "qemu-system-i386"
BOUND = 0.5


def row_names(patterns):
    names = sorted(f.removesuffix(".S") for f in os.listdir(GUESTS) if f.endswith(".S"))
    for p in patterns:
        if not fnmatch.filter(names, p):
            sys.exit(f"no row is named {p}")
    return [n for n in names if not patterns or any(fnmatch.fnmatch(n, p) for p in patterns)]


def build(name, folder):
    """Assembles one guest; returns its path."""
    path = os.path.join(folder, name + ".elf")
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wa,--noexecstack", "-I" + GUESTS, "-I" + LIB,
                    "-Wl,-T," + os.path.join(LIB, "guest.ld"), "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments",
                    "-o", path, os.path.join(GUESTS, name + ".S"), os.path.join(LIB, "start.S")], check=True)
    return path


def command(program, kernel, log):
    common = ["-kernel", kernel, "-m", "64", "-display", "none", "-serial", "none", "-no-reboot", "-device",
              "isa-debug-exit,iobase=0xf4,iosize=0x4", "-debugcon", "file:" + log]
    if program == QEMU:
        return [QEMU, "-accel", "tcg", "-cpu", "max", "-monitor", "none", *common]
    name, engine = program
    return [name, "run", "--exec=" + engine, *common]


def cpu_of(pid):
    """CPU seconds of all threads."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def look(pid, log):
    """CPU seconds so far, rounds so far."""
    with open(log, "rb") as f:
        text = f.read()
    head, _, dots = text.partition(b"\n")
    rounds = int(head.split()[1]) if dots else 0
    if b"FAIL" in text:
        raise SystemExit(f"the guest said: {text.decode(errors='replace')}")
    return cpu_of(pid), rounds * dots.count(b".")


def measure(program, kernel, folder, seconds):
    """Rounds per CPU second in the steady state: the first third of the time is not counted."""
    log = os.path.join(folder, "log")
    if os.path.exists(log):
        os.remove(log)
    p = subprocess.Popen(command(program, kernel, log), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE)
    try:
        start, seen, give_up = None, [], time.monotonic() + 60 * seconds
        while time.monotonic() < give_up:
            time.sleep(0.002)
            if p.poll() is not None:
                raise SystemExit(f"{kernel}: {program} ended: {p.stderr.read().decode()}")
            if not os.path.exists(log):
                continue
            now = look(p.pid, log)
            start = start or now[0]
            if now[0] - start > seconds / 3 and (not seen or now[1] > seen[-1][1]):
                seen.append(now)
            if now[0] - start > seconds and len(seen) > 1 or now[0] - start > 8 * seconds:
                break
        if len(seen) < 2:
            return 0.0
        return (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])
    finally:
        p.kill()
        p.wait()
        p.stderr.close()


def number(x):
    return f"{x:.3g}" if x < 1e4 else f"{x:.2e}".replace("e+0", "e")


def ratio(row, a, b):
    """Median of the turns' ratios."""
    pairs = [x / y for x, y in zip(row[a], row[b]) if y]
    return statistics.median(pairs) if pairs else float("nan")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ring1")
    parser.add_argument("--against", help="another build, for a column of its own")
    parser.add_argument("--rows", action="append", default=[], help="only guests whose name matches")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="CPU time of a turn")
    parser.add_argument("--no-qemu", action="store_true")
    parser.add_argument("--json")
    args = parser.parse_args()
    columns = {"translate": (args.ring1, "translate"), "interpret": (args.ring1, "interpret")}
    if args.against:
        columns["before"] = (args.against, "translate")
    if shutil.which(QEMU) and not args.no_qemu:
        columns["QEMU"] = QEMU
    rows, slow = {}, []
    print(f"| guest | {' | '.join(columns)} | translate / interpret |" +
          "".join(f" {'before / interpret' if c == 'before' else 'translate / QEMU'} |" for c in list(columns)[2:]))
    print("|---" * (2 * len(columns)) + "|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in row_names(args.rows):
            kernel = build(name, folder)
            row = rows[name] = {c: [] for c in columns}
            for turn in range(args.turns):
                for c in list(columns)[::-1 if turn % 2 else 1]:
                    row[c].append(measure(columns[c], kernel, folder, args.seconds))
            factor = ratio(row, "translate", "interpret")
            others = [ratio(row, *(("before", "interpret") if c == "before" else ("translate", c)))
                      for c in list(columns)[2:]]
            print(f"| {name} | " + " | ".join(number(statistics.median(row[c])) for c in columns) +
                  f" | {factor:.2f} |" + "".join(f" {x:.3g} |" for x in others), flush=True)
            if not factor >= BOUND:
                slow.append(name)
    print(f"\nslower than {BOUND} of the interpreter: {', '.join(slow) or 'none'}")
    if args.json:
        with open(args.json, "w") as f:
            json.dump(rows, f, indent=1)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
