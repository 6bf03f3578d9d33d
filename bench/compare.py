#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares ring1 with the machine it runs on and with QEMU: the same static i386 program, in one go.

Builds bench32 (programs/), runs it as a 32-bit process here, and in Debian guests (the kernel and initramfs of ./demo)
under `qemu-system-i386 -accel tcg` and ring1. The runs take turns; a table of medians, the boot times, memory and the
targets (targets.py) follow. See README.md.
"""
import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree stays clean

import guests
import targets
from guests import Failed, in_rows


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ring1", default=os.path.join(guests.ROOT, "build", "ring1"), metavar="PROGRAM")
    p.add_argument("--ring1-args", default="", metavar="TEXT", help="more options for `ring1 run`, separated by blanks")
    p.add_argument("--exec", action="append", default=[], metavar="MODE",
                   help="one column of ring1 with this -exec; may be repeated (default: ring1's own default)")
    p.add_argument("--rounds", type=int, default=3, help="runs of each (default 3)")
    p.add_argument("--ms", type=int, default=300, help="milliseconds for each row of a run (default 300)")
    p.add_argument("--quick", action="store_true", help="one round of 40 ms: to see that it works, not to compare")
    p.add_argument("--rows", default="*", metavar="GLOB", help="only these rows, for example 'x87.*'")
    p.add_argument("--mean", action="store_true", help="rates of all batches instead of the undisturbed ones")
    p.add_argument("--json", metavar="FILE", help="write everything measured, or read it with --show")
    p.add_argument("--show", action="store_true", help="measure nothing: print the tables of the file of --json")
    p.add_argument("--native-only", action="store_true", help="no guests")
    p.add_argument("--no-qemu", action="store_true")
    p.add_argument("--no-ring1", action="store_true")
    p.add_argument("--images", default=os.path.join(guests.ROOT, "build", "demo"), metavar="DIR",
                   help="where vmlinuz-686 and initrd.gz are or come to (default build/demo)")
    p.add_argument("--build", default=os.path.join(guests.ROOT, "build", "bench"), metavar="DIR",
                   help="where bench32 is built (default build/bench)")
    p.add_argument("--timeout", type=int, default=3600, metavar="SECONDS", help="for one run")
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


def plan(args, binary):
    """What takes turns: {column: function that runs it once}."""
    def guest(program, options):
        return lambda: guests.run_guest(program, options, args.images, binary, args.rows, args.ms, args.timeout)

    columns = {"native": lambda: guests.run_native(binary, args.rows, args.ms, args.timeout)}
    if args.native_only:
        return columns
    if not args.no_qemu:
        if not shutil.which(guests.QEMU):
            raise Failed(f"{guests.QEMU} is missing: tools/packages bench, or --no-qemu")
        columns["qemu"] = guest(guests.QEMU, [])
    if not args.no_ring1:
        if not os.access(args.ring1, os.X_OK):
            raise Failed(f"{args.ring1} is not there; build ring1, or name it with --ring1, or use --no-ring1")
        options = args.ring1_args.split()
        for mode in args.exec or [None]:
            name = f"ring1 {mode}" if len(args.exec) > 1 else "ring1"
            columns[name] = guest(os.path.abspath(args.ring1), options + (["-exec", mode] if mode else []))
    return columns


def measure(args):
    """All runs: {"machine", "runs": {column: [result of guests.run_*]}}."""
    packages = ["bench"] if args.native_only or args.no_qemu else ["bench", "bench-qemu"]
    if subprocess.run([os.path.join(guests.ROOT, "tools", "packages"), *packages], check=False).returncode:
        raise Failed("packages are missing (see above)")
    binary = guests.build(args.build)
    if not args.native_only and subprocess.run([os.path.join(guests.ROOT, "tools", "debian-guest"), args.images],
                                               check=False).returncode:
        raise Failed("without Debian's kernel there is no guest to measure in")
    columns = plan(args, binary)
    data = {"machine": machine(), "rounds": args.rounds, "ms": args.ms, "runs": {c: [] for c in columns}}
    for i in range(args.rounds):
        for name, run in columns.items():
            start = time.monotonic()
            data["runs"][name].append(run())
            print(f"round {i + 1} of {args.rounds}, {name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return data


def median_of(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def rates(data, which):
    """{column: {row: median rate}}"""
    table = {}
    for column, runs in data["runs"].items():
        names = [n for n in runs[0]["rows"] if all(n in r["rows"] for r in runs)]
        table[column] = {n: statistics.median(r["rows"][n][which] for r in runs) for n in names}
    return table


def problems(data):
    """What makes the numbers doubtful: failures in a guest, different results, a clock that is off."""
    found, checks = [], {}
    for column, runs in data["runs"].items():
        for run in runs:
            found += [f"{column}: {text}" for text in run["problems"]]
            for name, row in run["rows"].items():
                first = checks.setdefault(name, (row["check"], column))
                if first[0] != row["check"]:
                    found.append(f"{name}: computed {row['check']} under {column}, {first[0]} under {first[1]}")
            off = abs(run["guest"] - run["host"])
            if off > targets.CLOCK_TOLERANCE * run["host"] + targets.CLOCK_SLACK:
                found.append(f"{column}: its clock saw {run['guest']:.2f} s, this machine's {run['host']:.2f} s")
    return list(dict.fromkeys(found))


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values)) if values else None


def ratios(table, column, base, patterns=("*",)):
    """{row: rate of the column / rate of the base} of the rows that both have."""
    mine, theirs = table.get(column, {}), table.get(base, {})
    return {n: mine[n] / theirs[n] for n in mine if theirs.get(n) and in_rows(n, patterns)}


def short(x, form=None):
    """Three digits, or as the format says."""
    if x is None:
        return "-"
    if form:
        return form.format(x)
    if x >= 1e4:
        return f"{x:.2e}".replace("e+0", "e").replace("e+", "e")
    return f"{x:.0f}" if x >= 1000 else f"{x:.3g}"


def ratio_columns(table):
    """(heading, column, base) of the table's ratios."""
    found = [("qemu / native", "qemu", "native")] if "qemu" in table else []
    for c in table:
        if c.startswith("ring1"):
            found.append((f"{c} / native", c, "native"))
            if "qemu" in table:
                found.append((f"{c} / qemu", c, "qemu"))
    return found


