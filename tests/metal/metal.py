#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The monitor on a machine of its own: boots it in QEMU (x86-64, TCG) or Bochs, with a guest, and looks at what the guest says.

Usage: metal.py RING1 KERNEL MACHINE MODE [INITRD [BOOTS]]
MACHINE: qemu, bochs, or medium (QEMU, from an ISO). MODE: words such as exec=interpret or user=direct,kernel=direct. KERNEL: tiny.elf, or a Linux kernel with
INITRD, perhaps BOOTS times in a row. The same lines are expected in each mode: the guest cannot tell them apart.
"""
import os
import re
import subprocess
import sys
import tempfile

TINY = "run=cpu;primes 3000;holes"
TINY_LINES = [
    r"430 primes up to 3000, the largest is 2999",
    r"sgdt +base 0x[0-9a-f]+, limit 0x002f: the kernel's own",
    r"sidt +base 0x[0-9a-f]+, limit 0x07ff: the kernel's own",
    r"smsw +0x[0-9a-f]+, the low half of CR0: the kernel's own",
    r"pushf +0x00000[0-9a-f]+: interrupts are on, IOPL is 0",
    r"popf +wanted interrupts off, they are still on: no fault",
    r"mov cs +0x001b: this is ring 3",
    r"turning off",
]
LINUX_LINES = [r"Linux \S+ 6\.1\S* .*i686", r"metal-says-(1 2 3|123)"]
DIRECT = r"ring1: +(\d+) +entries into directly executed code"


def medium(work, initrd):
    """The initrd with a command that Debian's guest runs."""
    command = os.path.join(work, "ring1-command")
    with open(command, "w") as f:
        f.write("uname -a >/dev/ttyS0; echo metal-says-$(echo 1 2 3) >/dev/ttyS0\n")
    extra = subprocess.run("echo ring1-command | cpio --quiet -o -H newc | gzip -1n", shell=True, cwd=work,
                           stdout=subprocess.PIPE, check=True).stdout
    out = os.path.join(work, "initrd")
    with open(initrd, "rb") as f, open(out, "wb") as g:
        g.write(f.read() + extra)
    return out


def options(mode):
    words = dict(w.split("=") for w in mode.split(",") if w)
    result = []
    if "exec" in words:
        result += ["-exec", words["exec"]]
    return result + [f"--{n}={words[n]}" for n in ("user", "kernel") if n in words]


def boot(ring1, kernel, machine, mode, initrd):
    """One guest's life. Returns what is missing, a list of sentences."""
    with tempfile.TemporaryDirectory() as work:
        args = ["-kernel", kernel, "-no-reboot", *options(mode)]
        if initrd:
            args += ["-m", "256M", "-initrd", medium(work, initrd), "-append", "console=ttyS0 quiet panic=-1"]
        else:
            args += ["-m", "64M", "-append", TINY]
        if machine == "medium":
            iso = os.path.join(work, "iso")
            subprocess.run([ring1, "metal", "iso", *args, "-o", iso], check=True)
            args = ["-cdrom", iso]
        else:
            args += ["--in", machine]
        try:
            done = subprocess.run([ring1, "metal", "run", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=1500)
            text = done.stdout.decode("latin-1")
        except subprocess.TimeoutExpired as e:
            print((e.stdout or b"").decode("latin-1")[-4000:])
            return ["the machine did not turn itself off"]
    text = text.replace("\r", "")
    missing = [p for p in (LINUX_LINES if initrd else TINY_LINES) if not re.search(p, text)]
    entries = re.search(DIRECT, text)
    if not entries:
        missing.append("the report")
    elif (int(entries.group(1)) > 0) != ("direct" in mode):
        missing.append(f"direct execution as the mode {mode} has it: {entries.group(0)}")
    if missing:
        print(text[-6000:])
    else:
        print(f"{machine} {mode}: {entries.group(0).strip()}", flush=True)
    return missing


def main():
    ring1, kernel, machine, mode = sys.argv[1:5]
    initrd = sys.argv[5] if len(sys.argv) > 5 else None
    boots = int(sys.argv[6]) if len(sys.argv) > 6 else 1
    for n in range(boots):
        missing = boot(ring1, kernel, machine, mode, initrd)
        if missing:
            print(f"boot {n + 1} of {boots}, missing: " + "; ".join(missing))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
