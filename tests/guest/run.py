#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs one guest test under one configuration. Usage: run.py CONFIG KERNEL.elf [RING1]

CONFIG: interp (ring1 run --exec=interpret) or qemu (qemu-system-i386, as a judge of the test itself).
A test passes when port 0xe9 shows at least one line "ok ...", no line "FAIL ...", "done", and the exit code is 0's.
"""
import os
import subprocess
import sys
import tempfile


def command(config, kernel, ring1, log):
    common = ["-kernel", kernel, "-m", "32", "-display", "none", "-serial", "none", "-no-reboot",
              "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", "-debugcon", f"file:{log}"]
    if config == "qemu":
        return ["qemu-system-i386", "-accel", "tcg", "-cpu", "max", "-monitor", "none", *common]
    return [ring1, "run", f"--exec={config}", *common]


def main():
    config, kernel = sys.argv[1:3]
    ring1 = sys.argv[3] if len(sys.argv) > 3 else None
    config = {"interp": "interpret"}.get(config, config)
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        try:
            done = subprocess.run(command(config, kernel, ring1, log), timeout=60, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        except subprocess.TimeoutExpired:
            print("no end after 60 s")
            done = None
        text = open(log, errors="replace").read() if os.path.exists(log) else ""
    lines = text.split("\n")
    bad = [line for line in lines if line.startswith("FAIL")]
    good = [line for line in lines if line.startswith("ok ")]
    passed = done is not None and done.returncode == 1 and good and not bad and "done" in lines
    if not passed:
        print(text[-3000:])
        if done is not None:
            print(f"exit status {done.returncode}\n{done.stdout[-3000:]}")
    print(f"{len(good)} ok, {len(bad)} failed")
    return 0 if passed else 1


sys.exit(main())
