#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tables of system calls in docs/SECURITY.md are those of host/linux/sandbox.def: same calls, conditions and reasons,
same order. Usage: sandbox.py SOURCE_ROOT [--print]   (--print writes the table as it should be)
"""
import os
import re
import sys

ROW = re.compile(r'^(SANDBOX|SANDBOX_BLOCK|SANDBOX_CONDITION)\((\w+),\s*(?:(\w+),\s*)?"((?:[^"\\]|\\.)*)"\)', re.M)
# A guest's escape must not find these, whatever the table says.
NEVER = {"open", "openat", "openat2", "creat", "execve", "execveat", "fork", "vfork", "clone", "clone3", "socket", "connect",
         "bind", "listen", "ptrace", "process_vm_readv", "process_vm_writev", "memfd_create", "mremap", "remap_file_pages",
         "prctl", "seccomp", "io_uring_setup", "bpf", "mount", "rename", "link", "symlink", "chmod", "dup", "dup2", "fcntl",
         "recvmsg", "sendmsg", "shmat", "rt_sigaction", "sigaltstack", "personality", "arch_prctl", "modify_ldt"}


def wanted(root):
    with open(os.path.join(root, "host/linux/sandbox.def")) as f:
        text = f.read()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    conditions, rows, problems = {}, [], []
    for kind, name, condition, reason in ROW.findall(text):
        if kind == "SANDBOX_CONDITION":
            conditions[name] = reason
        else:
            rows.append(f"| `{name}` | {conditions[condition]} | {reason} |")
            if name in NEVER:
                problems.append(f"sandbox.def allows {name}")
    if len(re.findall(r"^SANDBOX(?:_BLOCK|_CONDITION)?\(", text, re.M)) != len(conditions) + len(rows):
        problems.append("sandbox.def has rows that this test does not understand")
    return rows, problems


def main():
    rows, problems = wanted(sys.argv[1])
    if "--print" in sys.argv:
        print("\n".join(rows))
        return 0
    with open(os.path.join(sys.argv[1], "docs/SECURITY.md")) as f:
        found = [line.rstrip("\n") for line in f if line.startswith("| `")]
    problems += [f"only in sandbox.def: {row}" for row in rows if row not in found]
    problems += [f"only in docs/SECURITY.md: {row}" for row in found if row not in rows]
    if not problems and found != rows:
        problems.append("docs/SECURITY.md has the rows in another order")
    print("\n".join(problems))
    print(f"{len(rows)} system calls, {len(problems)} problems")
    return 1 if problems or len(rows) < 10 else 0


sys.exit(main())
