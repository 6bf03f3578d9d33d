#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A hostile guest (escape.S) on a machine of its own: what comes of each of its attempts is what the interpreter and the Linux host say.

Usage: escape.py RING1 GUEST MODE. MODE: as metal.py's. The sums of the Linux host, interpreted and translated, are the reference.
"""
import os
import re
import subprocess
import sys
import tempfile

GROUPS = 37  # of sums: 19 at CPL 3, 18 at CPL 0
DIRECT_LEAST = 3000  # entries into directly executed code, where user code runs directly


def sums(text):
    return [line.split() for line in text.replace("\r", "").split("\n") if line.startswith("escape")]


def on_linux(ring1, guest, how):
    with tempfile.TemporaryDirectory() as work:
        serial = os.path.join(work, "serial")
        subprocess.run([ring1, "run", f"--exec={how}", "-kernel", guest, "-m", "64", "-display", "none", "-no-reboot", "-serial",
                        f"file:{serial}", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"], stdin=subprocess.DEVNULL, timeout=120)
        with open(serial) as f:
            return sums(f.read())


def main():
    ring1, guest, mode = sys.argv[1:4]
    words = dict(w.split("=") for w in mode.split(","))
    options = [x for n, value in words.items() for x in (["-exec", value] if n == "exec" else [f"--{n}={value}"])]
    want = on_linux(ring1, guest, "interpret")
    if len(want) != GROUPS + 3 or on_linux(ring1, guest, "translate") != want:
        print("the Linux host does not agree with itself, or the guest did not end")
        return 1
    try:
        done = subprocess.run([ring1, "metal", "run", "-kernel", guest, "-no-reboot", "-m", "64M", *options], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=500)
        text = done.stdout.decode("latin-1")
    except subprocess.TimeoutExpired as e:
        text = (e.stdout or b"").decode("latin-1")
    got = sums(text)
    entries = re.search(r"ring1: +(\d+) +entries into directly executed code", text)
    for n, line in enumerate(want):
        if n >= len(got) or got[n] != line:
            print(f"want {' '.join(line)}\ngot  {' '.join(got[n]) if n < len(got) else text[-2000:]}")
            if n >= len(got):
                break
    if got != want or not entries:
        return 1
    if (int(entries.group(1)) >= DIRECT_LEAST) != (words.get("user") == "direct"):
        print(f"direct execution as the mode {mode} has it: {entries.group(0)}")
        return 1
    print(f"{len(got) - 3} sums, {entries.group(0).strip()}")
    return 0


sys.exit(main())