def print_rows(data, table):
    units = {n: row["unit"] for runs in data["runs"].values() for n, row in runs[0]["rows"].items()}
    pairs = ratio_columns(table)
    all_ratios = [ratios(table, c, base) for _, c, base in pairs]
    print("| row | per second | " + " | ".join(table) + "".join(f" | {h}" for h, _, _ in pairs) + " |")
    print("|---|---|" + "---|" * (len(table) + len(pairs)))
    for name, unit in units.items():
        cells = [short(table[c].get(name)) for c in table] + [short(r.get(name), "{:.3f}") for r in all_ratios]
        print(f"| {name} | {unit} | " + " | ".join(cells) + " |")
    if not pairs:
        return
    print("\n| geometric mean | " + " | ".join(h for h, _, _ in pairs) + " |\n|---|" + "---|" * len(pairs))
    groups = [(text, [word + ".*"]) for word, text in targets.GROUPS.items()]
    groups += [("**all user-level rows**", targets.USER), ("**all kernel-heavy rows**", targets.KERNEL)]
    for text, patterns in groups:
        cells = [geometric_mean(list(ratios(table, c, base, patterns).values())) for _, c, base in pairs]
        if any(c is not None for c in cells):
            print(f"| {text} | " + " | ".join(short(c, "{:.3f}") for c in cells) + " |")


def translate_cycles(run, mhz):
    """Cycles that translating took per guest instruction translated, from ring1's counters."""
    stats = run.get("stats", {})
    if not stats.get("bt_insns") or "bt_translate_ns" not in stats:
        return None
    return stats["bt_translate_ns"] * mhz / 1000 / stats["bt_insns"]


