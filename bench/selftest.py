# SPDX-License-Identifier: MIT
"""Tests compare.py without running anything: what it reads, computes and judges. `compare.py --self-test`."""
import contextlib
import io
import os

import compare
import guests
import targets

OUTPUT = [
    (10.0, "[    0.1] some line of the kernel\r\n"), (12.0, "bench32 init\r\n"), (15.0, "bench32 begin\r\n"),
    (15.1, "bench32 row int.crc 2.5e+08 bytes 48b2ea38 2e+08\r\n"), (15.2, "bench32 skip simd.int\n"),
    (15.3, "bench32 row smc.jit fast functions 0 0\n"), (15.4, "bench32 wrong int.hash 1 2\n"),
    (15.5, "bench32\n"), (15.6, "unrelated bench32 row\n"), (17.0, "bench32 end 2100000000\n"),
]


def test_parser():
    p = guests.Parser()
    kinds = [p.line(text, now, 9.0) for now, text in OUTPUT]
    assert kinds == [None, "init", "begin", "row", "skip", "row", "wrong", None, None, "end"], kinds
    out = guests.finish(p, "test", [])
    assert out["rows"] == {"int.crc": {"rate": 2.5e8, "unit": "bytes", "check": "48b2ea38", "mean": 2e8}}
    assert out["skipped"] == ["simd.int"] and len(out["problems"]) == 2
    assert (out["init"], out["shell"], out["guest"], out["host"]) == (3.0, 6.0, 2.1, 2.0)
    try:
        guests.finish(guests.Parser(), "test", ["last words\n"])
    except guests.Failed as e:
        assert "last words" in str(e)
    else:
        raise AssertionError("an end that did not come was not noticed")


def test_stats():
    text = "counter   value\nbt_insns 1000  guest instructions translated\nbt_translate_ns 500000 x\nnoise\n"
    stats = guests.stats_of(text)
    assert stats == {"bt_insns": 1000, "bt_translate_ns": 500000}
    assert compare.translate_cycles({"stats": stats}, 2000.0) == 1000.0
    assert compare.translate_cycles({"stats": {}}, 2000.0) is None


def test_memory():
    assert guests.memory_beyond_ram(os.getpid()) > 1 << 20
    assert guests.cpu_of(os.getpid()) >= 0


def test_archive():
    data = guests.newc([("a", 0o100755, b"12345")])
    assert data[:6] == b"070701" and len(data) % 4 == 0 and b"TRAILER!!!" in data and b"a\0" in data


def run_of(rates, init, **more):
    rows = {n: {"rate": r, "mean": r / 2, "unit": "things", "check": "7"} for n, r in rates.items()}
    return {"rows": rows, "skipped": [], "problems": [], "guest": 1.0, "host": 1.0, "init": init, "init_cpu": init,
            "shell": init, "memory": 64 << 20, "stats": {}, **more}


def made_up(fast):
    """Two rounds of everything; ring1 has the fraction `fast` of native's rates."""
    names = [word + ".x" for word in targets.GROUPS]
    def runs(rate, init, **more):
        return [run_of({n: rate * k for n in names}, init * k, **more) for k in (1, 3)]
    return {"machine": {"date": "2000-01-01", "cpu": "a CPU", "load": 0, "mhz": 1000.0}, "rounds": 2, "ms": 1, "runs": {
        "native": runs(100, 0.0), "qemu": runs(10, 4.0),
        "ring1": runs(100 * fast, 1.0, stats={"bt_insns": 10, "bt_translate_ns": 5000})}}


def printed(data):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        good = compare.report(data, "rate")
    return good, out.getvalue()


def test_tables():
    data = made_up(0.8)
    table = compare.rates(data, "rate")
    assert table["native"]["int.x"] == 200 and table["qemu"]["int.x"] == 20
    assert abs(table["ring1"]["int.x"] - 160) < 1e-9
    assert compare.rates(data, "mean")["native"]["int.x"] == 100
    assert abs(compare.geometric_mean([1, 4]) - 2) < 1e-9 and compare.geometric_mean([]) is None
    assert compare.whole(data, "ring1")["boot_ratio"] == 0.25 and compare.whole(data, "ring1")["memory_mib"] == 64
    good, text = printed(data)
    assert good and "| int.x | things | 200 | 20 | 160 | 0.100 | 0.800 | 8.000 |" in text, text
    assert "fail" not in text and "not measured" not in text and text.count("| pass |") == 10, text


def test_verdicts():
    good, text = printed(made_up(0.5))
    assert not good and "| user-level rows, geometric mean of native | 0.5 | >= 0.75 | **fail** |" in text, text
    assert "**fail**: call.x 0.50, bytecode.x 0.50" in text, text
    data = made_up(0.8)
    data["runs"]["ring1"][0]["rows"]["int.x"]["check"] = "8"
    data["runs"]["ring1"][1]["guest"] = 1.5
    good, text = printed(data)
    assert not good and "int.x: computed 8 under ring1, 7 under native" in text and "clock saw 1.50 s" in text, text
    data = made_up(0.8)
    del data["runs"]["qemu"]
    good, text = printed(data)
    assert good and "not measured" in text


def run():
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
            print(f"ok {name}")
    return 0
