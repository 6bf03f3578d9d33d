#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs one guest test under one configuration. Usage: run.py CONFIG KERNEL.elf [RING1 [OPTION...]]

CONFIG: a row of CONFIGS (ring1 run) or qemu (qemu-system-i386, as a judge of the test itself).
A test passes when port 0xe9 shows at least one line "ok ...", no line "FAIL ...", "done", and the exit code is 0's.
Under qemu the failures listed in judge_known.txt do not count.
"""
import os
import subprocess
import sys
import tempfile


# heat=0, elsewhere=off: everything is translated at its first execution.
CONFIGS = {
    "interp": ["--exec=interpret"],
    "translate": ["--exec=translate", "--bt", "heat=0,elsewhere=off"],
    "soft": ["--exec=translate", "--bt", "heat=0,elsewhere=off,soft"],
    "nobmi2": ["--exec=translate", "--bt", "heat=0,elsewhere=off,soft,bmi2=off"],
    "nochain": ["--exec=translate", "--bt", "heat=0,elsewhere=off,chain=off,return-stack=off,gs=off"],
    "lockstep": ["--exec=lockstep"],
    "single": ["--exec=translate", "--bt", "heat=0,elsewhere=off,insns=1", "--cache-size", "1M"],
}


# Guests that reset the machine on their way; the others would run again instead of failing.
RESETS = {"reset_code"}


def name_of(kernel):
    return os.path.basename(kernel).removesuffix(".elf")


def command(config, kernel, ring1, log, options):
    once = [] if name_of(kernel) in RESETS else ["-no-reboot"]
    common = ["-kernel", kernel, "-m", "32", "-display", "none", "-serial", "none", *once,
              "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", "-debugcon", f"file:{log}", *options]
    if config == "qemu":
        return ["qemu-system-i386", "-accel", "tcg", "-cpu", "max", "-monitor", "none", *common]
    return [ring1, "run", *CONFIGS[config], *common]


def judge_known(test):
    """What QEMU gets wrong in this test: a list of names, each perhaps ending in *."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "judge_known.txt")
    with open(path) as lines:
        rows = [line.rsplit(": ", 1)[0].split(": ", 1) for line in lines if not line.startswith("#") and line.strip()]
    return [row[1] for row in rows if row[0] == test]


def is_known(line, known):
    name = line.removeprefix("FAIL ")
    return any(name.startswith(k[:-1]) if k.endswith("*") else name.startswith(k + " got ") for k in known)


def main():
    config, kernel = sys.argv[1:3]
    ring1 = sys.argv[3] if len(sys.argv) > 3 else None
    known = judge_known(name_of(kernel)) if config == "qemu" else []
    if "*" in known:
        print("not judged by QEMU")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        try:
            done = subprocess.run(command(config, kernel, ring1, log, sys.argv[4:]), timeout=60, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        except subprocess.TimeoutExpired:
            print("no end after 60 s")
            done = None
        text = open(log, errors="replace").read() if os.path.exists(log) else ""
    lines = text.split("\n")
    bad = [line for line in lines if line.startswith("FAIL")]
    good = [line for line in lines if line.startswith("ok ")]
    excused = [line for line in bad if is_known(line, known)]
    status = 3 if excused else 1  # isa-debug-exit: 2 * code + 1
    passed = done is not None and done.returncode == status and good and bad == excused and "done" in lines
    if not passed:
        print("\n".join([line for line in bad if line not in excused] or lines[-3:]))
        if done is not None:
            print(f"exit status {done.returncode}\n{done.stdout[-3000:]}")
    print(f"{len(good)} ok, {len(bad)} failed" + (f", {len(excused)} of them known" if excused else ""))
    return 0 if passed else 1


sys.exit(main())
