#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures ring1's interpreter: small guests in CPU time, paired and alternating with other programs.

Usage: interp.py RING1 [--against RING1]... [--rounds N] [--images DIR] [--json FILE]

Prints one table per question: instructions per second and times beside QEMU's (if it is installed), process start, idle
cost and memory. With --images (a directory with vmlinuz-686 and initrd.gz, as demo/build makes it) also boots Debian.
See README.md for what each column means.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LIB = os.path.join(os.path.dirname(HERE), "tests", "guest", "lib")
WORK = ["sieve", "fib", "hash", "sort", "bytecode", "memory"]
QEMU = "qemu-system-i386"
MARK = "bench: idle now"


def build(name, folder):
    """Compiles one kernel; returns its path."""
    path = os.path.join(folder, name + ".elf")
    subprocess.run(["gcc", "-m32", "-march=i686", "-O2", "-ffreestanding", "-fno-pic", "-fno-stack-protector",
                    "-fno-asynchronous-unwind-tables", "-nostdlib", "-static", "-no-pie", "-Wa,--noexecstack",
                    "-I" + LIB, "-Wl,-T," + os.path.join(LIB, "guest.ld"), "-Wl,--build-id=none",
                    "-Wl,--no-warn-rwx-segments", "-o", path, os.path.join(HERE, "kernels", name + ".c"),
                    os.path.join(LIB, "start.S")], check=True)
    return path


def command(program, kernel, log):
    common = ["-kernel", kernel, "-m", "32", "-display", "none", "-serial", "none", "-no-reboot", "-device",
              "isa-debug-exit,iobase=0xf4,iosize=0x4", "-debugcon", "file:" + log]
    if program == QEMU:
        return [QEMU, "-accel", "tcg", "-monitor", "none", *common]
    return [program, "run", "--exec=interpret", *common, "--stats"]


def stat_of(text, name):
    for line in text.splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])
    return 0


def run(program, kernel, folder):
    """One run: CPU seconds, wall seconds, guest instructions (0 for QEMU), what the guest printed."""
    log = os.path.join(folder, "log")
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command(program, kernel, log), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, timeout=600)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    with open(log) as f:
        said = f.readline().strip()
    if done.returncode != 1 or not said.startswith("ok "):
        raise SystemExit(f"{program}: {kernel}: exit code {done.returncode}, said {said!r}\n{done.stderr}")
    return {"cpu": cpu, "wall": wall, "insns": stat_of(done.stderr, "insns"), "said": said}


def paired(programs, kernel, folder, rounds):
    """Medians per program; the programs alternate so that the machine's moods hit all alike."""
    runs = {p: [] for p in programs}
    for _ in range(rounds):
        for p in programs:
            runs[p].append(run(p, kernel, folder))
    if len({r["said"] for rows in runs.values() for r in rows}) != 1:
        raise SystemExit(f"{kernel}: the programs' guests computed different results")
    return {p: {"cpu": statistics.median(r["cpu"] for r in rows), "wall": statistics.median(r["wall"] for r in rows),
                "least_wall": min(r["wall"] for r in rows), "insns": rows[0]["insns"]} for p, rows in runs.items()}


def cpio_file(name, data):
    """A cpio archive (newc) of one regular file."""
    def member(name, mode, data):
        fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        head += b"\0" * (-len(head) % 4)
        return head + data + b"\0" * (-len(data) % 4)
    return member(name, 0o100644, data) + member("TRAILER!!!", 0, b"")


def cpu_of(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[0]) / 1e9


def memory_beyond_ram(pid, ram):
    """Resident bytes outside the mapping that is guest RAM."""
    total = 0
    with open(f"/proc/{pid}/smaps") as f:
        size = 0
        for line in f:
            word = line.split()
            if "-" in word[0] and not word[0].endswith(":"):
                low, high = (int(x, 16) for x in word[0].split("-"))
                size = high - low
            elif word[0] == "Rss:" and size != ram:
                total += int(word[1]) * 1024
    return total


