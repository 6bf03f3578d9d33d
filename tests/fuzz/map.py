#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random changes of the physical memory map under -exec lockstep. Usage: map.py RING1 KERNEL [-t SECONDS] [-n SEEDS] [-s FIRST]
[-r ROUNDS] [OPTION...]

Each seed is a guest of its own (map_guest.c). The guest may crash, hang or be ended by the time; a difference between
translator and interpreter, and any end of ring1 that it does not explain, fails. The last line says how many blocks were compared.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

# By the seed: everything translated at once, cold code interpreted first; windows and the software TLB; small pieces.
BT = ["heat=0,elsewhere=off", "heat=2", "heat=0,elsewhere=off,soft", "heat=0,elsewhere=off,insns=1", "heat=1,gs=off"]
LONGEST = 300  # seconds of one seed


def run(args, seed, seconds):
    """Returns (blocks, what is wrong or "")."""
    command = [args.ring1, "run", "-exec", "lockstep", "-rtc", "base=2024-02-29", "-m", "32", "-kernel", args.kernel, "-append",
               f"s={seed} r={args.r}", "-device", "isa-debug-exit,iobase=0xf4", "-display", "none", "-serial", "none", "-no-reboot",
               "-bt", BT[seed % len(BT)], *args.options]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0:handle_segv=0:handle_sigfpe=0"))
        try:
            status = process.wait(min(seconds, LONGEST))
        except subprocess.TimeoutExpired:
            process.terminate()
            status = process.wait(30)
        log.seek(0)
        text = log.read().decode(errors="replace")
    found = re.search(r"^ring1: lockstep: no difference in (\d+) blocks", text, re.M)
    if found and status in (0, 1, 128 + 15):
        return int(found[1]), ""
    return 0, f"seed {seed}: exit status {status}\n{' '.join(command)}\n{text[-6000:]}"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("ring1")
    p.add_argument("kernel")
    p.add_argument("-t", type=float, default=30, help="seconds")
    p.add_argument("-n", type=int, default=1 << 62, help="seeds")
    p.add_argument("-s", type=int, default=1, help="the first seed")
    p.add_argument("-r", type=int, default=1000, help="rounds of each; 0: without end")
    p.add_argument("options", nargs="*", help="further ones of ring1, after --")
    args = p.parse_args()
    end, blocks, seeds, wrong = time.time() + args.t, 0, 0, []
    while seeds < args.n and time.time() < end - 1:
        more, what = run(args, args.s + seeds, end - time.time())
        blocks += more
        seeds += 1
        if what:
            wrong.append(what)
            print(what, flush=True)
    print(f"{seeds} seeds, {blocks} blocks, {len(wrong)} failed")
    return 1 if wrong or not blocks else 0


sys.exit(main())
