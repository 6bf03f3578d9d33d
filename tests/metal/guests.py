#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the guest tests on a machine of its own, many in one run of the image. Usage: guests.py RING1 MACHINE MODE KERNEL.elf...

MACHINE: qemu or bochs. MODE: as of metal.py. A KERNEL may be cpu=MODEL: the guests after it have that CPU, in a run of their own.
The image runs one guest after the other and reports each end on COM1, where the debug port comes out too. What a guest must show
is what tests/guest/run.py demands, and no guest's code may have run in ring 0. guests_differ.txt has what is not as on Linux. The
image must have as much memory free after each guest as before the first: nothing is left of a machine that is gone. When the image
itself ends too early, the guest that ran failed, and the others run without it.
"""
import os
import re
import subprocess
import sys

from metal import options

RESETS = {"reset_code"}  # guests that reset the machine on their way
END = re.compile(r"^ring1: guest (\S+)[^:]*: (.*), status (\d+), (\d+) ms, (\d+) entries into direct code$")
FREE = re.compile(r"^ring1: (\d+) bytes of memory are free$")
RING = re.compile(r"^ring1: +\d+  times the guest's CPL was (\d) and the hardware's (\d)$")
LIMIT = 60


def name_of(kernel):
    return os.path.basename(kernel).removesuffix(".elf")


def differences(machine, mode):
    """{(guest, name of a check or *): must it fail?} of the rows for this machine and mode."""
    rows = {}
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "guests_differ.txt")) as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                head, _ = line.rstrip("\n").rsplit(": ", 1)
                where, guest, check = head.split(": ", 2)
                below, *modes = where.split()
                always = "sometimes" not in modes
                modes = [m for m in modes if m != "sometimes"]
                if below in ("all", machine) and (not modes or mode in modes):
                    rows[(guest, check)] = always
    return rows


class Run:
    """One run of the image."""

    def __init__(self, ring1, machine, mode, cpu, kernels):
        self.log, self.ended, self.free, self.used, self.rings = [], [], [], [], []
        args = [ring1, "metal", "run", "--in", machine, *options(mode), "-m", "32", "-debugcon", f"--limit={LIMIT}"]
        args += ["-cpu", cpu] if cpu else []
        for kernel in kernels:
            args += ["-kernel", kernel]
        # One guest alone is not reported as one of several.
        args += ["-kernel", kernels[0]] if len(kernels) == 1 else []
        try:
            done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=(120 if machine == "qemu" else 600) + 30 * len(kernels))
            out = done.stdout
        except subprocess.TimeoutExpired as e:
            out = e.stdout or b""
        self.read(out.decode("latin-1").replace("\r", ""))

    def read(self, text):
        segment = []
        for line in text.split("\n"):
            end, free, ring = END.match(line), FREE.match(line), RING.match(line)
            if end:
                self.ended.append((name_of(end[1]), segment, end[2], int(end[3]), int(end[4])))
                self.rings.append(set())
                self.used.append(int(end[5]))
                segment = []
            elif ring and self.rings:
                self.rings[-1].add((int(ring[1]), int(ring[2])))
            elif free:
                self.free.append(int(free[1]))
            else:
                segment.append(line)
        self.rest = segment


def is_row(line, check):
    name = line.removeprefix("FAIL ")
    return name.startswith(check[:-1]) if check.endswith("*") else name.startswith(check + " got ")


def judge(guest, lines, how, status, known):
    """What is wrong with this guest's end: a list of sentences. `known` loses the rows that were needed."""
    bad = [line for line in lines if line.startswith("FAIL")]
    wrong = []
    excused = 0
    for line in bad:
        row = next(((g, c) for g, c in known if g == guest and is_row(line, c)), None)
        if row:
            excused += 1
            known[row] = True
        else:
            wrong.append(line)
    if how != "off":
        wrong.append(how)
    elif status != (3 if excused else 1) and not wrong:
        wrong.append(f"exit status {status}")
    if not any(line.startswith("ok ") for line in lines) or "done" not in lines:
        wrong.append("not done: " + " / ".join(lines[-3:]))
    if "ring1: the guest starts again" in lines and guest not in RESETS:
        wrong.append("it reset the machine")
    return wrong


def judge_rings(guest, mode, seen):
    """seen: pairs of the guest's CPL and the hardware's ring. ring_seen reads the former: 0 in its kernel, 3 in its program."""
    wrong = [f"guest code at ring 0, with CPL {cpl}" for cpl, ring in seen if ring == 0]
    wrong += [f"CPL {cpl} at ring 3" for cpl, ring in seen if ring == 3 and cpl != 3]
    if guest == "ring_seen" and "exec=interpret" in mode:
        wrong += ["guest code at a ring of its own, though it is interpreted"] if seen else []
    elif guest == "ring_seen":
        must = {(0, 1)} | ({(3, 3)} if "user=direct" in mode else set())
        wrong += [f"CPL {cpl} was not seen at ring {ring}, but {seen}" for cpl, ring in must - seen]
    return wrong


def run_all(ring1, machine, mode, cpu, kernels, known):
    """Returns (number of guests that passed, failures, entries into direct code)."""
    passed, failed, direct = 0, [], 0
    kernels = [k for k in kernels if (name_of(k), "*") not in known]
    while kernels:
        run = Run(ring1, machine, mode, cpu, kernels)
        for (guest, lines, how, status, ms), rings in zip(run.ended[:len(kernels)], run.rings):
            wrong = judge(guest, lines, how, status, known) + judge_rings(guest, mode, rings)
            passed += not wrong
            failed += [f"{guest}: {w}" for w in wrong]
            if ms > LIMIT * 100:
                print(f"{guest}: {ms} ms")
        direct += sum(run.used)
        if len(set(run.free)) > 1:
            failed.append(f"memory is lost from guest to guest: {run.free}")
        if len(run.ended) < len(kernels):
            failed.append(f"{name_of(kernels[len(run.ended)])}: the machine stopped: " + "\n".join(run.rest[-25:]))
            kernels = kernels[len(run.ended) + 1:]
        else:
            kernels = []
    return passed, failed, direct


def main():
    ring1, machine, mode, *rest = sys.argv[1:]
    groups = {None: []}
    cpu = None
    for word in rest:
        if word.startswith("cpu="):
            cpu = word[4:]
        else:
            groups.setdefault(cpu, []).append(word)
    rows = differences(machine, mode)
    known = dict.fromkeys(rows, False)
    passed, failed, direct = 0, [], 0
    for cpu, kernels in groups.items():
        p, f, d = run_all(ring1, machine, mode, cpu, kernels, known)
        passed, failed, direct = passed + p, failed + f, direct + d
    given = {name_of(k) for kernels in groups.values() for k in kernels}
    failed += [f"guests_differ.txt: {g}: {c}: this passes" for (g, c), needed in known.items()
               if c != "*" and g in given and rows[(g, c)] and not needed]
    if ("direct" in mode) != (direct > 0):
        failed.append(f"{direct} entries into direct code in mode {mode}")
    print("\n".join(failed))
    print(f"{machine} {mode}: {passed} guests passed, {len(failed)} failures, {direct} entries into direct code")
    return 1 if failed or not passed else 0


sys.exit(main())
