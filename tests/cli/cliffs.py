#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Guests of bench/slow/ do not run into what made them slow: counted by --stats, not timed.

Usage: cliffs.py RING1 SOURCE_ROOT
"""
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(sys.argv[2], "bench"))
import cliffs  # noqa: E402, the path is an argument

# Guest, rounds, statistic, how many of it per round are too many. Without the remedy each has at least twice as many.
# The rounds of pieces, chunks and targets are many, since the jump map takes a while to grow:
# most of what they count comes before that.
LIMITS = [
    ("de", 20000, "exit_trap", 0.1),
    ("movaps", 20000, "exit_trap", 0.1),
    ("straddle", 20000, "exit_trap", 0.1),
    ("wrap", 50000, "exit_trap", 0.1),
    ("mf", 20000, "exit_trap", 0.1),
    ("xm", 10000, "exit_trap", 0.1),
    ("mmio_many", 240000, "exit_trap", 0.1),
    ("pieces", 800000, "exit_lookup", 0.2),
    ("chunks", 1600000, "exit_lookup", 0.5),
    ("targets", 2400000, "exit_lookup", 0.2),
    ("targets_cr3", 400000, "bt_jump_clears", 1e-5),
    ("smc_own", 20000, "bt_blocks", 0.2),
    ("smc_pages", 20000, "bt_blocks", 0.4),
    ("wp_flip", 40000, "hidden_faults", 0.5),
    ("pg_flip", 40000, "hidden_faults", 0.5),
    ("a20_flip", 40000, "hidden_faults", 0.2),
    ("apic_move", 40000, "hidden_faults", 0.005),
    ("dr_flip", 40000, "tlb_flushes", 0.1),
    ("seg_limited", 20000, "bt_callouts", 0.1),
    ("seg_reload", 50000, "exit_dispatch", 1),
]


def run(ring1, name, rounds, folder):
    """The statistics and the number of rounds of a run of at least so many."""
    kernel, log = cliffs.build(name, folder), os.path.join(folder, "log")
    if os.path.exists(log):
        os.remove(log)
    p = subprocess.Popen(cliffs.command((ring1, "translate"), kernel, log) + ["--stats"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        done = 0
        while done < rounds and p.poll() is None:
            time.sleep(0.01)
            done = cliffs.look(p.pid, log)[1] if os.path.exists(log) else 0
        p.send_signal(signal.SIGINT)
        text = p.communicate(timeout=60)[1]
    finally:
        p.kill()
    # what was done until the signal came
    with open(log, "rb") as f:
        head, _, dots = f.read().partition(b"\n")
    stats = {w[0]: int(w[1]) for w in map(str.split, text.splitlines()) if len(w) > 1 and w[1].isdigit()}
    if "insns" not in stats:
        sys.exit(f"{name}: no statistics: {text}")
    return stats, int(head.split()[1]) * dots.count(b".")


def main():
    ring1, bad = sys.argv[1], 0
    with tempfile.TemporaryDirectory() as folder:
        for name, rounds, stat, most in LIMITS:
            stats, done = run(ring1, name, rounds, folder)
            rate = stats[stat] / done
            print(f"{'ok' if rate <= most else 'FAIL'} {name}: {rate:.5f} {stat} per round ({done} rounds)", flush=True)
            bad += rate > most
    return 1 if bad else 0


sys.exit(main())