def whole(data, column):
    """Measurements of the process as a whole, medians."""
    runs = data["runs"].get(column, [])
    qemu = data["runs"].get("qemu", [])
    found = {key: median_of([r.get(key) for r in runs]) for key in ("init", "init_cpu", "shell", "memory")}
    theirs = {key: median_of([r.get(key) for r in qemu]) for key in ("init", "init_cpu", "shell")}
    compared = {f"{name}_ratio": found[key] / theirs[key] if found[key] and theirs[key] else None
                for name, key in (("boot", "init"), ("boot_cpu", "init_cpu"), ("shell", "shell"))}
    return {**compared, "init": found["init"], "init_cpu": found["init_cpu"], "shell": found["shell"],
            "memory_mib": found["memory"] / 2**20 if found["memory"] is not None else None,
            "translate_cycles": median_of([translate_cycles(r, data["machine"]["mhz"]) for r in runs])}


def print_whole(data):
    columns = [c for c in data["runs"] if c != "native"]
    if not columns:
        return
    text = [("from process start to /init, s", "init", "{:.2f}"),
            ("CPU time until then, s", "init_cpu", "{:.2f}"),
            ("CPU time until then, of QEMU's", "boot_cpu_ratio", "{:.3f}"),
            ("from process start to the shell's command, s", "shell", "{:.2f}"),
            ("/init, of QEMU's time", "boot_ratio", "{:.3f}"), ("shell, of QEMU's time", "shell_ratio", "{:.3f}"),
            ("memory beyond guest RAM at the end, MiB", "memory_mib", "{:.1f}"),
            ("translator, cycles per guest instruction", "translate_cycles", "{:.0f}")]
    values = {c: whole(data, c) for c in columns}
    print("\n| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for title, key, form in text:
        print(f"| {title} | " + " | ".join(short(values[c][key], form) for c in columns) + " |")


def verdicts(data, table, column):
    """(what, measured, bound, passed or None if not measured, the rows that fail) of every target."""
    found = []
    for what, patterns, base, how, least in targets.RATES:
        r = ratios(table, column, base, patterns)
        if not r:
            found.append((what, None, f">= {least}", None, []))
            continue
        value = geometric_mean(list(r.values())) if how == "mean" else min(r.values())
        bad = [f"{n} {v:.2f}" for n, v in sorted(r.items(), key=lambda x: x[1]) if v < least] if how == "each" else []
        found.append((what, value, f">= {least}", value >= least, bad))
    values = whole(data, column)
    for what, key, most in targets.LIMITS:
        value = values[key]
        found.append((what, value, f"<= {most:g}", None if value is None else value <= most, []))
    return found


def print_targets(data, table):
    """Prints the targets for each column of ring1; returns whether all that were measured are met."""
    good = True
    for column in (c for c in table if c.startswith("ring1")):
        print(f"\n| target after translation: {column} | measured | bound | |\n|---|---|---|---|")
        for what, value, bound, passed, bad in verdicts(data, table, column):
            word = {None: "not measured", True: "pass", False: "**fail**"}[passed]
            good = good and passed is not False
            print(f"| {what} | {short(value)} | {bound} | {word}{': ' + ', '.join(bad) if bad else ''} |")
    return good


def report(data, which):
    m, table = data["machine"], rates(data, which)
    print(f"{m['date']}, {m['cpu']}, load {m['load']} at the start; {data['rounds']} rounds of {data['ms']} ms a row\n")
    print_rows(data, table)
    print_whole(data)
    good = print_targets(data, table)
    doubts = problems(data)
    if doubts:
        print("\nDoubtful:\n" + "\n".join(f"- {d}" for d in doubts))
    return good and not doubts


def main():
    args = arguments()
    if args.self_test:
        import selftest
        return selftest.run()
    if args.quick:
        args.rounds, args.ms = 1, 40
    try:
        if args.show:
            if not args.json:
                raise Failed("--show needs --json FILE")
            with open(args.json) as f:
                data = json.load(f)
        else:
            data = measure(args)
            if args.json:
                with open(args.json, "w") as f:
                    json.dump(data, f, indent=1)
        if not any(r["rows"] for runs in data["runs"].values() for r in runs):
            raise Failed(f"no row is named {args.rows}; the names begin with {', '.join(targets.GROUPS)}")
        return 0 if report(data, "mean" if args.mean else "rate") else 1
    except (Failed, OSError, json.JSONDecodeError) as e:
        print(f"compare.py: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
