#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ring1 holes`: what it lists. Usage: holes.py RING1"""
import json
import subprocess
import sys

ring1 = sys.argv[1]
failed = 0


def check(ok, what):
    global failed
    if not ok:
        print("FAIL:", what)
        failed += 1


def run(*args):
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


def check_usage():
    check(run()[0] == 1 and run("--help")[0] == 0, "usage")
    status, _, err = run("nonsense")
    check(status == 1 and err.count("\n") == 1 and "'nonsense'" in err, "an unknown subcommand")
    check(run("list", "--xml")[0] == 1, "an unknown option")


check_list()
check_usage()
print("holes:", "ok" if not failed else f"{failed} failed")
sys.exit(failed != 0)
