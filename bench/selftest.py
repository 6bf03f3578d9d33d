# SPDX-License-Identifier: MIT
"""Tests compare.py without a guest: what it reads, computes and judges. `compare.py --self-test`."""
import contextlib
import io
import os
import sys
import tempfile

import compare
import guests
import pairing
import sides
import tables
import targets

OUTPUT = [
    (10.0, "[    0.1] some line of the kernel\r\n"), (12.0, "bench32 init\r\n"), (15.0, "bench32 begin\r\n"),
    (15.1, "bench32 open int.crc\r\n"), (15.1, "bench32 row int.crc 2.5e+08 bytes 48b2ea38 2e+08\r\n"),
    (15.2, "bench32 skip simd.int\n"), (15.3, "bench32 row smc.jit fast functions 0 0\n"),
    (15.4, "bench32 wrong int.hash 1 2\n"), (15.5, "bench32\n"), (15.6, "unrelated bench32 row\n"),
    (17.0, "bench32 end 2100000000\n"),
]

# A bench32 that knows one row, and what is wrong with the others.
PRETENDER = """
import sys
print("bench32 begin", flush=True)
for line in sys.stdin:
    word = line.split()
    if word[0] == "open" and word[1] == "int.none":
        print("bench32 failed", word[1] + ": No such row", flush=True)
        sys.exit(1)
    elif word[0] == "open":
        row = word[1]
        print("bench32", "skip" if row == "simd.int" else "open", row, flush=True)
    elif word[0] == "run":
        good = row == "int.crc"
        print(f"bench32 row {row} {word[1]}e3 bytes 7 1e3" if good else f"bench32 wrong {row} 1 2", flush=True)
    elif word[0] == "close":
        print("bench32 close", row, flush=True)
    elif word[0] == "end":
        break
print("bench32 end 1000000", flush=True)
"""


def test_parser():
    p = sides.Parser()
    kinds = [p.line(text, now, 9.0) for now, text in OUTPUT]
    assert kinds == [None, "init", "begin", "open", "row", "skip", "row", "wrong", None, None, "end"], kinds
    assert p.row == {"rate": 2.5e8, "unit": "bytes", "check": "48b2ea38", "mean": 2e8}
    assert len(p.out["problems"]) == 2
    assert (p.out["init"], p.out["shell"], p.out["guest"], p.out["host"]) == (3.0, 6.0, 2.1, 2.0)


def pretender(name):
    host = sides.Host(compare.choose_cpus(None), 60, 0)
    return sides.Side(name, [sys.executable, "-c", PRETENDER], host, tempfile.TemporaryDirectory())


def test_side():
    with pretender("a") as a, pretender("b") as b:
        row = compare.measure_row("int.crc", {"a": a, "b": b}, 3, 5)
        assert row == {"unit": "bytes", "check": {"a": "7", "b": "7"}, "rate": {"a": [5e3] * 3, "b": [5e3] * 3},
                       "mean": {"a": [1e3] * 3, "b": [1e3] * 3}}, row
        assert compare.measure_row("simd.int", {"a": a}, 3, 5)["rate"] == {}
        assert compare.measure_row("int.hash", {"a": a}, 1, 5)["rate"] == {"a": [None]}
        assert a.finish()["guest"] == 1e-3 and "bench32 wrong int.hash 1 2" in a.out["problems"]
        try:
            b.open("int.none")
        except guests.Failed as e:
            assert "No such row" in str(e)
        else:
            raise AssertionError("a bench32 that ended was not noticed")


def test_stats():
    text = "counter   value\nbt_insns 1000  guest instructions translated\nbt_translate_ns 500000 x\nnoise\n"
    stats = guests.stats_of(text)
    assert stats == {"bt_insns": 1000, "bt_translate_ns": 500000}
    assert pairing.translate_cycles({"stats": stats}, 2000.0) == 1000.0
    assert pairing.translate_cycles({"stats": {}}, 2000.0) is None


def test_memory():
    assert guests.memory_beyond_ram(os.getpid()) > 1 << 20
    assert guests.cpu_of(os.getpid()) >= 0


def test_archive():
    data = guests.newc([("a", 0o100755, b"12345")])
    assert data[:6] == b"070701" and len(data) % 4 == 0 and b"TRAILER!!!" in data and b"a\0" in data


def test_cpus():
    here, others = compare.choose_cpus(None)
    assert here in os.sched_getaffinity(0) and others and (here not in others or len(others) == 1)


