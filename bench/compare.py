#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares ring1 with the machine it runs on and with QEMU: the same static i386 program, at the same time.

Builds bench32 (programs/) and starts it three times: as a 32-bit process here, and in Debian guests (the kernel and
initramfs of ./demo) under `qemu-system-i386 -accel tcg` and ring1. They measure row by row, taking turns of a fraction
of a second on one CPU; a ratio is the median of those of neighbours in time. The boot times, memory and the targets
(targets.py) follow. See README.md.
"""
import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree stays clean

import guests
import pairing
import sides
import tables
import targets
from guests import Failed


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ring1", action="append", default=[], metavar="[NAME=]PROGRAM",
                   help="default build/ring1; may be repeated, with names: a column for each")
    p.add_argument("--ring1-args", default="", metavar="TEXT", help="more options for `ring1 run`, separated by blanks")
    p.add_argument("--exec", action="append", default=[], metavar="MODE",
                   help="one column of ring1 with this -exec; may be repeated (default: ring1's own default)")
    p.add_argument("--rounds", type=int, default=11, help="turns of each column in each row (default 11)")
    p.add_argument("--ms", type=int, default=40, help="milliseconds of a turn (default 40)")
    p.add_argument("--boots", type=int, default=3, help="boots of each guest; in the last one it measures (default 3)")
    p.add_argument("--quick", action="store_true", help="one round of 40 ms, one boot: to see that it works")
    p.add_argument("--rows", action="append", default=[], metavar="GLOB",
                   help="only these rows, for example 'x87.*'; may be repeated")
    p.add_argument("--mean", action="store_true", help="rates of all batches instead of the undisturbed ones")
    p.add_argument("--json", metavar="FILE", help="write everything measured, or read it with --show")
    p.add_argument("--show", action="store_true", help="measure nothing: print the tables of the file of --json")
    p.add_argument("--native-only", action="store_true", help="no guests")
    p.add_argument("--no-qemu", action="store_true")
    p.add_argument("--no-ring1", action="store_true")
    p.add_argument("--cpu", type=int, metavar="N", help="the CPU to take turns on (default: the idlest)")
    p.add_argument("--nice", type=int, default=0, metavar="N",
                   help="run everything measured at this priority, for example -15 (as root), on a busy machine")
    p.add_argument("--images", default=os.path.join(guests.ROOT, "build", "demo"), metavar="DIR",
                   help="where vmlinuz-686 and initrd.gz are or come to (default build/demo)")
    p.add_argument("--build", default=os.path.join(guests.ROOT, "build", "bench"), metavar="DIR",
                   help="where bench32 is built (default build/bench)")
    p.add_argument("--timeout", type=int, default=3600, metavar="SECONDS", help="for one process")
    p.add_argument("--self-test", action="store_true", help="test this script")
    return p.parse_args()


def machine():
    with open("/proc/cpuinfo") as f:
        text = f.read()
    value = {line.split(":")[0].strip(): line.split(":", 1)[1].strip() for line in text.splitlines() if ":" in line}
    cpus = text.count("processor\t")
    kind = f"{value.get('model name')} (family {value.get('cpu family')}, model {value.get('model')})"
    return {"cpu": f"{cpus} x {kind}, {float(value.get('cpu MHz', 0)):.0f} MHz", "mhz": float(value.get("cpu MHz", 0)),
            "load": round(os.getloadavg()[0], 1), "date": time.strftime("%Y-%m-%d")}


def idle_times():
    """{CPU: ticks that it was idle}"""
    with open("/proc/stat") as f:
        lines = [line.split() for line in f if line.startswith("cpu") and not line.startswith("cpu ")]
    return {int(words[0][3:]): int(words[4]) for words in lines}


def choose_cpus(wanted):
    """(the CPU to measure on, the set of CPUs for those that wait)."""
    allowed = os.sched_getaffinity(0)
    if wanted is not None and wanted not in allowed:
        raise Failed(f"CPU {wanted} is not one of {sorted(allowed)}")
    before = idle_times()
    time.sleep(0.5)
    after = idle_times()
    best = wanted if wanted is not None else max(sorted(allowed), key=lambda c: after.get(c, 0) - before.get(c, 0))
    return best, (allowed - {best}) or allowed


def ring1_columns(args):
    """(column, program, options) of each."""
    found = []
    for i, text in enumerate(args.ring1 or [os.path.join(guests.ROOT, "build", "ring1")]):
        name, _, program = text.rpartition("=")
        if not os.access(program, os.X_OK):
            raise Failed(f"{program} is not there; build ring1, or name it with --ring1, or use --no-ring1")
        for mode in args.exec or [None]:
            words = ["ring1", name or (str(i + 1) if len(args.ring1) > 1 else ""), mode if len(args.exec) > 1 else ""]
            options = args.ring1_args.split() + (["-exec", mode] if mode else [])
            found.append((" ".join(w for w in words if w), os.path.abspath(program), options))
    return found


def plan(args, binary, host):
    """{column: function that starts its Side}; native comes first."""
    def guest(name, program, options):
        return lambda: sides.Guest(name, program, options, args.images, binary, host)

    columns = {"native": lambda: sides.Native(binary, host)}
    if args.native_only:
        return columns
    if not args.no_qemu:
        if not shutil.which(guests.QEMU):
            raise Failed(f"{guests.QEMU} is missing: tools/packages bench, or --no-qemu")
        columns["qemu"] = guest("qemu", guests.QEMU, [])
    if not args.no_ring1:
        for name, program, options in ring1_columns(args):
            if name in columns:
                raise Failed(f"two columns would be named '{name}'")
            columns[name] = guest(name, program, options)
    return columns


def warm(side, ms, cpu_ms):
    """Turns that are not counted: at least one, and until the process has had the CPU for so long. A machine too busy
    for that ends it, too."""
    end = side.cpu_ms() + cpu_ms
    for _ in range(20):
        side.run(ms)
        if side.cpu_ms() >= end:
            break


def measure_row(name, running, rounds, ms, warm_ms=0):
    """One row: set up and warmed up everywhere, the rounds, and down."""
    row = {"unit": "", "check": {}, "rate": {}, "mean": {}}
    able = []

    def turn(column, order):
        for c, side in running.items():
            if c != column:
                side.asleep()
        running[column].awake()
        return order(running[column])

    for column in running:
        if turn(column, lambda side: side.open(name)):
            able.append(column)
            row["rate"][column], row["mean"][column] = [], []
            turn(column, lambda side: warm(side, ms, warm_ms))
    for order in pairing.turns(able, rounds):
        for column in order:
            got = turn(column, lambda side: side.run(ms))
            if got:
                row["unit"] = got["unit"]
                row["check"][column] = got["check"]
            row["rate"][column].append(got["rate"] if got else None)
            row["mean"][column].append(got["mean"] if got else None)
    for column in able:
        turn(column, lambda side: side.close())
    return row


def warm_time(row):
    return targets.WARM_LONG_MS if guests.in_rows(row, targets.WARM_LONG) else targets.WARM_MS


def boot(columns, boots):
    """The boots of the guests that do nothing more."""
    found = {name: [] for name in columns}
    for i in range(boots - 1):
        for name in [n for n in columns if n != "native"]:
            with columns[name]() as side:
                found[name].append(side.finish())
            print(f"boot {i + 1} of {boots}, {name}: {found[name][-1]['init']:.2f} s", file=sys.stderr)
    return found


def measure(args):
    """Everything; the result is described in pairing.py."""
    packages = ["bench"] if args.native_only or args.no_qemu else ["bench", "bench-qemu"]
    if subprocess.run([os.path.join(guests.ROOT, "tools", "packages"), *packages], check=False).returncode:
        raise Failed("packages are missing (see above)")
    binary = guests.build(args.build)
    names = guests.row_names(binary, args.rows or ["*"])
    if not names:
        raise Failed(f"no row is named {' or '.join(args.rows)}; the names begin with {', '.join(targets.GROUPS)}")
    if not args.native_only and subprocess.run([os.path.join(guests.ROOT, "tools", "debian-guest"), args.images],
                                               check=False).returncode:
        raise Failed("without Debian's kernel there is no guest to measure in")
    columns = plan(args, binary, sides.Host(choose_cpus(args.cpu), args.timeout, args.nice))
    data = {"machine": machine(), "rounds": args.rounds, "ms": args.ms, "boots": boot(columns, args.boots), "rows": {}}
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(start()) for name, start in columns.items()}
        start = time.monotonic()
        for name in names:
            data["rows"][name] = measure_row(name, running, args.rounds, args.ms, 0 if args.quick else warm_time(name))
        for column, side in running.items():
            data["boots"][column].append(side.finish())
        print(f"{len(names)} rows: {time.monotonic() - start:.0f} s", file=sys.stderr)
    data["ratios"] = {text: pairing.spreads(data, column, base) for text, column, base in
                      pairing.ratio_columns(list(columns))}
    return data


def read(name):
    """What --json wrote."""
    with open(name) as f:
        data = json.load(f)
    if "boots" not in data:
        raise Failed(f"{name} is not of this version: its rows were not measured in turns")
    return data


def main():
    args = arguments()
    if args.self_test:
        import selftest
        return selftest.run()
    if args.quick:
        args.rounds, args.ms, args.boots = 1, 40, 1
    try:
        if args.show:
            if not args.json:
                raise Failed("--show needs --json FILE")
            data = read(args.json)
        else:
            data = measure(args)
            if args.json:
                with open(args.json, "w") as f:
                    json.dump(data, f, indent=1)
        return 0 if tables.report(data, "mean" if args.mean else "rate") else 1
    except (Failed, OSError, json.JSONDecodeError) as e:
        print(f"compare.py: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
