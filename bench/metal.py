#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What ring1 on a machine of its own makes of a guest, in instructions of the machine below: bare in QEMU, and under the monitor in
each of its modes. QEMU counts them (-icount shift=0): one instruction is one tick of the time-stamp counter, and nothing else that runs
on this machine disturbs it.

Usage: bench/metal.py [--image FILE] [--tiny FILE] [--json]
Prints three tables: nanobenchmarks (bench/nano/nano.S), a whole guest (tiny: boot, a recursive program, power-off), and where its instructions ran.
Status 1: a guest did not come to its end, a program computes less than 99 % of its instructions on the bare CPU, or one costs ten times what it costs
translated because it loops over a page that may run directly and one that may not.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
LIB = os.path.join(ROOT, "tests/guest/lib")
BARE = "bare"
MODES = ["exec=interpret", "user=translate kernel=translate", "user=direct kernel=translate", "user=direct kernel=direct"]
TITLES = {BARE: "bare", MODES[0]: "interpret", MODES[1]: "translate", MODES[2]: "user=direct", MODES[3]: "both direct"}
PROGRAM = "run=fib 27;help"
# Instructions between the two looks at the counter around direct code that are not the guest's: the way in and out. An
# upper bound (host/metal/nucleus/entry.S and the ends of direct.c).
WAY = 80
SHARE = 0.99
BESIDE = 10


def build(folder):
    path = os.path.join(folder, "nano.elf")
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wa,--noexecstack", "-I" + LIB,
                    "-Wl,-T," + os.path.join(LIB, "guest.ld"), "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments", "-o", path,
                    os.path.join(HERE, "nano/nano.S"), os.path.join(LIB, "start.S")], check=True)
    return path


def qemu(program, *args):
    done = subprocess.run([program, "-accel", "tcg", "-cpu", "max", "-icount", "shift=0,sleep=off", "-m", "512", "-display", "none",
                           "-serial", "stdio", "-monitor", "none", "-no-reboot", *args], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=900, check=False)
    return done.stdout.decode("latin-1").replace("\r", "")


def run(mode, image, kernel, append=""):
    """What the guest and the monitor's report say."""
    if mode == BARE:
        return qemu("qemu-system-i386", "-kernel", kernel, "-append", append, "-device", "isa-debug-exit,iobase=0xf4,iosize=4")
    return qemu("qemu-system-x86_64", "-kernel", image, "-append", f"memory=64M count=on reboot=off {mode}", "-initrd",
                f"{kernel} {append}".replace(",", ",,"))


def nanos(text):
    """{name: instructions per round}."""
    found = {}
    for name, ticks, rounds in re.findall(r"^nano (\S+) ([0-9a-f]{8}) ([0-9a-f]{8})$", text, re.M):
        found[name] = int(ticks, 16) / int(rounds, 16)
    return found


def counted(text):
    line = re.search(r"^ring1: counted (.*)$", text, re.M)
    return {k: int(v) for k, v in (w.split("=") for w in line[1].split())} if line else {}


def stat(text, what):
    """Of the report; 0 when there is none."""
    line = re.search(rf"^ring1: +(\d+)  {re.escape(what)}$", text, re.M)
    if not line and counted(text):
        sys.exit(f"the report has no row '{what}'")
    return int(line[1]) if line else 0


def whole(text, insns):
    """One mode of the whole guest: rates are per thousand of its instructions."""
    c = counted(text)
    if not c:
        return {}
    traps = stat(text, "exits: the host trapped") + stat(text, "directly executed instructions interpreted because they trapped") + \
        stat(text, "window faults filled from the guest's tables")
    user, kernel = (max(0, c[n]) for n in ("user", "kernel"))
    return {"machine": c["ticks"], "per_insn": c["ticks"] / insns, "traps": 1000 * traps / insns,
            "crossings": 1000 * c["crossings"] / insns, "callouts": 1000 * stat(text, "calls from translated code into the monitor") / insns,
            "interpreted": stat(text, "guest instructions interpreted"), "user_direct": user, "kernel_direct": kernel,
            "scanned": stat(text, "pages scanned before they could run directly"),
            "unclean": stat(text, "scanned pages that were not clean: left to the translator"), "entries": c["entries"], "refused": stat(text, "times the translator had to take over")}