def boot(ring1, images, folder, seconds):
    """Debian: time to the first command, then what doing nothing costs."""
    initrd, log = os.path.join(folder, "initrd"), os.path.join(folder, "serial")
    shutil.copy(os.path.join(images, "initrd.gz"), initrd)
    with open(initrd, "ab") as f:
        f.write(cpio_file("ring1-command", f"echo {MARK}; sleep 600\n".encode()))
    start = time.monotonic()
    p = subprocess.Popen([ring1, "run", "--exec=interpret", "-m", "256", "-kernel",
                          os.path.join(images, "vmlinuz-686"), "-initrd", initrd, "-append", "console=ttyS0 quiet",
                          "-display", "none", "-serial", "none", "-serial", "file:" + log],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not os.path.exists(log) or MARK not in open(log, errors="replace").read():
            if p.poll() is not None or time.monotonic() - start > 900:
                raise SystemExit("Debian did not come up")
            time.sleep(0.05)
        wall, cpu = time.monotonic() - start, cpu_of(p.pid)
        time.sleep(2)
        before = cpu_of(p.pid)
        time.sleep(seconds)
        return {"wall": wall, "cpu": cpu, "idle_percent": (cpu_of(p.pid) - before) / seconds * 100,
                "memory": memory_beyond_ram(p.pid, 256 << 20)}
    finally:
        p.terminate()
        p.wait()


def cpu_model():
    with open("/proc/cpuinfo") as f:
        names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    return f"{len(names)} x {names[0]}"


def speed_table(programs, result, qemu):
    print(f"| guest | program | CPU s | million guest instructions/s |{' times QEMU |' if qemu else ''}")
    print("|---|---|---|---|" + ("---|" if qemu else ""))
    for name in WORK:
        row = result["work"][name]
        insns = max(r["insns"] for r in row.values())
        for p in programs:
            speed = f"{insns / row[p]['cpu'] / 1e6:.0f}"
            ratio = f" {row[QEMU]['cpu'] / row[p]['cpu']:.2f} |" if qemu else ""
            print(f"| {name} | {os.path.basename(p)} | {row[p]['cpu']:.2f} | {speed} |{ratio}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ring1")
    parser.add_argument("--against", action="append", default=[], help="another build to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", help="directory with vmlinuz-686 and initrd.gz")
    parser.add_argument("--json")
    args = parser.parse_args()
    rivals = [os.path.abspath(p) for p in args.against]
    ring1 = os.path.abspath(args.ring1)
    qemu = shutil.which(QEMU) is not None
    programs = [ring1, *rivals] + ([QEMU] if qemu else [])
    result = {"machine": cpu_model(), "date": time.strftime("%Y-%m-%d"), "load": os.getloadavg()[0], "work": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in WORK:
            result["work"][name] = paired(programs, build(name, folder), folder, args.rounds)
        result["start"] = paired(programs, build("empty", folder), folder, 4 * args.rounds)
        result["tick"] = paired(programs, build("tick", folder), folder, 1)
        if args.images:
            result["boot"] = boot(ring1, args.images, folder, 20)
    print(f"{result['date']}, {result['machine']}, load {result['load']:.1f} at the start, {args.rounds} rounds\n")
    speed_table(programs, result, qemu)
    print("\n| program | start to end of an empty guest, ms (median, least) | CPU of 250 wake-ups/s, % |\n|---|---|---|")
    for p in programs:
        s, t = result["start"][p], result["tick"][p]
        print(f"| {os.path.basename(p)} | {s['wall'] * 1e3:.1f}, {s['least_wall'] * 1e3:.1f} | "
              f"{(t['cpu'] - s['cpu']) / 5 * 100:.2f} |")
    if "boot" in result:
        b = result["boot"]
        print(f"\nDebian 686 to its first command: {b['wall']:.1f} s, {b['cpu']:.1f} s of CPU; idle: "
              f"{b['idle_percent']:.1f} % of a core; resident beyond guest RAM: {b['memory'] / 2**20:.1f} MiB")
    if args.json:
        with open(args.json, "w") as f:
            json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
