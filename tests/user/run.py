#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the user-level instruction test on the host CPU and under ring1, and compares every line.

Usage: run.py RING1 PROGRAM [JUDGE] [--qemu] [--random LINES] [--from N] [--seed N] [--cases N] [--form NAME] [--exec MODE]
                            [--minutes N]

PROGRAM (tests/user/user.elf of the build directory) is at once a Linux program and a multiboot kernel; each line it
prints is a hash over all results of one instruction form, or of 16 random sequences (--random). A line that differs is
run again in full, and the first differing cases are shown. --qemu runs qemu-i386 instead of ring1, without #AC and
faulting operands, and lists forms that differ and are not in qemu_known.txt; it does not fail. --minutes repeats --random with a new seed each time.

JUDGE (tests/user/user-judge) knows what a host CPU that is not Intel's does otherwise. There, of a form that differs each
case is shown to it. Of a random sequence that differs the first instruction after which it does is: the sequence runs
again and again, each time one instruction further; what comes after an instruction that may differ is not compared.
"""
import argparse
import fnmatch
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
EXIT_GOOD = 1  # isa-debug-exit: (0 << 1) | 1
SHOWN_LINES, SHOWN_CASES = 12, 2
PICKS_MAX = 300  # the program's command line has 4096 characters


def run_native(args, words, prefix=()):
    """The program as a Linux process; returns its lines."""
    done = subprocess.run([*prefix, args.program, *words, *args.native_words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=args.timeout, text=True, errors="replace")
    return done.stdout.splitlines()


def run_qemu(args, words):
    """Form by form, since qemu-i386 aborts on some."""
    lines = []
    for name in args.names:
        lines += run_native(args, [*words, "qemu", f"form={name}"], ("qemu-i386", "-cpu", "max"))[:1]
    return [*lines, "done"]


def run_ring1(args, words):
    """The program as a kernel under ring1; returns its lines."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        done = subprocess.run([args.ring1, "run", f"--exec={args.exec}", "-kernel", args.program, "-append",
                               " ".join(words), "-m", "32", "-display", "none", "-serial", "none", "-no-reboot",
                               "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", "-debugcon", f"file:{log}"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=args.timeout, text=True, errors="replace")
        lines = open(log, errors="replace").read().splitlines() if os.path.exists(log) else []
    if done.returncode != EXIT_GOOD:
        lines.append(f"FAIL ring1's exit status is {done.returncode}: {done.stdout[-1000:]}")
    return lines


def words_of(args, seed, verbose_line=None):
    words = [f"seed={seed}"]
    if args.plain:
        words.append("plain")
    if args.cases:
        words.append(f"cases={args.cases}")
    if verbose_line is not None:
        words.append("verbose")
        if args.random:
            return [*words, "random=1", f"from={int(verbose_line.split('.')[1], 16)}"]
        return [*words, f"form={verbose_line}"]
    if args.random:
        return [*words, f"random={args.random}", f"from={getattr(args, 'from')}"]
    return words + ([f"form={args.form}"] if args.form else [])


def show_difference(args, seed, name, other_run):
    """Runs one line in full on both sides and prints what differs first."""
    words = words_of(args, seed, name)
    want, got = run_native(args, words), other_run(args, words)
    shown = cases = 0
    for w, g in zip(want, got):
        if " case " not in w or w == g:
            continue
        cases += 1
        if shown == SHOWN_CASES:
            continue
        shown += 1
        before = w.split(" OUT ")[0]
        print(f"  {before if len(before) < 700 else before[:700] + ' ...'}")
        w_set, g_set = w.split(" OUT ")[1].split(), g.split(" OUT ")[-1].split()
        print("    native: " + " ".join(t for t in w_set if t not in g_set))
        print("    ring1:  " + " ".join(t for t in g_set if t not in w_set))
    print(f"  {cases} cases differ")


def compare(args, seed, other_run):
    """Returns (lines compared, names of the lines that differ)."""
    words = words_of(args, seed)
    want, got = run_native(args, words), other_run(args, words)
    results = {line.split()[0]: line for line in got if line}
    names = [line.split()[0] for line in want if line]
    if not want or want[-1] != "done":
        print(f"the native run did not end well: {want[-1:]}")
        return 0, ["native"]
    bad = [line.split()[0] for line in want if results.get(line.split()[0]) != line]
    for line in got:
        if line.startswith("FAIL"):
            print(line)
            bad.append("FAIL")
    return len(names) - 1, bad


