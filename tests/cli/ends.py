#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Abnormal ends: what the user sees when the guest's CPU shuts down, when output cannot be written, when ring1 itself
crashes; and the sandbox of the process. Usage: ends.py RING1
"""
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

RING1 = sys.argv[1]
# The last one: AddressSanitizer's own book of thread-local storage wants memory when the process ends, also where it may have no more.
ENV = dict(os.environ,
           ASAN_OPTIONS="detect_leaks=0:handle_segv=0:handle_sigill=0:handle_abort=0:handle_sigfpe=0:intercept_tls_get_addr=0")
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
    how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "env": ENV, **how}
    done = subprocess.run(args, stderr=subprocess.PIPE, timeout=120, **how)
    return done.returncode, done.stderr.decode()


def after(seconds, sig, args):
    p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENV)
    time.sleep(seconds)
    p.send_signal(sig)
    _, err = p.communicate(timeout=120)
    return p.returncode, err.decode()


def typed(text):
    """A file descriptor to read it from, a little later."""
    reader, writer = os.pipe()
    threading.Timer(1, lambda: (os.write(writer, text), os.close(writer))).start()
    return reader


def serial_nmi(tmp):
    """CLI, HLT; an NMI of line 4 exits with 7."""
    base, code = 0x100000, b""
    for index, value in ((0x19, 0), (0x18, 0x400)):
        code += b"\xc7\x05" + struct.pack("<II", 0xFEC00000, index) + b"\xc7\x05" + struct.pack("<II", 0xFEC00010, value)
    code += b"\x0f\x01\x15" + struct.pack("<I", base + 0x200) + b"\x0f\x01\x1d" + struct.pack("<I", base + 0x208)
    for port, value in ((0x3F9, 1), (0x3FC, 0)):  # IER; MCR: OUT2 gates nothing
        code += b"\x66\xba" + struct.pack("<H", port) + bytes([0xB0, value, 0xEE])
    code = (code + b"\xfa\xf4").ljust(0x180, b"\x90") + b"\xb0\x03\xe6\xf4"  # at 0x1c0: mov al, 3; out 0xf4, al
    code = code.ljust(0x1C0, b"\x90")
    code += struct.pack("<HIHHIH", 23, base + 0x218, 0, 23, base + 0x230, 0)
    code = code.ljust(0x1D8, b"\0") + struct.pack("<QQQ", 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF)
    code += struct.pack("<QQHHHH", 0, 0, base + 0x1C0 & 0xFFFF, 8, 0x8E00, base >> 16)
    return guest(tmp, "serial_nmi", code) + EXIT


def shutdowns(tmp):
    crash = guest(tmp, "ud2", b"\x0f\x0b")
    status, err = run(crash + ["-no-reboot"])
    check("triple fault, -no-reboot", status == 0 and re.fullmatch(
        r"ring1: triple fault at 0x0008:0x00100040: the guest's CPU shut down because it could not deliver vector 0x08 \(#DF\), "
        r"which came of vector 0x06 \(#UD\); "
        r"-no-reboot ends the run\n" + REGISTERS + r"(.*\n)*instructions so far: \d+\n", err), err)
    status, err = after(2.5, signal.SIGTERM, crash)
    lines = err.splitlines()
    check("triple faults without end", status == 128 + signal.SIGTERM and 2 <= len(lines) <= 6 and
          lines[0].endswith("restarting it (-no-reboot shows the registers)") and "times since the last report" in lines[1], err)
    status, err = after(1, signal.SIGTERM, guest(tmp, "hlt", b"\xfa\xf4"))
    check("halted for good", status == 128 + signal.SIGTERM and err.count("\n") == 1 and "will not run again" in err, err)
    # input that its UART would turn into an NMI (I/O APIC pin 4) may still come, and does
    status, err = run(serial_nmi(tmp), stdin=typed(b"x"))
    check("a byte of input ends HLT with IF = 0", status == 7 and err == "", err)
    cmov = guest(tmp, "cmov", b"\x0f\x44\xc1\xfa\xf4") + ["-no-reboot"]
    status, err = run(cmov + ["-cpu", "pentium"])
    check("what the model lacks", status == 0 and "the guest tried what the CPU model 'pentium' lacks (-cpu): cmovcc, "
          "last at 0x0008:0x00100040\n" in err, err)
    # RDTSC, and vector 6 leads to HLT, as in many kernels
    code = bytearray(0x80)
    code[:0x12] = b"\x0f\x01\x1d" + struct.pack("<I", 0x100060) + b"\x0f\x31" + b"\x90" * 7 + b"\xfa\xf4"
    code[0x20:0x26] = struct.pack("<HI", 0x37, 0x100080)
    code[0x70:0x78] = struct.pack("<HHHH", 0x50, 8, 0x8e00, 0x10)
    stuck = guest(tmp, "stuck", code)
    status, err = after(1, signal.SIGTERM, stuck + ["-cpu", "486"])
    check("halted after what the model lacks", "will not run again" in err and "'486' lacks (-cpu): rdtsc, last at" in err, err)
    status, err = after(1, signal.SIGTERM, cmov)
    check("nothing lacks", "lacks" not in err, err)
    status, err = run(guest(tmp, "rsm", b"\x0f\xaa") + ["-no-reboot"])
    check("RSM is #UD", status == 0 and "(#UD)" in err, err)


def output(tmp):
    # a kernel that sends without setting the port up: 8 data bits, as firmware leaves it
    sent = subprocess.run(guest(tmp, "ff", b"\x66\xba\xf8\x03\xb0\xff\xee\xb0\x03\xe6\xf4\xf4") + EXIT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, timeout=120, env=ENV)
    check("a byte of 8 bits", sent.returncode == 7 and sent.stdout == b"\xff", repr(sent.stdout))
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


def limits(tmp):
    """Limits of the process: one sentence, or a run that needs less; never an end without a word."""
    writer = guest(tmp, "writer", b"\xb9\x00\x00\x01\x00\x66\xba\xf8\x03\xb0\x41\xee\xe2\xfd\xb0\x03\xe6\xf4\xf4") + EXIT
    mib = 1 << 20
    must_do = r"ring1: the host gives no 128 MiB for translated code \(.*{}.*\); {} MiB must do\n"
    table = [
        ("FSIZE", 0, "translate", 1, r"ring1: the host gives no 4 MiB for guest RAM \(.*ulimit -f.*\n"),
        ("FSIZE", 4 * mib, "translate", 7, must_do.format("ulimit -f", 4)),
        ("FSIZE", 64 * mib, "translate", 7, must_do.format("ulimit -f", 64)),
        ("FSIZE", 4 * mib, "interpret", 7, ""),
        ("NOFILE", 4, "interpret", 1, r"ring1: the host gives .*ulimit -n\n"),
        ("MEMLOCK", 0, "translate", 7, ""),
        ("CORE", 0, "translate", 7, ""),
        ("SIGPENDING", 0, "translate", 1, r"ring1: the host gives no timer: .*ulimit -i\n"),
    ]
    with open(RING1, "rb") as f:
        if b"__asan_init" not in f.read():  # which takes memory of its own
            table += [("DATA", 256 * mib, "translate", 7, must_do.format("ulimit -d", 32)),
                      ("DATA", 48 * mib, "translate", 7, must_do.format("ulimit -d", 2) + r"ring1: the host gives no memory for the books .*ulimit -d.*\n"),
                      ("DATA", 4 * mib, "interpret", 1, r"ring1: the host has not enough memory for the monitor\n"),
                      ("STACK", 16 << 10, "translate", 7, "")]
    for name, value, mode, want, says in table:
        limit = getattr(resource, "RLIMIT_" + name)
        # The environment counts as stack, and the kernel leaves up to 8 KiB above it, at random: with a long environment
        # the dynamic linker, which runs before us, would not have 16 KiB.
        status, err = run(writer + ["-exec", mode], env={} if name == "STACK" else ENV,
                          preexec_fn=lambda: resource.setrlimit(limit, (value, resource.getrlimit(limit)[1])))
        check(f"RLIMIT_{name} {value}, {mode}", status == want and re.fullmatch(says, err), f"status {status}, {err}")
    # Standard output is a file that is as long as a file may be.
    path = os.path.join(tmp, "long")
    with open(path, "wb") as f:
        f.seek(8 * mib)
        status, err = run(writer + ["-exec", "interpret"], stdout=f,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8 * mib + 100, resource.RLIM_INFINITY)))
    check("standard output meets ulimit -f", status == 7 and os.path.getsize(path) == 8 * mib + 100 and
          err == "ring1: cannot write the output of serial port 1: File too large; it is lost from here on\n", err)
    status, err = run(writer + ["-exec", "interpret", "-serial", "null", "-d", "exec,io", "-D", os.path.join(tmp, "trace")],
                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4 * mib, resource.RLIM_INFINITY)))
    check("-D meets ulimit -f", status == 7 and err == "ring1: cannot write the trace: File too large; it has gaps\n", err)
    loop = guest(tmp, "loop", b"\xeb\xfe") + ["-serial", "null"]
    status, err = run(loop, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 60)))
    check("ulimit -t", status == 128 + signal.SIGXCPU and err == "ring1: the limit of this process's CPU time is met (ulimit -t)\n", err)


# waits for a byte of input, counts in each page from 2 MiB to 8 MiB, a hundred times, exits
PAGES = (b"\x66\xba\xfd\x03\xec\xa8\x01\x74\xfb\xbb\x64\x00\x00\x00\xb9\x00\x00\x20\x00\xff\x01\x81\xc1\x00\x10\x00\x00"
         b"\x81\xf9\x00\x00\x80\x00\x72\xf0\x4b\x75\xe8\xb0\x03\xe6\xf4\xf4")


def address_space(tmp):
    """ulimit -v: fewer windows and jump maps, then no windows, then a sentence."""
    with open(RING1, "rb") as f:
        if b"__asan_init" in f.read():  # which takes address space of its own
            return
    pages = guest(tmp, "pages", PAGES[9:]) + EXIT + ["-m", "8", "-serial", "null", "-stats", "-exec", "translate"]
    denied = "ring1: the host denies the 38 GiB of address space that translation takes at the least; raise ulimit -v, or use -exec interpret\n"
    for gib, options, windows in ((165, [], True), (120, [], True), (100, [], True), (62, [], True), (50, [], False),
                                  (165, ["-bt", "soft"], False), (39, [], False), (36, [], None)):
        status, err = run(pages + options, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (gib << 30, gib << 30)))
        filled = int((re.search(r"^hidden_faults +(\d+)", err, re.M) or [0, -1])[1])
        ok = status == 7 and "ring1: " not in err and (filled > 0) == windows if windows is not None else (status, err) == (1, denied)
        check(f"ulimit -v of {gib} GiB {options}", ok, f"status {status}, {err}")


def refusals(tmp):
    """The kernel refuses mappings from some moment on: the guest goes on, and the user is told once."""
    args = guest(tmp, "pages", PAGES) + EXIT + ["-m", "8", "-serial", "stdio", "-stats"]
    for lowered in (True, False):
        p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENV)
        time.sleep(1)
        if lowered:
            resource.prlimit(p.pid, resource.RLIMIT_AS, (1 << 20, resource.prlimit(p.pid, resource.RLIMIT_AS)[1]))
        _, err = p.communicate(b"x", timeout=120)
        err = err.decode()
        refused = int((re.search(r"^window_refusals +(\d+)", err, re.M) or [0, -1])[1])
        check(f"mappings refused: {lowered}", p.returncode == 7 and (refused > 0) == lowered and
              err.count("ring1: ") == lowered and err.count("the host refuses to map guest memory") == lowered, err)


def out_of_memory(tmp):
    """The host has no memory for a page of guest RAM: an end with a sentence. Here someone takes the pages away."""
    args = guest(tmp, "pages", PAGES) + EXIT + ["-m", "8", "-serial", "stdio"]
    for mode in (["interpret"], ["translate"], ["translate", "-bt", "soft"]):
        p = subprocess.Popen(args + ["-exec", *mode], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENV)
        time.sleep(1)
        fds = [f"/proc/{p.pid}/fd/{fd}" for fd in os.listdir(f"/proc/{p.pid}/fd")]
        for fd in fds:
            if "ring1-guest-ram" in os.readlink(fd):
                os.truncate(fd, 4 << 20)
        try:
            _, err = p.communicate(b"x", timeout=20)
        except subprocess.TimeoutExpired:
            p.kill()
            _, err = p.communicate()
        check(f"no memory for a page, {mode}", p.returncode == 1 and b"or the host ran out of memory (SIGBUS at 0x" in err, err.decode())


def crashes(tmp):
    loop = guest(tmp, "loop", b"\xeb\xfe") + ["-serial", "null"]
    for sig, options in ((signal.SIGSEGV, []), (signal.SIGABRT, []), (signal.SIGTRAP, ["-exec", "translate"]),
                         (signal.SIGSEGV, ["-exec", "translate"])):
        status, err = after(1, sig, loop + options)
        for _ in range(20):  # it may come between two slices, when no translated code runs, or on the way into the block
            if not options or re.search(r"translator: in translated code; (.*\n)* +at offset 0x[0-9a-f]+ of the code cache, in the block", err):
                break
            status, err = after(1, sig, loop + options)
        if options:
            check(f"{sig.name}, {options}: names the block", re.search(
                r"translator: in translated code; .*\r?\n(.*\n)* +at offset 0x[0-9a-f]+ of the code cache, in the block of "
                r"0x00100040 (.*\n)* +guest instruction 0 of the block, at 0x00100040\r?\n", err), err)
        check(f"{sig.name}, {options}: host registers", re.search(r"\nhost registers:\r?\nrax 0x[0-9a-f]{16} ", err) and
              re.search(r"\ncode at rip:( [0-9a-f]{2}){16}\r?\n", err), err)
        check(f"ring1 gets {sig.name}, {options}", status == 1 and re.fullmatch(
            rf"\r?\nring1: signal {int(sig)} \({sig.name[3:]}\) came from process \d+; please report it with the guest's registers:"
            rf"\r?\n{REGISTERS}(.*\n)*", err), err)


def breaking_in(tmp):
    """Signals reach a guest that never leaves its translated code, at once."""
    loop = guest(tmp, "loop", b"\xeb\xfe")
    calls = guest(tmp, "calls", b"\xbc\x00\x08\x10\x00\xe8\xf6\xff\xff\xff")  # mov esp; call the mov
    for name, args in (("jmp", loop), ("call", calls)):
        for mode in (["translate"], ["translate", "-bt", "chain=off,soft"], ["translate", "-bt", "return-stack=off"]):
            p = subprocess.Popen(args + ["-serial", "null", "-stats", "-exec", *mode], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENV)
            time.sleep(0.7)
            start = time.monotonic()
            p.terminate()
            _, err = p.communicate(timeout=120)
            took = time.monotonic() - start
            check(f"{name}, {mode}: SIGTERM", p.returncode == 128 + signal.SIGTERM and took < 2, f"{took} s, {err!r}")
            insns = re.search(r"^insns +(\d+)", err.decode(), re.M)
            check(f"{name}, {mode}: is translated", insns and int(insns.group(1)) < 100000, err.decode())


def seccomp_of(args):
    p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENV)
    time.sleep(0.7)
    with open(f"/proc/{p.pid}/status") as f:
        mode = dict(line.split(":", 1) for line in f)["Seccomp"].strip()
    p.terminate()
    _, err = p.communicate(timeout=120)
    return mode, p.returncode, err.decode()


def sandbox(tmp):
    """The filter is there by default (not with AddressSanitizer), and everything still works under it."""
    loop = guest(tmp, "loop", b"\xeb\xfe") + ["-serial", "null"]
    with open(RING1, "rb") as f:
        want = "0" if b"__asan_init" in f.read() else "2"
    for options, expected in (([], want), (["-sandbox", "report"], want), (["-sandbox", "off"], "0"),
                              (["-exec", "translate"], want)):
        mode, status, err = seccomp_of(loop + options)
        check(f"sandbox {options}", mode == expected and status == 128 + signal.SIGTERM and err == "",
              f"Seccomp {mode}, status {status}, {err}")


def main():
    with tempfile.TemporaryDirectory() as tmp:
        shutdowns(tmp)
        output(tmp)
        limits(tmp)
        address_space(tmp)
        refusals(tmp)
        out_of_memory(tmp)
        crashes(tmp)
        breaking_in(tmp)
        sandbox(tmp)
    print("\n".join(failures) if failures else "ends: ok")
    return 1 if failures else 0


sys.exit(main())
