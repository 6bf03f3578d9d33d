#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One direction: every floor uses only what lies below it.

Usage: floors.py SOURCE_ROOT [--archive LIBRARY.a] [--dot FILE] [--table]

Checks four things and prints what breaks them:
  includes   no file includes a header of a floor above its own; the core includes freestanding headers only;
  symbols    no object of the core's archive needs a symbol that a floor above its own defines (what a header does not show);
  cycles     files (a .c and the .h of its name count as one) that need each other, by includes and symbols, lie in one
             folder and are at most CYCLE_MAX.
  picture    docs/floors.txt is what --table prints, and docs/ARCHITECTURE.md names the floors in this order.
--dot writes the graph of folders for graphviz, --table prints it as text. There is no list of exceptions.
"""
import argparse
import collections
import os
import re
import subprocess
import sys

# From below. A floor is a list of folders that do not use each other.
FLOORS = [
    ["include/ring1"],
    ["decoder"],
    ["bt/emit"],
    ["devices"],
    ["monitor/cpu"],
    ["monitor/memory"],
    ["shadow-mmu"],
    ["monitor/arch"],
    ["monitor/interp"],
    ["bt/cache"],
    ["bt/translate"],
    ["bt/run", "direct"],
    ["monitor/run"],
    ["boot"],
    ["host/linux", "host/metal"],
    ["lab"],
    ["cli"],
]
HOSTED = {"host/linux", "lab", "cli"}
CYCLE_MAX = 10
FREESTANDING = {"stdbool.h", "stddef.h", "stdint.h", "stdarg.h", "limits.h", "stdalign.h", "stdnoreturn.h", "float.h"}
# The decoder is the one place that knows Zydis.
LIBRARIES = {"decoder": {"Zydis/Zydis.h", "Zycore/Zycore.h"}}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
HEIGHT = {folder: n for n, floor in enumerate(FLOORS) for folder in floor}


def folder_of(path):
    """The floor's folder that holds a file, or None."""
    folder = os.path.dirname(path)
    while folder:
        if folder in HEIGHT:
            return folder
        folder = os.path.dirname(folder)
    return None


def may_use(user, used):
    return user == used or HEIGHT[used] < HEIGHT[user]


def sources(root):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, stdout=subprocess.PIPE, text=True)
    return [p for p in listed.stdout.split("\n")
            if p.endswith((".c", ".h", ".S", ".def", ".inc")) and os.path.isfile(os.path.join(root, p)) and
            not p.startswith(("tests/", "guests/", "bench/", "tools/", "docs/"))]


def check_includes(root, files, edges, problems):
    for path in files:
        folder = folder_of(path)
        if folder is None:
            problems.append(f"{path}: lies on no floor")
            continue
        with open(os.path.join(root, path)) as f:
            for number, line in enumerate(f, 1):
                m = INCLUDE.match(line)
                if not m:
                    continue
                ours, system = m.groups()
                where = f"{path}:{number}"
                if system:
                    if folder not in HOSTED and system not in FREESTANDING | LIBRARIES.get(folder, set()):
                        problems.append(f"{where}: <{system}> is not a freestanding header")
                    continue
                used = folder_of(ours)
                if used is None or not os.path.exists(os.path.join(root, ours)):
                    if used is None:
                        problems.append(f'{where}: "{ours}" is not root-relative, or on no floor')
                    continue  # else generated
                if not may_use(folder, used):
                    problems.append(f'{where}: {folder} must not include "{ours}", which lies above it')
                elif used != folder and ours.endswith("_priv.h"):
                    problems.append(f'{where}: "{ours}" is private to its folder')
                if not ours.endswith((".def", ".inc")):
                    edges[path].add(ours)


def check_symbols(root, archive, files, edges, problems):
    """nm prints "archive:member:value kind name"; meson names a member after its path with _ for /."""
    member_of = {p.replace("/", "_") + ".o": p for p in files if p.endswith((".c", ".S"))}
    listed = subprocess.run(["nm", "-A", archive], stdout=subprocess.PIPE, text=True).stdout
    defined, needed = {}, collections.defaultdict(set)
    for line in listed.split("\n"):
        m = re.match(r".*?([^:/]+\.o):\s*[0-9a-f]*\s+(\w)\s+(\S+)$", line)
        if not m or m[1] not in member_of:
            continue
        path, kind, name = member_of[m[1]], m[2], m[3]
        if kind == "U":
            needed[path].add(name)
        elif kind in "TDRBVWG":
            defined[name] = path
    for path, names in sorted(needed.items()):
        for name in sorted(names):
            at = defined.get(name)
            if at is None or at == path:
                continue
            if not may_use(folder_of(path), folder_of(at)):
                problems.append(f"{path}: needs {name}() of {at}, which lies above it")
            edges[path].add(at)
    if len(defined) < 300:
        problems.append(f"{archive}: only {len(defined)} symbols of ours; is it the core?")


