#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""inputs.py ARCHIVE - the core asks the world nothing behind the host interface's back: no instruction of its object files reads a clock,
random numbers, the CPU's name or a port, or calls a kernel (include/ring1/host.h, INPUT). Needs objdump."""

import re
import subprocess
import sys

FORBIDDEN = re.compile(r"rdtscp?|rdrand|rdseed|rdpmc|rdpid|cpuid|xgetbv|syscall|sysenter|int|in|out|[rio]?(?:ins|outs)[bwld]?|rdmsr|wrmsr")


def main():
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", sys.argv[1]], check=True, capture_output=True, text=True).stdout
    file = function = ""
    count = bad = 0
    for line in text.splitlines():
        if m := re.match(r"(\S+\.o):\s+file format", line):
            file = m[1]
        elif m := re.match(r"[0-9a-f]+ <(\S+)>:", line):
            function = m[1]
        elif m := re.match(r"\s*[0-9a-f]+:\t(?:(?:rep|repz|repnz|lock|data16)\s+)*(\S+)", line):
            count += 1
            if FORBIDDEN.fullmatch(m[1]):
                bad += 1
                print(f"{file}: {function}: {line.strip()}")
    print(f"{count} instructions, {bad} problems")
    return 1 if bad or count < 20000 else 0


if __name__ == "__main__":
    sys.exit(main())