def judged(args, want, got):
    """Full records of both sides. Returns (the lines that differ by more than the vendor's rows allow, how many do not)."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, lines in ("cpu", want), ("guest", got):
            paths.append(os.path.join(folder, name))
            with open(paths[-1], "w") as f:
                f.writelines(line + "\n" for line in lines if " case " in line)
        done = subprocess.run([args.judge, *paths], stdout=subprocess.PIPE, text=True, check=True)
    *rest, last = done.stdout.splitlines()
    return rest, int(last.split()[0])


def judge_form(args, seed, name):
    """Returns (is every difference the vendor's, how many are)."""
    words = words_of(args, seed, name)
    want, got = run_native(args, words), run_ring1(args, words)
    rest, excused = judged(args, want, got)
    print("".join(f"  {' '.join(want[int(line.split()[0])].split()[:3])}: {line}\n" for line in rest[:SHOWN_CASES]), end="")
    return not rest and excused > 0 and len(want) == len(got), excused


def first_steps(args, seed, bad):
    """Of the cases of the lines `bad`: {(line, case): the first step after which they differ}."""
    words = [*words_of(args, seed), "steps"]
    want, got = run_native(args, words), run_ring1(args, words)
    steps = {}
    for w, g in zip(want, got):
        name, *hashes = w.split()
        if w != g and name.rpartition(".")[0] in bad:
            differ = [k for k, (a, b) in enumerate(zip(hashes, g.split()[1:]), 1) if a != b]
            steps[name.rpartition(".")[0], name.rpartition(".")[2]] = differ[0] if differ else 1
    return steps if len(want) == len(got) else {}


def judge_random(args, seed, bad):
    """Returns (the lines among `bad` with a difference that is not the vendor's, how many cases have only others)."""
    steps, total = first_steps(args, seed, bad), 0
    cases, failed = sorted(steps), set(bad) - {line for line, _ in steps}
    for n in range(0, len(cases), PICKS_MAX):
        part = cases[n:n + PICKS_MAX]
        pick = ",".join(f"{int(line.split('.')[1], 16):x}.{case}.{steps[line, case]:x}" for line, case in part)
        words = [*words_of(args, seed), f"pick={pick}"]
        want, got = run_native(args, words), run_ring1(args, words)
        rest, excused = judged(args, want, got)
        total += excused
        for number, what in (line.split(" ", 1) for line in rest):
            failed.add(want[int(number)].split()[0])
            print(f"  {' '.join(want[int(number)].split()[:3])}: {what}")
        if excused + len(rest) != len(part) or len(want) != len(got):  # each pick differs again
            failed |= {line for line, _ in part}
    return failed, total


def by_vendor(args, seed, bad):
    """Returns the names among `bad` that differ by more than the CPU's vendor."""
    if not args.native_words:
        return bad
    lines = [name for name in bad if name.startswith("random.")]
    failed, total = judge_random(args, seed, lines) if lines else (set(), 0)
    for name in bad:
        if ":" in name:
            good, excused = judge_form(args, seed, name)
            total += excused
            failed |= set() if good else {name}
        elif name not in lines:
            failed.add(name)
    print(f"{len(bad) - len(failed)} lines, {total} cases differ as the CPU's vendor does from Intel: native_vendor.c")
    return [name for name in bad if name in failed]


def known_qemu():
    with open(os.path.join(HERE, "qemu_known.txt")) as f:
        return [line.split()[0] for line in f if line.strip() and not line.startswith("#")]


def qemu_report(args):
    if not shutil.which("qemu-i386"):
        print("no qemu-i386 here")
        return 0
    args.plain = True
    args.names = [line.split()[0] for line in run_native(args, words_of(args, args.seed)) if ":" in line]
    count, bad = compare(args, args.seed, run_qemu)
    known = known_qemu()
    fresh = [name for name in bad if not any(fnmatch.fnmatchcase(name, k) for k in known)]
    print(f"{count} lines, {len(bad)} differ under qemu-i386, {len(fresh)} of them not in qemu_known.txt")
    for name in fresh:
        print(name)
    return 0


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("ring1")
    p.add_argument("program")
    p.add_argument("judge", nargs="?")
    p.add_argument("--qemu", action="store_true")
    p.add_argument("--random", type=int, default=0)
    p.add_argument("--from", type=int, default=0)
    p.add_argument("--seed", type=int, default=None)
    p.add_argument("--cases", type=int, default=0)
    p.add_argument("--form")
    p.add_argument("--exec", default="interpret")
    p.add_argument("--minutes", type=float, default=0)
    p.add_argument("--timeout", type=int, default=600)
    p.add_argument("--shown", type=int, default=SHOWN_LINES)
    args = p.parse_args()
    args.plain, args.native_words = False, []
    args.ring1, args.program = os.path.abspath(args.ring1), os.path.abspath(args.program)
    args.judge = os.path.abspath(args.judge) if args.judge else None
    return args


def main():
    args = arguments()
    if args.seed is None:
        args.seed = int.from_bytes(os.urandom(3), "little") if args.random else 1
    if args.qemu:
        return qemu_report(args)
    if args.judge:
        args.native_words = subprocess.run([args.judge], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    end, total, failed = time.time() + 60 * args.minutes, 0, 0
    while True:
        print(f"seed {args.seed}", flush=True)
        count, bad = compare(args, args.seed, run_ring1)
        bad = by_vendor(args, args.seed, bad)
        total += count
        failed += len(bad)
        for name in bad[:args.shown]:
            print(f"DIFFERS {name}")
            if ":" in name or "." in name:
                show_difference(args, args.seed, name, run_ring1)
        if len(bad) > args.shown:
            print("more: " + " ".join(bad[args.shown:]))
        if time.time() >= end:
            break
        args.seed += 1
    print(f"{total} lines compared with the CPU, {failed} differ")
    return 1 if failed or not total else 0


sys.exit(main())
