# SPDX-License-Identifier: MIT
"""Prints what compare.py measured, as tables of Markdown."""
import pairing
import targets
from pairing import geometric_mean, ratios, spreads, uncertainty


def short(x, form=None):
    """Three digits, or as the format says."""
    if x is None:
        return "-"
    if form:
        return form.format(x)
    if x >= 1e4:
        return f"{x:.2e}".replace("e+0", "e").replace("e+", "e")
    return f"{x:.0f}" if x >= 1000 else f"{x:.3g}"


def print_rows(data, which):
    columns = list(data["boots"])
    pairs = pairing.ratio_columns(columns)
    all_spreads = [spreads(data, c, base, which=which) for _, c, base in pairs]
    print("| row | per second | " + " | ".join(columns) + "".join(f" | {h} | +-" for h, _, _ in pairs) + " |")
    print("|---|---|" + "---|" * (len(columns) + 2 * len(pairs)))
    for name, row in data["rows"].items():
        cells = [short(pairing.rate(row, c, which)) for c in columns]
        for found in all_spreads:
            s = found.get(name)
            cells += ["-", "-"] if s is None else [f"{s['median']:.3f}", f"{100 * uncertainty(s):.0f} %"]
        print(f"| {name} | {row['unit']} | " + " | ".join(cells) + " |")


def print_groups(data, which):
    pairs = pairing.ratio_columns(list(data["boots"]))
    if not pairs:
        return
    print("\n| geometric mean | " + " | ".join(h for h, _, _ in pairs) + " |\n|---|" + "---|" * len(pairs))
    groups = [(text, [word + ".*"]) for word, text in targets.GROUPS.items()]
    groups += [("**all user-level rows**", targets.USER), ("**all kernel-heavy rows**", targets.KERNEL)]
    for text, patterns in groups:
        cells = [geometric_mean(list(ratios(data, c, base, patterns, which).values())) for _, c, base in pairs]
        if any(c is not None for c in cells):
            print(f"| {text} | " + " | ".join(short(c, "{:.3f}") for c in cells) + " |")


def print_whole(data):
    columns = [c for c in data["boots"] if c != "native"]
    if not columns:
        return
    text = [("from process start to /init, s", "init", "{:.2f}"),
            ("CPU time until then, s", "init_cpu", "{:.2f}"),
            ("CPU time until then, of QEMU's", "boot_cpu_ratio", "{:.3f}"),
            ("from process start to the shell's command, s", "shell", "{:.2f}"),
            ("/init, of QEMU's time", "boot_ratio", "{:.3f}"), ("shell, of QEMU's time", "shell_ratio", "{:.3f}"),
            ("memory beyond guest RAM at the end, MiB", "memory_mib", "{:.1f}"),
            ("translator, cycles per guest instruction", "translate_cycles", "{:.0f}")]
    values = {c: pairing.whole(data, c) for c in columns}
    print("\n| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for title, key, form in text:
        print(f"| {title} | " + " | ".join(short(values[c][key], form) for c in columns) + " |")


def print_targets(data, which):
    """Prints the targets for each column of ring1; returns whether all that were measured are met."""
    good = True
    for column in (c for c in data["boots"] if c.startswith("ring1")):
        print(f"\n| target after translation: {column} | measured | bound | |\n|---|---|---|---|")
        for what, value, bound, passed, bad in pairing.verdicts(data, column, which):
            word = {None: "not measured", True: "pass", False: "**fail**"}[passed]
            good = good and passed is not False
            print(f"| {what} | {short(value)} | {bound} | {word}{': ' + ', '.join(bad) if bad else ''} |")
    return good


def report(data, which):
    """Prints everything; returns whether all targets are met and nothing is doubtful."""
    m = data["machine"]
    print(f"{m['date']}, {m['cpu']}, load {m['load']} at the start; {data['rounds']} rounds of {data['ms']} ms a row\n")
    print_rows(data, which)
    print_groups(data, which)
    print_whole(data)
    good = print_targets(data, which)
    doubts = pairing.problems(data)
    if doubts:
        print("\nDoubtful:\n" + "\n".join(f"- {d}" for d in doubts))
    return good and not doubts