def cycles(edges):
    """Strongly connected components of more than one unit (Tarjan's algorithm without recursion), largest first."""
    def unit(path):
        return os.path.splitext(path)[0]
    graph = collections.defaultdict(set)
    for path, used in edges.items():
        for u in used:
            if unit(path) != unit(u):
                graph[unit(path)].add(unit(u))
                graph[unit(u)]  # pylint: disable=pointless-statement
    index, low, on, stack, found = {}, {}, set(), [], []
    for start in sorted(graph):
        if start in index:
            continue
        work = [(start, iter(sorted(graph[start])))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on.add(start)
        while work:
            node, rest = work[-1]
            for to in rest:
                if to not in index:
                    index[to] = low[to] = len(index)
                    stack.append(to)
                    on.add(to)
                    work.append((to, iter(sorted(graph[to]))))
                    break
                if to in on:
                    low[node] = min(low[node], index[to])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    part = []
                    while not part or part[-1] != node:
                        part.append(stack.pop())
                        on.discard(part[-1])
                    if len(part) > 1:
                        found.append(sorted(part))
    return sorted(found, key=lambda c: (-len(c), c))


def folder_graph(edges):
    graph = collections.Counter()
    for path, used in edges.items():
        for u in used:
            if folder_of(path) != folder_of(u):
                graph[folder_of(path), folder_of(u)] += 1
    return graph


def write_dot(edges, out):
    with open(out, "w") as f:
        f.write('digraph floors {\n    rankdir=BT; node [shape=box, fontname="sans"];\n')
        for floor in FLOORS:
            f.write("    { rank=same; " + " ".join(f'"{x}";' for x in floor) + " }\n")
        for (a, b), n in sorted(folder_graph(edges).items()):
            f.write(f'    "{a}" -> "{b}" [weight={n}];\n')
        f.write("}\n")


def table(root, edges):
    """A line for each folder from the top: how many files, and a column for each folder below that it includes from."""
    graph = folder_graph(edges)
    folders = [f for floor in reversed(FLOORS) for f in floor if os.path.isdir(os.path.join(root, f))]
    lines = ["Who includes from whom (rows use columns; from the top floor to the bottom; made by tests/lint/floors.py --table)", ""]
    lines += [f"{'':16} " + " ".join(f"{n:2}" for n in range(1, len(folders) + 1))]
    for n, folder in enumerate(folders, 1):
        cells = [" x" if (folder, other) in graph else " =" if folder == other else " ." for other in folders]
        lines.append(f"{folder:16} {' '.join(cells)}  {n}")
    return "\n".join(lines) + "\n"


def check_picture(root, drawn, problems):
    with open(os.path.join(root, "docs/floors.txt")) as f:
        if f.read() != drawn:
            problems.append("docs/floors.txt: is not what floors.py --table prints")
    with open(os.path.join(root, "docs/ARCHITECTURE.md")) as f:
        named = [m[1] for m in re.finditer(r"^    ([\w/-]+)/ {2,}\S", f.read(), re.M) if m[1] in HEIGHT]
    if [HEIGHT[f] for f in named] != sorted((HEIGHT[f] for f in named), reverse=True) or len(named) < len(FLOORS) - 1:
        problems.append("docs/ARCHITECTURE.md: the picture of the floors is not this file's")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--archive")
    parser.add_argument("--dot")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    problems, edges = [], collections.defaultdict(set)
    files = sources(args.root)
    check_includes(args.root, files, edges, problems)
    drawn = table(args.root, edges)
    if args.table:
        sys.stdout.write(drawn)
        return 0
    check_picture(args.root, drawn, problems)
    if args.archive:
        check_symbols(args.root, args.archive, files, edges, problems)
    found = cycles(edges)
    for c in found:
        folders = {folder_of(u + ".c") for u in c}
        if len(c) > CYCLE_MAX or len(folders) > 1:
            problems.append(f"{len(c)} files need each other: {' '.join(c)}")
    if args.dot:
        write_dot(edges, args.dot)
    print("\n".join(problems))
    largest = found[0] if found else []
    print(f"largest cycle: {len(largest)} files{': ' + ' '.join(largest) if largest else ''}")
    print(f"{len(files)} files, {len(problems)} problems")
    return 1 if problems or len(files) < 50 else 0


sys.exit(main())
