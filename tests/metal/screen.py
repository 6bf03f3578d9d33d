#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The guest's text screen is on the machine's: reads the text memory and the cursor of the PC that QEMU emulates.

Usage: screen.py RING1 KERNEL. KERNEL: screen_hold.elf. The monitor of QEMU is asked on the terminal (Ctrl-A C).
"""
import os
import subprocess
import sys
import tempfile
import threading
import time

READY = b"the screen is written"
TEXT, ROW, COLUMN, COLOUR, GROUND = "the guest's screen", 3, 10, 0x4e, 0x17
CURSOR = 0x2a5


def wanted():
    cells = [(" ", GROUND)] * 2000
    for n, c in enumerate(TEXT):
        cells[ROW * 80 + COLUMN + n] = (c, COLOUR)
    return b"".join(bytes([ord(c), a]) for c, a in cells)


def until(out, text):
    seen = b""
    while text not in seen:
        c = out.read(1)
        if not c:
            print(seen.decode("latin-1")[-2000:])
            sys.exit(f"the machine ended before it said {text!r}")
        seen += c


def main():
    ring1, kernel = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as work:
        dump = os.path.join(work, "dump")
        vm = subprocess.Popen([ring1, "metal", "run", "-kernel", kernel, "-m", "32", "-debugcon"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        watch = threading.Timer(240, vm.kill)
        watch.start()
        until(vm.stdout, READY)
        time.sleep(2)
        # The index of the CRT controller's cursor is written, then the data port is read, high byte and low byte.
        ask = f"pmemsave 0xb8000 4000 \"{dump}\"\no /b 0x3d4 0xe\ni /b 0x3d5\no /b 0x3d4 0xf\ni /b 0x3d5\nquit\n"
        vm.stdin.write(b"\x01c" + ask.encode())
        answer = vm.stdout.read().decode("latin-1")
        vm.wait()
        watch.cancel()
        if not os.path.exists(dump):
            sys.exit(f"QEMU wrote no memory: {answer[-2000:]!r}")
        with open(dump, "rb") as f:
            screen = f.read()
    failed = 0
    if screen != wanted():
        failed = 1
        for row in range(25):
            print(repr(screen[row * 160:row * 160 + 160:2].decode("latin-1")))
        print(f"attributes: {sorted(set(screen[1::2]))}")
    cursor = [int(line.split("=")[1], 16) for line in answer.replace("\r", "").split("\n") if line.startswith("portb[0x")]
    if cursor != [CURSOR >> 8, CURSOR & 0xff]:
        failed = 1
        print(f"cursor: {cursor}\n{answer[-2000:]}")
    return failed


sys.exit(main())
