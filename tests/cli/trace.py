#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""-d and -D: every stage of include/ring1/trace.def yields well-formed lines, and only when it is wanted.

Usage: trace.py RING1 TINY_ELF. Two guests: our tiny OS, and a few instructions made here that touch what tiny never
touches (devices in memory, addresses where nobody is, an MSR that does not exist, a page fault in the kernel).
"""
import os
import re
import struct
import subprocess
import sys
import tempfile

RING1, TINY = sys.argv[1:3]
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
failures = []

X8, X16, X32, X64 = (r"0x[0-9a-f]{%d}" % n for n in (2, 4, 8, 16))
AT = rf"at {X16}:{X32}"
LINE = {
    "fetch": rf"page {X32} {AT}",
    "decode": rf"{X32} +[0-9a-f]+ +(IDENTICAL|MEMORY|STACK|CONTROL|PRIVILEGED|IOPL|SENSITIVE|INVALID64) +\S.*",
    "bt": rf"{X32} gpa {X32} ctx {X32} guest \d+ bytes \d+ insns host {X32} \d+ bytes \d+ cold",
    "emit": rf"{X32} \S.*|    {X32} [0-9a-f]+ +[^\s(].*|cold part of {X32}",
    "exec": rf"{X16}:{X32}( e[a-d]x={X32}| e[bs]p={X32}| e[sd]i={X32}){{8}} eflags={X32} cpl=[0-3]  \S.*",
    "int": rf"(interrupt {X8}|nmi 0x02|software {X8}|exception {X8} #[A-Z]{{2}}( error {X16})?( cr2 {X32})?) {AT} cpl [0-3] "
           rf"eflags {X32}|shutdown \(triple fault\) {AT}",
    "mmu": rf"page fault at {X32} error 0x[0-9a-f]+ \([a-z, ]+\) by {X16}:{X32}|cr3 {X32} -> {X32} {AT}|"
           rf"flush (all|all but global|page {X32}) {AT}",
    "io": rf"(port (read|write) {X16}|memory (read|write) {X32}) size [124] value ({X8}|{X16}|{X32}) \S+",
    "unimp": rf"(port|memory) (read|write) 0x[0-9a-f]+ size [124] value 0x[0-9a-f]+: (nobody is there|ignored by \S+)|"
             rf"memory write {X32} size \d+ into ROM: dropped|msr (read|write) {X32} value {X64} {AT}: (#GP\(0\)|\S.* ignores it)",
    "exit": rf"[A-Z_]+ {AT} after \d+ instructions",
}

DECODED = ["fetch", "decode"]  # stages of the interpreter's decode cache, which sees little of a translated guest
TRANSLATED = ["bt", "emit"]  # stages of -exec translate


def check(ok, what):
    if not ok:
        failures.append(what)


def guest():
    """A multiboot kernel at 1 MiB that ends through isa-debug-exit with the value 3."""
    base, code_at, idt_at, pd_at = 0x100000, 0x40, 0x200, 0x1000
    handlers = {}
    code = bytearray()
    code += b"\xbc" + struct.pack("<I", base + 0x8000)  # mov esp
    code += b"\x0f\x01\x1d" + struct.pack("<I", base + 0x30)  # lidt
    code += b"\xa1" + struct.pack("<I", 0xFEE00020)  # mov eax, local APIC's id
    code += b"\xa3" + struct.pack("<I", 0xFEE00080)  # mov its TPR, eax
    code += b"\xa1" + struct.pack("<I", 0xD0000000)  # mov eax, nobody's memory
    code += b"\x66\xba\x34\x12\xec\xee\x66\xef"  # mov dx, 0x1234; in al, dx; out dx, al; out dx, ax
    code += b"\xb9\x78\x56\x34\x12\x0f\x32"  # mov ecx, 0x12345678; rdmsr
    handlers[13] = len(code)
    code += b"\xb8" + struct.pack("<I", base + pd_at) + b"\x0f\x22\xd8"  # mov cr3
    code += b"\xb8\x10\x00\x00\x00\x0f\x22\xe0"  # mov cr4, PSE
    code += b"\x0f\x20\xc0\x0d\x00\x00\x00\x80\x0f\x22\xc0"  # mov cr0: paging on
    code += b"\x0f\x01\x3d\x00\x50\x34\x00"  # invlpg [0x345000]
    code += b"\xcc"  # int3: its handler goes on
    handlers[3] = len(code)
    code += b"\xa1\x00\x00\x80\x00"  # mov eax, [0x800000]: not mapped
    handlers[14] = len(code)
    code += b"\xb0\x03\xe6\xf4\xf4"  # mov al, 3; out 0xf4, al; hlt
    image = bytearray(0x2000)
    flags = 0x10000  # load addresses follow
    image[:32] = struct.pack("<8I", 0x1BADB002, flags, -(0x1BADB002 + flags) & 0xFFFFFFFF, base, base, base + len(image),
                             base + 0x9000, base + code_at)
    image[0x30:0x36] = struct.pack("<HI", 15 * 8 - 1, base + idt_at)
    image[code_at:code_at + len(code)] = code
    for vector, at in handlers.items():
        to = base + code_at + at
        image[idt_at + vector * 8:idt_at + vector * 8 + 8] = struct.pack("<HHHH", to & 0xFFFF, 8, 0x8E00, to >> 16)
    image[pd_at:pd_at + 4] = struct.pack("<I", 0x83)  # 4 MiB, at their own addresses
    return bytes(image)


def run(args, status):
    done = subprocess.run([RING1, "run", "-m", "8"] + args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, env=ENV)
    check(done.returncode == status, f"{args}: status {done.returncode}, not {status}: {done.stderr[-300:]!r}")
    return done.stdout, done.stderr.decode()


def well_formed(stage, lines, where):
    check(lines, f"{stage}: no line from {where}")
    for line in lines:
        if not re.fullmatch(rf"{stage}: (?:{LINE[stage]})", line):
            failures.append(f"{stage}: {where} gives {line!r}")
            break


def expect(lines, stage, *patterns):
    text = "\n".join(lines)
    for pattern in patterns:
        check(re.search(pattern, text), f"{stage}: no line like {pattern!r}")


def traced(tmp, stage, args, status):
    path = os.path.join(tmp, stage)
    if stage in TRANSLATED:
        args = args + ["-exec", "translate"]
    if stage in DECODED:
        args = args + ["-exec", "interpret"]
    out, err = run(args + ["-d", stage, "-D", path], status)
    check(err == "", f"{stage}: -D leaves standard error alone, but there is {err[:200]!r}")
    with open(path) as f:
        return out, f.read().splitlines()


def tiny(tmp):
    args = ["-kernel", TINY, "-append", "run=cpu;crash null"]
    plain, err = run(args, 0)
    check(err == "", f"without -d there is a trace: {err[:200]!r}")
    check(b"features:" in plain, "tiny does not run")
    for stage in LINE:
        if stage == "unimp":
            continue  # tiny touches nothing that is not there
        out, lines = traced(tmp, stage, args, 0)
        check(out == plain, f"{stage}: the guest behaves differently when it is traced")
        well_formed(stage, lines, "tiny")
    _, lines = traced(tmp, "int", args, 0)
    expect(lines, "int", r"software 0x80 at 0x001b:.* cpl 3", r"exception 0x0e #PF error 0x000[46] cr2 0x00000000 at 0x001b:")
    _, lines = traced(tmp, "exit", args, 0)
    expect(lines, "exit", "^exit: SLICE", "exit: POWEROFF")
    _, lines = traced(tmp, "unimp", args + ["-serial", "none"], 0)
    well_formed("unimp", lines, "tiny without a serial port")
    expect(lines, "unimp", "port write 0x03f8 size 1 value 0x[0-9a-f]{2}: nobody is there")


def small(tmp):
    path = os.path.join(tmp, "guest")
    with open(path, "wb") as f:
        f.write(guest())
    args = ["-kernel", path, "-serial", "null", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    wanted = {
        "fetch": ["page 0x00100000 at 0x0008:0x00100040"],
        "decode": ["0x00100040 bc00801000 +IDENTICAL +mov esp, 0x108000|0x00100040 bc00801000 +STACK +mov esp, 0x108000",
                   " 0f32 +PRIVILEGED +rdmsr"],
        "bt": ["0x00100040 gpa 0x00100040 ctx 0x8[0-9a-f]{7} guest "],
        "emit": ["(?m)^emit: 0x00100040 mov esp, 0x108000\nemit:     0x[0-9a-f]{8} 41bc00801000 +mov r12d, 0x108000$",
                 "(?m)^emit: 0x[0-9a-f]{8} rdmsr$"],
        "exec": ["0x0008:0x00100040 eax=0x2badb002 .* cpl=0  mov esp"],
        "int": ["exception 0x0d #GP error 0x0000 at", "software 0x03 at|exception 0x03 #BP at",
                "exception 0x0e #PF error 0x0000 cr2 0x00800000 at"],
        "mmu": ["page fault at 0x00800000 error 0x0 .read, not present. by", "cr3 0x00000000 -> 0x00101000", "flush all at",
                "flush page 0x00345000 at"],
        "io": ["memory read 0xfee00020 size 4 value 0x00000000 lapic", "memory write 0xfee00080 size 4 value 0x00000000 lapic",
               "memory read 0xd0000000 size 4 value 0xffffffff nobody", "port read 0x1234 size 1 value 0xff nobody",
               "port write 0x1234 size 2 value 0xffff nobody", "port write 0x00f4 size 1 value 0x03 isa-debug-exit"],
        "unimp": ["memory read 0xd0000000 size 4 value 0xffffffff: nobody is there",
                  "port write 0x1234 size 1 value 0xff: nobody is there",
                  "msr read 0x12345678 value 0x0000000000000000 at"],
        "exit": ["DEBUG_EXIT at"],
    }
    for stage, patterns in wanted.items():
        _, lines = traced(tmp, stage, args, 7)
        well_formed(stage, lines, "the small guest")
        expect(lines, stage, *patterns)
    _, err = run(args, 7)
    check(err == "", "without -d there is a trace")
    _, err = run(args + ["-d", "int,exit"], 7)
    stages = {line.split(":")[0] for line in err.splitlines()}
    check(stages == {"int", "exit"}, f"-d int,exit traces {stages}")
    _, err = run(args + ["-d", "all"], 7)
    stages = {line.split(":")[0] for line in err.splitlines()}
    check(stages == set(LINE) - set(TRANSLATED), f"-d all traces {stages}")
    _, err = run(args + ["-exec", "translate", "-d", "all"], 7)
    stages = {line.split(":")[0] for line in err.splitlines()}
    check(stages == set(LINE) - set(TRANSLATED), f"-d all, with exec, translates: {stages}")
    _, lines = traced(tmp, "exec", args, 7)
    check(len(lines) == 23, f"exec: {len(lines)} instructions, not 23")


def main():
    out = subprocess.run([RING1, "run", "-d", "help"], stdout=subprocess.PIPE, text=True, env=ENV)
    listed = [line.split()[0] for line in out.stdout.splitlines() if line.startswith("  ")]
    check(out.returncode == 0 and listed == list(LINE) + ["all"], f"-d help lists {listed}")
    with tempfile.TemporaryDirectory() as tmp:
        small(tmp)
        tiny(tmp)
    print("\n".join(failures) if failures else "trace: ok")
    return 1 if failures else 0


sys.exit(main())
