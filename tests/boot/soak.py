#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots guests over and over on a machine that is kept busy. Usage: soak.py RING1 TINY_ELF GUEST_DIR [BOOTS [SECONDS]]

Beside the boots run eight busy processes, and two that single-step a child of theirs (ptrace(2)), so that debug traps, signals and
task switches of the host coincide in every way. Every 25th boot is Debian's kernel, the others are our tiny guest OS with work for
its timer and its processes. 500 boots, unless SECONDS are over before (7000); the number that ran is printed. A boot that ends in
another way than by the guest's power-off is a failure, and all of its output is shown.
"""
import ctypes
import gzip
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

RING1, KERNEL, GUEST = sys.argv[1:4]
BOOTS = int(sys.argv[4]) if len(sys.argv) > 4 else 500
SECONDS = float(sys.argv[5]) if len(sys.argv) > 5 else 7000
BUSY, STEPPERS = 8, 2
DEBIAN_EVERY = 25
LATE = 600  # seconds for one boot; a dozen processes share the machine

PTRACE_TRACEME, PTRACE_SINGLESTEP, PTRACE_SETOPTIONS, PTRACE_O_EXITKILL = 0, 9, 0x4200, 0x100000
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def child(work):
    """A process that does `work` until it is killed, or we end."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:
        work()
    os._exit(0)


def busy():
    n = 1
    while True:
        n = n * 6364136223846793005 + 1 & (1 << 64) - 1


def stepped():
    libc.ptrace(PTRACE_TRACEME, 0, None, None)
    os.kill(os.getpid(), signal.SIGSTOP)
    busy()


def stepper():
    pid = child(stepped)
    os.waitpid(pid, 0)
    libc.ptrace(PTRACE_SETOPTIONS, pid, None, PTRACE_O_EXITKILL)
    while libc.ptrace(PTRACE_SINGLESTEP, pid, None, None) == 0:
        os.waitpid(pid, 0)


def newc(name, data):
    """One file as a cpio archive of format newc."""
    def entry(path, body, mode):
        head = "070701" + "".join(f"{n:08x}" for n in (1, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(path) + 1, 0))
        text = head.encode() + path.encode() + b"\0"
        text += b"\0" * (-len(text) % 4)
        return text + body + b"\0" * (-len(body) % 4)
    return entry(name, data, 0o100644) + entry("TRAILER!!!", b"", 0)


def ran(command):
    """(status or None, output, the count of odd debug traps)"""
    try:
        done = subprocess.run(command, timeout=LATE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        status, text = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, text = None, late.stdout or b""
    text = text.decode(errors="replace")
    odd = re.search(r"^break_odd +(\d+)", text, re.M)
    return status, text, int(odd[1]) if odd else 0


def boot_tiny():
    status, text, odd = ran([RING1, "run", "-kernel", KERNEL, "-m", "16", "-nographic", "-stats", "-append",
                             "run=spin;primes 200000;crash division;fib 24;sleep 1;kill 2;poweroff"])
    return status == 0 and "17984 primes" in text and "fib(24) = 46368" in text, status, text, odd


def boot_debian(folder):
    initrd = os.path.join(folder, "initrd")
    with open(os.path.join(GUEST, "initrd.gz"), "rb") as f:
        base = f.read()
    with open(initrd, "wb") as f:
        f.write(base + gzip.compress(newc("ring1-command", b"uname -m")))
    status, text, odd = ran([RING1, "run", "-kernel", os.path.join(GUEST, "vmlinuz-686"), "-initrd", initrd, "-m", "256",
                             "-append", "console=ttyS0", "-display", "none", "-stats", "-serial", "stdio", "-serial", "null"])
    return status == 0 and "ring1-demo-status: 0" in text, status, text, odd


def boots():
    start, odd = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        for n in range(BOOTS):
            good, status, text, traps = boot_debian(folder) if n % DEBIAN_EVERY == DEBIAN_EVERY - 1 else boot_tiny()
            odd += traps
            if not good:
                print(f"boot {n + 1} failed, status {status}\n{text}")
                return 1
            seconds = time.monotonic() - start
            if n % DEBIAN_EVERY == DEBIAN_EVERY - 1 or seconds > SECONDS:
                print(f"boot {n + 1}, {seconds:.0f} s, {odd} debug traps without the mark of a single step", flush=True)
            if seconds > SECONDS:
                break
    print(f"{n + 1} boots")
    return 0


def main():
    others = [child(busy) for _ in range(BUSY)] + [child(stepper) for _ in range(STEPPERS)]
    try:
        return boots()
    finally:
        for pid in others:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


sys.exit(main())
