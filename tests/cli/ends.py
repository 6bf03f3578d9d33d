#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Abnormal ends: what the user sees when the guest's CPU shuts down, when output cannot be written, when ring1 itself
crashes. Usage: ends.py RING1
"""
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

RING1 = sys.argv[1]
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=0:handle_segv=0:handle_sigill=0:handle_abort=0:handle_sigfpe=0")
REGISTERS = r"eax 0x[0-9a-f]{8} ecx .*\r?\nesp .*\r?\neip 0x[0-9a-f]{8} "
EXIT = ["-device", "isa-debug-exit,iobase=0xf4"]
failures = []


def check(what, ok, err=""):
    if not ok:
        failures.append(f"{what}: {err[:600]!r}")


def guest(tmp, name, code):
    base, flags = 0x100000, 0x10000
    image = bytearray(0x1000)
    image[:32] = struct.pack("<8I", 0x1BADB002, flags, -(0x1BADB002 + flags) & 0xFFFFFFFF, base, base, base + len(image), 0,
                             base + 0x40)
    image[0x40:0x40 + len(code)] = code
    path = os.path.join(tmp, name)
    with open(path, "wb") as f:
        f.write(image)
    return [RING1, "run", "-m", "4", "-kernel", path]


def run(args, **how):
    how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **how}
    done = subprocess.run(args, stderr=subprocess.PIPE, timeout=120, env=ENV, **how)
    return done.returncode, done.stderr.decode()


def after(seconds, sig, args):
    p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENV)
    time.sleep(seconds)
    p.send_signal(sig)
    _, err = p.communicate(timeout=120)
    return p.returncode, err.decode()


def shutdowns(tmp):
    crash = guest(tmp, "ud2", b"\x0f\x0b")
    status, err = run(crash + ["-no-reboot"])
    check("triple fault, -no-reboot", status == 0 and re.fullmatch(
        r"ring1: triple fault at 0x0008:0x00100040: the guest's CPU shut down because it could not deliver vector 0x06 \(#UD\); "
        r"-no-reboot ends the run\n" + REGISTERS + r"(.*\n)*instructions so far: \d+\n", err), err)
    status, err = after(2.5, signal.SIGTERM, crash)
    lines = err.splitlines()
    check("triple faults without end", status == 128 + signal.SIGTERM and 2 <= len(lines) <= 6 and
          lines[0].endswith("restarting it (-no-reboot shows the registers)") and "times since the last report" in lines[1], err)
    status, err = after(1, signal.SIGTERM, guest(tmp, "hlt", b"\xfa\xf4"))
    check("halted for good", status == 128 + signal.SIGTERM and err.count("\n") == 1 and "will not run again" in err, err)
    status, err = run(guest(tmp, "rsm", b"\x0f\xaa") + ["-no-reboot"])
    check("RSM is #UD", status == 0 and "(#UD)" in err, err)


def output(tmp):
    # 64 KiB to the serial port, then exit with 2 * 3 + 1
    writer = guest(tmp, "writer", b"\xb9\x00\x00\x01\x00\x66\xba\xf8\x03\xb0\x41\xee\xe2\xfd\xb0\x03\xe6\xf4\xf4") + EXIT
    lost = "ring1: cannot write the output of serial port 1: {}; it is lost from here on\n"
    status, err = run(writer + ["-serial", "file:/dev/full"])
    check("-serial on a full disk", status == 7 and err == lost.format("No space left on device"), err)
    with open("/dev/full", "wb") as full:
        status, err = run(writer, stdout=full)
    check("standard output on a full disk", status == 7 and err == lost.format("No space left on device"), err)
    reader, pipe = os.pipe()
    os.close(reader)
    status, err = run(writer, stdout=pipe)
    os.close(pipe)
    check("standard output is a pipe that nobody reads", status == 7 and err == lost.format("Broken pipe"), err)
    status, err = run(["sh", "-c", 'exec "$0" "$@" >&-', *writer], stdout=None)
    check("standard output is closed", status == 7 and err == "", err)
    status, err = run(["sh", "-c", 'exec "$0" "$@" <&- 2>&-', *writer])
    check("input and error are closed", status == 7 and err == "", err)
    status, err = run(writer + ["-serial", "null", "-d", "io", "-D", "/dev/full"])
    check("-D on a full disk", status == 7 and err == "ring1: cannot write the trace: No space left on device; it has gaps\n", err)


def crashes(tmp):
    loop = guest(tmp, "loop", b"\xeb\xfe") + ["-serial", "null"]
    for sig in (signal.SIGSEGV, signal.SIGABRT):
        status, err = after(1, sig, loop)
        check(f"ring1 gets {sig.name}", status == 1 and re.fullmatch(
            rf"\r?\nring1: signal {int(sig)} \({sig.name[3:]}\) came from process \d+; please report it with the guest's registers:"
            rf"\r?\n{REGISTERS}(.*\n)*", err), err)


def main():
    with tempfile.TemporaryDirectory() as tmp:
        shutdowns(tmp)
        output(tmp)
        crashes(tmp)
    print("\n".join(failures) if failures else "ends: ok")
    return 1 if failures else 0


sys.exit(main())
