#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every field of a virtual CPU is in the list of its state, or is named there as none; those that emitted code touches are pinned.

Usage: cpu_state.py SOURCE_ROOT
Reads the members of struct vcpu (and of its parts that the list names member by member) from monitor/cpu/vcpu.h and
the rows of monitor/cpu/cpu_state.def, and prints what is in one of them only. The same for the fields in bt/'s VCPU() and BT_OFF() and
those in bt/translate/pinned.c.
"""
import os
import re
import sys

PARTS = {"fpu": "vcpu_fpu", "msr": "vcpu_msrs"}  # member of struct vcpu: its struct


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def members(header, struct):
    """Names of the members of `struct NAME { ... };`, in order."""
    body = re.search(r"\bstruct %s \{(.*?)\n\};" % struct, header, re.S).group(1)
    for declaration in body.split(";"):
        function = re.search(r"\(\*(\w+)\)", declaration)
        if function:
            yield function.group(1)
            continue
        for declarator in re.sub(r"\([^()]*\)", "", declaration).split(","):
            name = re.search(r"(\w+)\s*(\[[^\]]*\]\s*)*$", declarator.strip())
            if name:
                yield name.group(1)


def touched(root):
    """Fields that bt/ makes host operands of; of an array or a table register, the whole."""
    for folder, _, names in os.walk(os.path.join(root, "bt")):
        for name in names:
            if not name.endswith((".c", ".h")) or name == "pinned.c":
                continue
            with open(os.path.join(folder, name)) as f:
                for field in re.findall(r"\b(?:VCPU|BT_OFF)\(([a-z_][\w.]*)", without_comments(f.read())):
                    if field != "field":  # a macro's own
                        yield field if field.startswith(("bt.", "fpu.")) else field.split(".")[0]


def unpinned(root):
    with open(os.path.join(root, "bt/translate/pinned.c")) as f:
        rows = set(re.findall(r"^(?:HOT|HOT_BT|COLD)\(([\w.]+)", f.read(), re.M))
    used = set(touched(root))
    wrong = [f"emitted code touches {f}, which bt/translate/pinned.c does not name" for f in sorted(used - rows)]
    wrong += [f"bt/translate/pinned.c names {f}, which emitted code does not touch" for f in sorted(rows - used)]
    return wrong, len(rows)


def main():
    root = sys.argv[1]
    with open(os.path.join(root, "monitor/cpu/vcpu.h")) as f:
        header = without_comments(f.read())
    with open(os.path.join(root, "monitor/cpu/cpu_state.def")) as f:
        rows = without_comments(f.read())
    fields = set()
    for name in members(header, "vcpu"):
        if name in PARTS:
            fields |= {f"{name}.{part}" for part in members(header, PARTS[name])}
        else:
            fields.add(name)
    listed = re.findall(r"^(?:NOT_)?CPU_STATE\(([\w.]+),", rows, re.M)
    wrong = [f"struct vcpu has {f}, which has no row in cpu_state.def" for f in sorted(fields - set(listed))]
    wrong += [f"cpu_state.def lists {f}, which struct vcpu has not" for f in sorted(set(listed) - fields)]
    wrong += [f"cpu_state.def lists {f} twice" for f in sorted(set(listed)) if listed.count(f) > 1]
    more, pinned = unpinned(root)
    wrong += more
    print("\n".join(wrong) if wrong else f"all {len(fields)} fields of a virtual CPU are listed, {pinned} that emitted code touches")
    return bool(wrong) or len(fields) < 60 or pinned < 25


if __name__ == "__main__":
    sys.exit(main())
