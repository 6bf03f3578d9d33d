#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ring1 holes`: what it lists, runs and explains. Usage: holes.py RING1 TINY"""
import json
import os
import re
import shlex
import subprocess
import sys
from xml.etree import ElementTree

ring1, tiny = sys.argv[1:3]
failed = 0


def check(ok, what):
    global failed
    if not ok:
        print("FAIL:", what)
        failed += 1


done = set()  # the commands that were run


def run(*args):
    done.add(args)
    p = subprocess.run([ring1, "holes", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=240)
    return p.returncode, p.stdout, p.stderr


def check_list():
    status, out, err = run("list", "--json")
    rows = {r["name"]: r for r in json.loads(out)}
    check(status == 0 and not err, "list --json")
    check(len(rows) > 55 and all(r["manual"] and r["ring0"] and r["ring1"] and r["ring3"] for r in rows.values()), "rows are whole")
    check(rows["popf"]["encodings"] == "9D" and rows["popf"]["theorem"] == "control-sensitive", "popf's row")
    check({n for n, r in rows.items() if r["umip"]} == {"sgdt", "sidt", "sldt", "str", "smsw"}, "what UMIP hides")
    check(rows["mov_seg_read"]["encodings"] == "8C /0/1/2/3/4/5, 8E /0/2/3/4/5", rows["mov_seg_read"]["encodings"])
    status, out, err = run("list")
    check(status == 0 and not err and all(f"\n{n}  (" in "\n" + out for n in rows), "list names every row")


VISIBLE1 = {"pushf", "popf", "iret", "sgdt", "sidt", "sldt", "str", "smsw", "push_seg", "mov_seg_read", "mov_seg_hidden",
            "mov_seg_accessed", "lar", "arpl", "rdtsc"}
VISIBLE3 = {"pushf", "popf", "iret", "push_seg", "mov_seg_read", "lar", "lsl", "verr", "verw", "arpl", "call_far", "jmp_far", "ret_far",
            "lds", "les", "lfs", "lgs", "lss", "pop_seg", "mov_seg_load", "mov_seg_hidden"}


def check_run():
    status, out, err = run("run", "--json")
    rows = {r["name"]: r for r in json.loads(out)}
    names = {r["name"]: r for r in json.loads(run("list", "--json")[1])}
    check(status == 0 and not err and set(rows) == set(names), f"run: status {status}, {err}")
    for name, row in rows.items():
        check(row["interpreted"]["cell"] == row["translated"]["cell"] == "closed", f"{name} is closed: {row}")
        check((row["ring1"]["cell"] == "visible") == (name in VISIBLE1), f"{name} in ring 1: {row['ring1']}")
        if names[name]["list"] == "traps":
            check(row["ring1"]["cell"] == "traps" and row["ring3"]["cell"] in ("traps", "not run"), f"{name} traps: {row}")
        if name in VISIBLE3:  # not run: a host without 32-bit code
            check(row["ring3"]["cell"] in ("visible", "not run"), f"{name} in ring 3: {row['ring3']}")
    check(rows["popf"]["ring1"]["if"] == 1 and rows["popf"]["translated"]["if"] == 0, "POPF loses IF")
    check(rows["cli"]["ring1"]["trap"] == "#GP" and rows["clac"]["ring1"]["trap"] == "#UD", "what trapped")
    check(rows["push_seg"]["ring1"]["eax"] == 9 and rows["push_seg"]["translated"]["eax"] == 8, "the ring that CS shows")
    check_metal(rows, names)
    status, out, err = run("run", "popf", "--no-metal")
    check(status == 0 and "metal, naive': it was not asked for" in out and out.split("\n")[0].count("metal") == 0, "run --no-metal")
    status, out, err = run("run", "popf")
    check(status == 0 and any(line.split()[0] == "popf" and "visible" in line and "closed" in line for line in out.split("\n") if line),
          "run popf")
    status, out, err = run("run", "nothing")
    check(status == 1 and "'nothing'" in err and not out, "run of no row")


# What the real CPU's ring 1 shows: what the interpreter's does, but the machine's model, and a shadow that a trap loses.
VISIBLE_METAL = VISIBLE1 - {"rdtsc"} | {"cpuid", "mov_ss_shadow"}


def check_metal(rows, names):
    """The machine's columns, or one sentence about why there are none."""
    if rows["popf"]["metal-naive"]["cell"] == "not run":
        check(all(len(r[f"metal-{w}"]["why"]) > 20 for r in rows.values() for w in ("naive", "translated", "direct")), "why no machine")
        return
    for name, row in rows.items():
        check(row["metal-translated"]["cell"] == row["metal-direct"]["cell"] == "closed", f"{name} on metal: {row}")
        check((row["metal-naive"]["cell"] == "visible") == (name in VISIBLE_METAL), f"{name} on metal: {row['metal-naive']}")
        if names[name]["list"] == "traps":
            check(row["metal-naive"]["cell"] == "traps", f"{name} on metal: {row['metal-naive']}")
    check(rows["rdtsc"]["metal-naive"]["cell"] == "quirk" and rows["rdtsc"]["metal-naive"]["why"], "QEMU's quirk")
    check(rows["push_seg"]["metal-naive"]["eax"] == 9 and rows["push_seg"]["metal-direct"]["eax"] == 8, "CPL 1 is CPL 1")
    check(rows["popf"]["metal-naive"]["if"] == 1 and rows["popf"]["metal-direct"]["if"] == 0, "POPF in the CPU's ring 1")
    check(rows["cli"]["metal-direct"]["bare"] and not rows["popf"]["metal-direct"]["bare"], "what runs on the bare CPU")


def check_explain():
    status, out, err = run("explain", "POPF")
    lines = [line for line in out.split("\n") if line]
    check(status == 0 and not err, f"explain POPF: {status} {err}")
    marked = [n for n, line in enumerate(lines) if line.startswith("-> popfd")]
    check(len(marked) == 1, "explain POPF marks the instruction")
    rest = "\n".join(lines[marked[0]:]) if marked else ""
    check("the guest's IF: a byte of the vCPU" in rest and "callout: the interpreter's handler" in rest, "what POPF's code is for")
    status, out, err = run("explain", "cli")
    marked = [n for n, line in enumerate(out.split("\n")) if line.startswith("-> cli")]
    check(len(marked) == 1 and out.split("\n")[marked[0] + 1].lstrip().startswith("hlt"), "CLI is one host instruction")
    status, out, err = run("explain", "0f01e0")
    check(status == 0 and "-> smsw eax" in out and "the guest's CR0" in out, "explain of bytes")
    check(run("explain", "eb fe")[0] == 0, "a guest that never ends")
    check(run("explain", "mov_seg")[1].count("what for") == 5, "an operation with several rows")
    status, out, err = run("explain", "frobnicate")
    check(status == 1 and err.count("\n") == 1 and not out, "explain of nothing")
    names = [r["name"] for r in json.loads(run("list", "--json")[1])]
    check(not [n for n in names if run("explain", n)[0] != 0], "explain of every row")


def check_block():
    """Code of a guest that runs: the first block of tiny's kernel, at its multiboot entry."""
    with open(tiny, "rb") as f:
        entry = int.from_bytes(f.read(28)[24:28], "little")
    status, out, err = run("explain", "--block", f"{entry:x}", "-kernel", tiny, "-append", "run=cpu")
    lines = out.split("\n")
    check(status == 0 and not err and len(lines) > 3 and lines[1].startswith("-> cli"), f"explain --block: {status} {err} {out[:300]}")
    status, out, err = run("explain", "--block", "7fff0000", "-kernel", tiny, "-append", "run=cpu", "--seconds", "2")
    check(status == 1 and not out and "no code at 0x7fff0000" in err, f"code that never runs: {err}")
    for wrong in (["--block", "xyz", "-kernel", tiny], ["--block", "100000"], ["--block", "100000", "-kernel"],
                  ["--block", "100000", "-kernel", "/nonexistent"]):
        status, out, err = run("explain", *wrong)
        check(status == 1 and not out and err.count("\n") == 1, f"{wrong}: {err}")


def check_demo():
    status, out, err = run("demo")
    check(status == 0 and not err, f"demo: {status} {err}")
    check(out.count("ring 1, naive  WRONG: ") == 4 and out.count("translated     right: ") == 4, out)
    check("it hangs" in out and "this is ring 1" in out and "this is ring 0" in out, out)


def check_shadow():
    status, out, err = run("shadow")
    rows = [line for line in out.split("\n\n")[0].split("\n")[1:] if line]
    check(status == 0 and not err and len(rows) == 9, f"shadow: {status} {err}")
    found = {}
    for line in rows:
        words = line[36:].split()
        found.setdefault(line[:36].strip(), []).append(([int(w) for w in words[:5]], words[6]))
    first, late = found["reads page A"][0], found["reads page B, which is not present"][0]
    check(first[0][:4] == [1, 0, 0, 1] and first[1] == "PA-", f"a hidden fault, and A: {first}")
    check(found["reads page A again"][0][0] == [0, 0, 0, 0, 0], f"a page touched twice: {found}")
    check(found["writes page A"][0][0][0] == 1 and found["writes page A"][0][1] == "PAD", f"a hidden fault for D: {found}")
    check(found["writes page A again"][0][0] == [0, 0, 0, 0, 0], f"a page written twice: {found}")
    check(late[0][1:3] == [1, 1], f"a true fault: {late}")
    check(found["leads page A elsewhere, INVLPG"][0][0][4] == 1 and found["reads page A"][1][0][0] == 1, f"INVLPG: {found}")
    check(run("shadow", "A")[0] == 1, "shadow takes nothing")


def check_cost():
    status, out, err = run("cost", "--json")
    rows = {r["name"]: r for r in json.loads(out)}
    check(status == 0 and not err and len(rows) == 16, f"cost: {status} {err}")
    in_cache = {n for n, r in rows.items() if r["translated"]["how"] == "in cache"}
    check({"mov_cs", "clisti", "mov_cr0", "smsw", "sldt", "str"} <= in_cache, f"in the cache: {in_cache}")
    check({"cpuid", "in", "clts"} & in_cache == set(), f"callouts: {in_cache}")
    for name in ("clisti", "mov_cr0", "in"):  # no ring3: a host without 32-bit code
        r = rows[name].get("ring3")
        check(not r or (r["how"] == "signal" and r["cycles"] > rows[name]["translated"]["cycles"]), f"{name}: {rows[name]}")
    check(rows["mov_cs"].get("ring3", {"how": "native"})["how"] == "native", "mov eax, cs does not trap")
    naive = [n for n, r in rows.items() if "metal-naive" in r]
    check(not naive or len(naive) == len(rows), f"metal: all rows or none: {naive}")
    for name in ("clisti", "mov_cr0", "in") if naive else ():  # a #GP is a trip through ring 0
        r = rows[name]
        check(r["metal-naive"]["how"] == "#GP" and r["metal-naive"]["instructions"] > 100, f"{name} on metal: {r}")
        check(r["metal-naive"]["instructions"] > 3 * r["metal-translated"]["instructions"], f"{name} on metal: {r}")
    check(not naive or rows["mov_cs"]["metal-naive"]["how"] == "native", "mov eax, cs does not trap on metal")
    status, out, err = run("cost", "--svg", "--no-metal")
    svg = ElementTree.fromstring(out)
    check(status == 0 and not err and len(svg.findall("{http://www.w3.org/2000/svg}rect")) > 32, "cost --svg")
    check(run("cost", "--png")[0] == 1, "cost in another form")


def check_worksheet():
    """Every command of docs/lab/README.md works."""
    with open(os.path.join(os.path.dirname(__file__), "../../docs/lab/README.md")) as f:
        text = f.read()
    lines = [shlex.split(line.partition(" > ")[0]) for line in text.split("\n") if line.startswith("    ")]
    lines += [["build/ring1", *shlex.split(inline)] for inline in re.findall(r"`(?:build/)?ring1 (holes [^`]+)`", text)]
    lines += [["build/ring1", "holes", *shlex.split(inline)] for inline in re.findall(r"`(explain [^`]+)`", text)]
    rest = [line for line in lines if line[:2] != ["build/ring1", "holes"]]
    check(rest == [["python3", "bench/metal.py"]], f"commands of the worksheet that nothing tests: {rest}")
    commands = {tuple(tiny if w == "build/guests/tiny.elf" else w for w in line[2:]) for line in lines if line not in rest}
    check(len(commands) > 14, "the worksheet's commands")
    for args in sorted(commands - done):
        status, out, err = run(*args)
        check(status == 0 and out and not err, f"the worksheet's {' '.join(args)}: {status} {err}")


def check_usage():
    check(run()[0] == 1 and run("--help")[0] == 0, "usage")
    status, _, err = run("nonsense")
    check(status == 1 and err.count("\n") == 1 and "'nonsense'" in err, "an unknown subcommand")
    check(run("list", "--xml")[0] == 1, "an unknown option")


check_list()
check_run()
check_explain()
check_block()
check_demo()
check_shadow()
check_cost()
check_usage()
check_worksheet()
print("holes:", "ok" if not failed else f"{failed} failed")
sys.exit(failed != 0)