def test_pairs():
    assert pairing.turns("abc", 3) == [["a", "b", "c"], ["c", "b", "a"], ["a", "b", "c"]]
    assert pairing.spread([3.0]) == {"low": 3.0, "median": 3.0, "high": 3.0}
    assert pairing.spread([5.0, 1.0, 2.0, 4.0, 3.0]) == {"low": 2.0, "median": 3.0, "high": 4.0}
    assert abs(pairing.uncertainty({"low": 2.0, "median": 3.0, "high": 4.0}) - 1 / 3) < 1e-9
    # The machine runs at 1.6, 1.0 and 0.8 of its speed in the three rounds; ring1 has half of native's in each. The
    # ratio of the medians would be the same here, but not once a measurement of one side is missing.
    rate = {"native": [160.0, 100.0, 80.0], "ring1": [80.0, 50.0, 40.0]}
    row = {"unit": "things", "check": {}, "mean": {}, "rate": rate}
    assert pairing.paired(row, "ring1", "native") == [0.5, 0.5, 0.5]
    assert pairing.rate(row, "native") == 100.0 and pairing.rate(row, "qemu") is None
    row["rate"]["ring1"][0] = None
    assert pairing.paired(row, "ring1", "native") == [0.5, 0.5] and pairing.paired(row, "qemu", "native") == []
    data = {"rows": {"int.x": row, "x87.x": row}}
    assert pairing.ratios(data, "ring1", "native", ["int.*"]) == {"int.x": 0.5}
    assert pairing.ratios(data, "ring1", "qemu") == {}
    assert abs(pairing.geometric_mean([1, 4]) - 2) < 1e-9 and pairing.geometric_mean([]) is None


def boots(init, **more):
    return [{"problems": [], "guest": 1.0, "host": 1.0, "init": init * k, "init_cpu": init, "shell": init * k,
             "memory": 64 << 20, "stats": {}, **more} for k in (1, 3)]


def made_up(fast):
    """Three rounds of everything; ring1 has the fraction `fast` of native's rates, a bit more or less by the round."""
    machine_speed = (1.0, 3.0, 2.0)
    rate = {"native": [100 * s for s in machine_speed], "qemu": [10 * s for s in machine_speed],
            "ring1": [100 * fast * s * k for s, k in zip(machine_speed, (1.0, 0.9, 1.1))]}
    mean = {c: [r / 2 for r in rates] for c, rates in rate.items()}
    rows = {word + ".x": {"unit": "things", "check": dict.fromkeys(rate, "7"), "rate": rate, "mean": mean}
            for word in targets.GROUPS}
    return {"machine": {"date": "2000-01-01", "cpu": "a CPU", "load": 0, "mhz": 1000.0}, "rounds": 3, "ms": 1,
            "rows": rows, "boots": {"native": [{"problems": [], "guest": 1.0, "host": 1.0}], "qemu": boots(4.0),
                                    "ring1": boots(1.0, stats={"bt_insns": 10, "bt_translate_ns": 5000})}}


def printed(data, which="rate"):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        good = tables.report(data, which)
    return good, out.getvalue()


def test_tables():
    data = made_up(0.8)
    whole = pairing.whole(data, "ring1")
    assert whole["boot_ratio"] == 0.25 and whole["memory_mib"] == 64 and whole["translate_cycles"] == 500
    good, text = printed(data)
    line = "| int.x | things | 200 | 20 | 176 | 0.100 | 0 % | 0.800 | 5 % | 8.000 | 5 % |"
    assert good and line in text, text
    assert "fail" not in text and "not measured" not in text and text.count("| pass |") == 10, text
    assert "| int.x | things | 100 | 10 | 88 |" in printed(data, "mean")[1]


def test_columns():
    found = [text for text, _, _ in pairing.ratio_columns(["native", "ring1 old", "ring1 new"])]
    assert found == ["ring1 old / native", "ring1 new / native", "ring1 new / ring1 old"], found


def test_warm():
    class Slow:
        def __init__(self):
            self.turns = 0

        def run(self, _):
            self.turns += 1

        def cpu_ms(self):
            return 30 * self.turns

    for cpu_ms, turns in ((0, 1), (30, 1), (100, 4), (10000, 20)):
        side = Slow()
        compare.warm(side, 40, cpu_ms)
        assert side.turns == turns, (cpu_ms, side.turns)


def test_verdicts():
    good, text = printed(made_up(0.5))
    assert not good and "| user-level rows, geometric mean of native | 0.5 | >= 0.75 | **fail** |" in text, text
    assert "**fail**: call.x 0.50, bytecode.x 0.50" in text, text
    data = made_up(0.8)
    data["rows"]["int.x"]["check"]["ring1"] = "8"
    data["boots"]["ring1"][1]["guest"] = 1.5
    good, text = printed(data)
    assert not good and "int.x: computed 8 under ring1, 7 under native" in text and "clock saw 1.50 s" in text, text
    data = made_up(0.8)
    del data["boots"]["qemu"]
    for row in data["rows"].values():
        row["rate"] = {c: r for c, r in row["rate"].items() if c != "qemu"}
    good, text = printed(data)
    assert good and "not measured" in text


def run():
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
            print(f"ok {name}")
    return 0
