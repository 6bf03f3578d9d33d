#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""-exec lockstep: a run is the same each time, and a guest's waiting costs no time. Usage: lockstep.py RING1 TINY_ELF"""
import os
import re
import struct
import subprocess
import sys
import tempfile
import time

RING1, TINY = sys.argv[1:3]
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
failures = []


def check(ok, what, text=""):
    if not ok:
        failures.append(f"{what}: {text[-1500:]}")


def run_stats(*options):
    """Returns (exit status, output, the line about blocks and instructions, seconds, standard error with --stats)."""
    start = time.time()
    done = subprocess.run([RING1, "run", "-exec", "lockstep", "-rtc", "base=2024-02-29", "-nographic", "--stats", *options],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV, timeout=240)
    err = done.stderr.decode(errors="replace")
    found = re.search(r"^ring1: lockstep: no difference in (\d+) blocks, (\d+) instructions$", err, re.M)
    check(found, "no difference", err)
    return done.returncode, done.stdout.decode(errors="replace"), found and found[0], time.time() - start, err


def run(*options):
    return run_stats(*options)[:4]


def repeats(*options):
    first, second = run(*options), run(*options)
    check(first[:3] == second[:3], "two runs are one", f"{first[:3]}\n{second[:3]}")
    return first


def tiny():
    """Timer ticks, sleeping and busy processes, the CMOS clock."""
    status, text, _, _ = repeats("-m", "16", "-kernel", TINY, "-append",
                                 "run=spin;ps;kill 2;cpu;primes 20000;sleep 3;date;uptime;poweroff")
    check(status == 0 and "turning off" in text and "2024-02-29 00:00:" in text, "tiny ends", text)
    _, text, _, seconds = run("-m", "16", "-kernel", TINY, "-append", "run=sleep 600;uptime;poweroff")
    check("up 600." in text, "ten minutes of sleep", text)
    check(seconds < 120, "ten minutes of sleep cost no ten minutes", f"{seconds:.1f} s")


def windows():
    """A program that computes for some milliseconds gets a window, as it does without lockstep. All of it is the same each time."""
    pages = []
    for program in ("", "primes 300000;"):
        _, _, _, _, err = run_stats("-m", "16", "-kernel", TINY, "-append", f"run={program}poweroff")
        found = re.search(r"^window_maps +(\d+)", err, re.M)
        pages.append(int(found[1]) if found else 0)
    check(pages[0] and pages[1] - pages[0] >= 28, "the program's pages are in a window", str(pages))


def clocks(tmp):
    """What a guest sees of time and chance, sent to port 0xe9 byte by byte: RDTSC, RDRAND, the PIT's counter."""
    base = 0x100000
    code = b"\xb9" + struct.pack("<I", 200)  # mov ecx, 200
    loop = len(code)
    for value in (b"\x0f\x31", b"\x0f\xc7\xf0", b"\xb0\x00\xe6\x43\xe4\x40"):  # rdtsc; rdrand eax; latch, in al, 0x40
        code += value
        for _ in range(4):
            code += b"\xe6\xe9\xc1\xe8\x08"  # out 0xe9, al; shr eax, 8
    code += b"\x49\x0f\x85" + struct.pack("<i", loop - len(code) - 7)  # dec ecx; jnz loop
    code += b"\xb0\x00\xe6\xf4"  # out 0xf4, al
    image = bytearray(0x1000)
    image[:32] = struct.pack("<8I", 0x1BADB002, 0x10000, -(0x1BADB002 + 0x10000) & 0xFFFFFFFF, base, base, base + len(image), 0,
                             base + 0x40)
    image[0x40:0x40 + len(code)] = code
    path, log = os.path.join(tmp, "clocks"), os.path.join(tmp, "log")
    with open(path, "wb") as f:
        f.write(image)
    seen = []
    for _ in range(2):
        status, _, counts, _ = run("-m", "4", "-kernel", path, "-device", "isa-debug-exit,iobase=0xf4", "-debugcon", f"file:{log}")
        with open(log, "rb") as f:
            seen.append((status, counts, f.read()))
    check(seen[0] == seen[1], "the same times and numbers", f"{seen[0][:2]} {seen[1][:2]}")
    check(seen[0][0] == 1 and len(seen[0][2]) == 200 * 12, "the guest got through", str(seen[0][:2]))
    words = struct.unpack("<600I", seen[0][2])
    check(all(a < b for a, b in zip(words[0::3], words[3::3])), "time goes on", str(words[0:30:3]))
    check(len(set(words[1::3])) == 200, "RDRAND's numbers differ", str(words[1:30:3]))


def main():
    tiny()
    windows()
    with tempfile.TemporaryDirectory() as tmp:
        clocks(tmp)
    print("\n".join(failures) or "passed")
    return 1 if failures else 0


sys.exit(main())