def table(title, rows, columns, text):
    print(f"\n{title}\n\n| {'':24} | " + " | ".join(f"{TITLES.get(c, c):>12}" for c in columns) + " |")
    print("|" + "-" * 26 + "|" + "|".join("-" * 13 + ":" for _ in columns) + "|")
    for row in rows:
        print(f"| {row:24} | " + " | ".join(f"{text(row, c):>12}" for c in columns) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--image", default=os.path.join(ROOT, "build/host/metal/ring1-metal"))
    parser.add_argument("--tiny", default=os.path.join(ROOT, "build/guests/tiny.elf"))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kernel = build(folder)
        text = {m: run(m, args.image, kernel) for m in [BARE, *MODES]}
        tiny = {m: run(m, args.image, args.tiny, PROGRAM) for m in MODES}
    nano = {m: nanos(t) for m, t in text.items()}
    insns = stat(tiny[MODES[0]], "guest instructions interpreted")
    lost = [TITLES[m] for m in nano if len(nano[m]) != 10] + [f"tiny, {TITLES[m]}" for m in MODES if not counted(tiny[m]) or not insns]
    if lost:
        print("did not come to its end: " + "; ".join(lost), file=sys.stderr)
        return 1
    rows = {m: whole(t, insns) for m, t in tiny.items()}
    # The program of nano.S ran twice.
    program = 300000 * nano[BARE]["program"] * 2
    c = counted(text[MODES[2]])
    syscalls = 2 * 1000 * 4  # MOV, MOV, DEC, JNZ of nano_syscall's rounds
    beside = 2 * 2000 * 4  # at most: the instructions of nano_beside's rounds
    share = min(1.0, (c["user"] - WAY * c["entries"] - syscalls - beside) / program)
    if args.json:
        json.dump({"nano": nano, "tiny": rows, "tiny_instructions": insns, "user_share": share}, sys.stdout, indent=1)
    else:
        table("Instructions of the machine below for one round", list(nano[BARE]), [BARE, *MODES], lambda r, m: f"{nano[m][r]:.1f}")
        table(f"tiny, '{PROGRAM}': {insns} guest instructions; per thousand of them", ["traps", "crossings", "callouts"], MODES,
              lambda r, m: f"{rows[m][r]:.2f}")
        table("the same: instructions of the machine below", ["for each of the guest's"], MODES, lambda _, m: f"{rows[m]['per_insn']:.2f}")
        table("the same: per cent of the guest's instructions that ran on the bare CPU, and that were interpreted",
              ["user, directly", "kernel, directly", "interpreted"], MODES, lambda r, m: f"{part(r, rows[m], insns):.2f}")
        for m in MODES[2:]:
            print(f"\n{TITLES[m]}: {rows[m]['scanned']} pages scanned, {rows[m]['unclean']} of them left to the translator.", end="")
        print(f"\n\nA program that computes: {100 * share:.2f} % of its instructions on the bare CPU.")
    times = max(nano[m]["beside-cpuid"] for m in MODES[2:]) / nano[MODES[1]]["beside-cpuid"]
    return 0 if share > SHARE and times < BESIDE else 1


def part(row, r, insns):
    """Per cent; the way into direct code and out of it is not the guest's."""
    if row == "interpreted":
        return 100 * r["interpreted"] / insns
    both = r["user_direct"] + r["kernel_direct"]
    name = "user_direct" if row.startswith("user") else "kernel_direct"
    return 100 * max(0, r[name] - WAY * r["entries"] * r[name] / both) / insns if both else 0


if __name__ == "__main__":
    sys.exit(main())
