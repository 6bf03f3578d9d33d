#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Include lint: no #include crosses a layer the wrong way, and the core includes only freestanding headers.

Usage: layers.py SOURCE_ROOT. A layer may include itself, the layers listed for it, and nothing else of ours.
"""
import os
import re
import sys

ALLOWED = {
    "include/ring1": [],
    "decoder": ["include/ring1"],
    "devices": ["include/ring1"],
    "shadow-mmu": ["include/ring1", "decoder", "devices", "monitor", "bt", "bt/cache"],
    "monitor": ["include/ring1", "decoder", "devices", "shadow-mmu", "monitor/interp", "bt"],
    "monitor/interp": ["include/ring1", "decoder", "devices", "shadow-mmu", "monitor", "bt"],
    "bt": ["include/ring1", "decoder", "devices", "shadow-mmu", "monitor", "monitor/interp", "bt/cache"],
    "bt/cache": ["include/ring1", "decoder", "shadow-mmu", "monitor", "bt"],
    "host/linux": None,  # anything below the command line
    "host/metal": None,
    "cli": None,
    "tests": None,
}
NOT_FOR_HOST = ["cli", "tests"]
FREESTANDING = {"stdbool.h", "stddef.h", "stdint.h", "stdarg.h", "limits.h", "stdalign.h", "stdnoreturn.h", "float.h"}
# The decoder is the one place that knows Zydis.
LIBRARIES = {"decoder": {"Zydis/Zydis.h", "Zycore/Zycore.h"}}
CORE = ["include/ring1", "decoder", "devices", "shadow-mmu", "monitor", "monitor/interp", "bt", "bt/cache"]
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def layer_of(path):
    best = ""
    for layer in ALLOWED:
        if path.startswith(layer + "/") and len(layer) > len(best):
            best = layer
    return best


def check(root, path, layer, problems):
    with open(os.path.join(root, path)) as f:
        for number, line in enumerate(f, 1):
            m = INCLUDE.match(line)
            if not m:
                continue
            ours, system = m.groups()
            where = f"{path}:{number}"
            if system:
                if layer in CORE and system not in FREESTANDING | LIBRARIES.get(layer, set()):
                    problems.append(f"{where}: <{system}> is not a freestanding header")
                continue
            target = layer_of(ours)
            if not os.path.exists(os.path.join(root, ours)) and target != "":
                continue  # generated
            if target == "" and layer == "tests":
                continue  # guest programs have include paths of their own
            if target == "":
                problems.append(f'{where}: "{ours}" is not root-relative')
            elif target == layer:
                continue
            elif ALLOWED[layer] is not None and target not in ALLOWED[layer]:
                problems.append(f'{where}: {layer} must not include "{ours}"')
            elif layer.startswith("host/") and target in NOT_FOR_HOST:
                problems.append(f'{where}: {layer} must not include "{ours}"')
            elif target.endswith("_priv.h"):
                problems.append(f'{where}: "{ours}" is private to its directory')


def main():
    root = sys.argv[1]
    problems, count = [], 0
    for layer in ALLOWED:
        top = os.path.join(root, layer)
        for folder, _, files in os.walk(top):
            for name in files:
                path = os.path.relpath(os.path.join(folder, name), root)
                if name.endswith((".c", ".h", ".S", ".def", ".inc")) and layer_of(path) == layer:
                    count += 1
                    check(root, path, layer, problems)
    print("\n".join(problems))
    print(f"{count} files, {len(problems)} problems")
    return 1 if problems or count < 50 else 0


sys.exit(main())
