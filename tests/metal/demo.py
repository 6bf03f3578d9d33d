#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./demo --metal -c: only the command's output, and its status, from -kernel and from a medium. Usage: demo.py SOURCE BUILD [iso]"""
import os
import subprocess
import sys
import tempfile

COMMAND = "uname -m; echo to the error output >&2; exit 7"
WANTED = "i686\nto the error output\n"


def demo(source, build, *options):
    done = subprocess.run(["./demo", "--metal", *options, "-c", COMMAND], cwd=source, env={**os.environ, "RING1_BUILD": build},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=1500)
    if (done.returncode, done.stdout) == (7, WANTED):
        return 0
    print(f"./demo --metal {' '.join(options)}: status {done.returncode}, output {done.stdout!r}, wanted 7 and {WANTED!r}")
    print(done.stderr[-3000:])
    return 1


def main():
    source, build = sys.argv[1:3]
    if len(sys.argv) == 3:
        return demo(source, build)
    with tempfile.TemporaryDirectory() as work:
        return demo(source, build, "--iso", os.path.join(work, "demo.iso"))


sys.exit(main())
