# SPDX-License-Identifier: MIT
"""What the measurements of rows say: rates, ratios of neighbours in time, and what makes them doubtful.

The data (what --json writes):
    machine  {"cpu", "mhz", "load", "date"}      rounds, ms  as asked for
    boots    {column: [Side.out]}                the last one measured the rows
    rows     {row: {"unit", "check": {column: value}, "rate": {column: [of each round]}, "mean": the same}}
    ratios   {"column / base": {row: spread()}}  of "rate"; for readers of the file, computed again by --show
"""
import math
import statistics

import targets
from guests import in_rows


def turns(columns, rounds):
    """The order of measuring: a list of columns for each round. Every other round goes backward, so that a machine
    that becomes slower or quicker favours nobody."""
    return [list(columns) if i % 2 == 0 else list(reversed(columns)) for i in range(rounds)]


def spread(values):
    """Median and quartiles (of one value: itself)."""
    if len(values) < 2:
        return {"low": values[0], "median": values[0], "high": values[0]}
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"low": low, "median": statistics.median(values), "high": high}


def paired(row, column, base, which="rate"):
    """The ratios of a row, each of two measurements of one round."""
    mine, theirs = row[which].get(column, []), row[which].get(base, [])
    return [a / b for a, b in zip(mine, theirs) if a is not None and b]


def spreads(data, column, base, patterns=("*",), which="rate"):
    """{row: spread of column / base} of the rows that both measured."""
    found = {name: paired(row, column, base, which) for name, row in data["rows"].items() if in_rows(name, patterns)}
    return {name: spread(values) for name, values in found.items() if values}


def ratios(data, column, base, patterns=("*",), which="rate"):
    """{row: median ratio}"""
    return {name: s["median"] for name, s in spreads(data, column, base, patterns, which).items()}


def uncertainty(s):
    """Half the distance of the quartiles, as a part of the median."""
    return (s["high"] - s["low"]) / 2 / s["median"]


def rate(row, column, which="rate"):
    """The median of the rounds, None if there is none."""
    return median_of(row[which].get(column, []))


def ratio_columns(columns):
    """(heading, column, base) of the table's ratios."""
    found = [("qemu / native", "qemu", "native")] if "qemu" in columns else []
    ours = [c for c in columns if c.startswith("ring1")]
    for c in ours:
        found.append((f"{c} / native", c, "native"))
        if "qemu" in columns:
            found.append((f"{c} / qemu", c, "qemu"))
        if c != ours[0]:
            found.append((f"{c} / {ours[0]}", c, ours[0]))
    return found


def median_of(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values)) if values else None


def translate_cycles(run, mhz):
    """Cycles that translating took per guest instruction translated, from ring1's counters."""
    stats = run.get("stats", {})
    if not stats.get("bt_insns") or "bt_translate_ns" not in stats:
        return None
    return stats["bt_translate_ns"] * mhz / 1000 / stats["bt_insns"]


def whole(data, column):
    """Measurements of the process as a whole: medians of the boots; memory and the translator's cost from the one
    that measured the rows."""
    boots, qemu = data["boots"].get(column, []), data["boots"].get("qemu", [])
    found = {key: median_of([b.get(key) for b in boots]) for key in ("init", "init_cpu", "shell")}
    theirs = {key: median_of([b.get(key) for b in qemu]) for key in ("init", "init_cpu", "shell")}
    compared = {f"{name}_ratio": found[key] / theirs[key] if found[key] and theirs[key] else None
                for name, key in (("boot", "init"), ("boot_cpu", "init_cpu"), ("shell", "shell"))}
    last = boots[-1] if boots else {}
    return {**compared, **found, "memory_mib": last["memory"] / 2**20 if last.get("memory") is not None else None,
            "translate_cycles": translate_cycles(last, data["machine"]["mhz"])}


def problems(data):
    """What makes the numbers doubtful: failures in a guest, different results, a clock that is off."""
    found = []
    for column, boots in data["boots"].items():
        for boot in boots:
            found += [f"{column}: {text}" for text in boot["problems"]]
            off = abs(boot["guest"] - boot["host"])
            if off > targets.CLOCK_TOLERANCE * boot["host"] + targets.CLOCK_SLACK:
                found.append(f"{column}: its clock saw {boot['guest']:.2f} s, this machine's {boot['host']:.2f} s")
    for name, row in data["rows"].items():
        first = next(iter(row["check"].items()), None)
        found += [f"{name}: computed {value} under {column}, {first[1]} under {first[0]}"
                  for column, value in row["check"].items() if value != first[1]]
    return list(dict.fromkeys(found))


def verdicts(data, column, which="rate"):
    """(what, measured, bound, passed or None if not measured, the rows that fail) of every target."""
    found = []
    for what, patterns, base, how, least in targets.RATES:
        r = ratios(data, column, base, patterns, which)
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
