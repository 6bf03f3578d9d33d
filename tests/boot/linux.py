#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots Debian's i386 kernels. Usage: linux.py RING1 GUEST_DIR CASE   (CASE 'list' names them)

GUEST_DIR holds vmlinuz-686, vmlinuz-686-pae and initrd.gz (tools/debian-guest makes them). A case boots a kernel with options, runs
a shell script in the guest, and checks what came out of it and how ring1 ended.
"""
import gzip
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

BOOT_SECONDS = 240  # for a machine that does other things too; the target is 60 on the reference machine


def newc(name, data):
    """One file as a cpio archive of format newc."""
    def entry(path, body, mode):
        head = "070701" + "".join(f"{n:08x}" for n in
                                  (1, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(path) + 1, 0))
        text = head.encode() + path.encode() + b"\0"
        text += b"\0" * (-len(text) % 4)
        return text + body + b"\0" * (-len(body) % 4)
    return entry(name, data, 0o100644) + entry("TRAILER!!!", b"", 0)


class Boot:
    """The result of one boot (or of several, until = (line, count) has come): status of ring1, output of the script, the console, seconds of wall and CPU time."""

    def __init__(self, ring1, guest, script, kernel="686", options=(), append="", seconds=BOOT_SECONDS,
                 until=None):
        with tempfile.TemporaryDirectory() as folder:
            initrd, console = os.path.join(folder, "initrd"), os.path.join(folder, "console")
            with open(os.path.join(guest, "initrd.gz"), "rb") as f:
                base = f.read()
            with open(initrd, "wb") as f:
                f.write(base + gzip.compress(newc("ring1-command", script.encode())))
            options = list(options)
            if "-m" not in options:
                options += ["-m", "256"]
            command = [ring1, "run", "-kernel", os.path.join(guest, f"vmlinuz-{kernel}"), "-initrd", initrd,
                       "-append", f"console=ttyS0 {append}", "-display", "none", "-serial", f"file:{console}",
                       "-serial", "stdio", *options]
            start, cpu = time.time(), os.times()
            with open(os.path.join(folder, "errors"), "w+") as errors:
                child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=errors, text=True)
                watchdog = threading.Timer(seconds, child.kill)
                watchdog.start()
                self.lines = []  # with the host's time of arrival
                for line in child.stdout:
                    self.lines.append((time.time(), line))
                    if until and sum(text == until[0] for _, text in self.lines) == until[1]:
                        child.terminate()
                self.status = child.wait()
                self.output = "".join(line for _, line in self.lines)
                errors.seek(0)
                self.errors = errors.read() + ("" if watchdog.is_alive() else f"\nno end after {seconds} s")
                watchdog.cancel()
            self.seconds = time.time() - start
            now = os.times()
            self.cpu = now.children_user + now.children_system - cpu.children_user - cpu.children_system
            with open(console, errors="replace") as f:
                self.console = f.read()

    def demand(self, condition, what):
        if condition:
            return
        print(f"not so: {what}\nstatus {self.status}\noutput:\n{self.output[-2000:]}\nerrors:\n{self.errors[-2000:]}\n"
              f"console:\n{self.console[-3000:]}")
        sys.exit(1)

    def clean(self):
        """What every boot must satisfy."""
        self.demand(self.status == 0, "ring1 ended with status 0")
        for bad in ("BUG:", "Oops", "Call Trace", "Kernel panic", "soft lockup", "rcu: INFO", "unable to handle"):
            self.demand(bad not in self.console, f"the console does not say '{bad}'")
        self.demand("ring1-demo-status: 0" in self.console, "the script ended with status 0")
        return self


IDENTITY = "uname -m; grep -c '^processor' /proc/cpuinfo; grep 'model name' /proc/cpuinfo; free -m | sed -n 2p"


def identity(boot, megabytes):
    boot.clean()
    lines = boot.output.split("\n")
    boot.demand(lines[0] == "i686" and lines[1] == "1", "uname says i686 and there is one CPU")
    boot.demand("ring1 Virtual CPU" in boot.output, "/proc/cpuinfo names our CPU model")
    total = int(lines[3].split()[1])
    boot.demand(megabytes * 0.55 < total <= megabytes, f"free(1) shows about {megabytes} MB, got {total}")
    print(f"booted in {boot.seconds:.1f} s ({boot.cpu:.1f} s of CPU time)")


def simple(kernel="686", megabytes=256, append="", options=()):
    return lambda r, g: identity(Boot(r, g, IDENTITY, kernel, ["-m", str(megabytes), *options], append), megabytes)


def without_acpi(ring1, guest):
    """8259s only and no ACPI: there is no way to turn such a machine off, so the script ends it by a reset."""
    script = IDENTITY + "; cat /proc/interrupts; echo ring1-demo-status: 0 >/dev/console; reboot -f; sleep 100"
    boot = Boot(ring1, guest, script, append="noapic nolapic acpi=off", options=["-no-acpi", "-no-reboot"])
    identity(boot, 256)
    boot.demand("XT-PIC" in boot.output and "IO-APIC" not in boot.output, "interrupts come through the 8259s")


def interrupts(ring1, guest):
    """The guest's clocks and interrupt counts over half a minute, and what an idle guest costs."""
    boot = Boot(ring1, guest, "cat /proc/interrupts; cat /proc/uptime; date +%s; sleep 30; date +%s; cat /proc/uptime;"
                "cat /proc/interrupts; cat /sys/devices/system/clocksource/clocksource0/current_clocksource").clean()
    up = [float(m) for m in re.findall(r"^(\d+\.\d+) \d", boot.output, re.M)]
    date = [int(m) for m in re.findall(r"^(\d{9,})$", boot.output, re.M)]
    boot.demand(len(up) == 2 and abs(up[1] - up[0] - 30) < 0.5, f"uptime advanced by 30 s: {up}")
    boot.demand(len(date) == 2 and 29 <= date[1] - date[0] <= 31, f"date advanced by 30 s: {date}")
    boot.demand(abs(date[1] - time.time()) < 60, "the guest's date is the host's")
    timer = [int(m) for m in re.findall(r"^(?:LOC|  0): +(\d+)", boot.output, re.M)]
    boot.demand(max(timer) > 100, "timer interrupts were counted")
    boot.demand("ERR:          0" in boot.output, "no spurious APIC errors")


def clock(seconds):
    """The guest's clock against the host's, half of the time idle and half busy: within 0.1 %."""
    def run(ring1, guest):
        script = (f"cat /proc/uptime; sleep {seconds // 2}; cat /proc/uptime; while :; do :; done & "
                  f"sleep {seconds // 2}; cat /proc/uptime")
        boot = Boot(ring1, guest, script, seconds=BOOT_SECONDS + seconds).clean()
        up = [(when, float(line.split()[0])) for when, line in boot.lines]
        for (host0, guest0), (host1, guest1), what in zip(up, up[1:], ("idle", "busy")):
            error = abs((guest1 - guest0) / (host1 - host0) - 1)
            print(f"{what}: host {host1 - host0:.3f} s, guest {guest1 - guest0:.3f} s, {error * 100:.4f} %")
            # /proc/uptime counts in hundredths, and a line takes its time to get here.
            boot.demand(error < 0.001 + 0.05 / (host1 - host0), f"{what}: the clocks keep step")
    return run


def exit_status(ring1, guest):
    boot = Boot(ring1, guest, "echo out; echo err >&2; exit 7")
    boot.demand(boot.status == 0 and "ring1-demo-status: 7" in boot.console, "status 7 arrives")
    boot.demand(boot.output == "out\nerr\n", "output is exactly what was printed")


def power_off(ring1, guest):
    boot = Boot(ring1, guest, "poweroff -f; sleep 100")
    boot.demand(boot.status == 0 and "ring1-demo-status" not in boot.console, "poweroff ended the machine")
    boot = Boot(ring1, guest, "reboot -f; sleep 100", options=["-no-reboot"])
    boot.demand(boot.status == 0 and "ring1-demo-status" not in boot.console, "reboot ended it under -no-reboot")


def reboot(ring1, guest):
    """A reboot starts the guest again, and the second kernel gets as far as the first."""
    boot = Boot(ring1, guest, "echo boot; sleep 1; reboot -f; sleep 100", seconds=2 * BOOT_SECONDS, until=("boot\n", 2))
    boot.demand(boot.output.count("boot\n") == 2, "the script ran twice")
    boot.demand(boot.status == 128 + 15, "SIGTERM ends ring1 in an orderly way")


def fpu(ring1, guest):
    """Floating point in user space survives context switches: four processes at once compute the same sum in awk."""
    body = "s = 0; for (i = 1; i < 20000; i++) { s += 1 / i; s *= 1.00001 }"
    one = "awk 'BEGIN { " + body + " printf \"%.15g\\n\", s }'"
    boot = Boot(ring1, guest, f"for n in 1 2 3 4; do {one} & done; wait").clean()
    want = 0.0
    for i in range(1, 20000):
        want = (want + 1 / i) * 1.00001
    sums = boot.output.split()
    # busybox may keep intermediate results in the x87's 80 bits: the last digits may differ from Python's.
    boot.demand(len(sums) == 4 and len(set(sums)) == 1 and abs(float(sums[0]) / want - 1) < 1e-12,
                f"four sums of {want:.15g}: {sums}")


def repeat(count):
    def run(ring1, guest):
        for n in range(count):
            Boot(ring1, guest, "true").clean()
            print(f"boot {n + 1}", flush=True)
    return run


def two_at_once(ring1, guest):
    """Two processes, each its own machine: nothing is shared but the host."""
    boots = [None, None]

    def run(n):
        boots[n] = Boot(ring1, guest, IDENTITY, ["686", "686-pae"][n], seconds=2 * BOOT_SECONDS)
    threads = [threading.Thread(target=run, args=(n,)) for n in (0, 1)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for boot in boots:
        identity(boot, 256)


def isolated(ring1, guest):
    """Page-table isolation: two loads of CR3 in each system call. What a load costs is counted: neither is the kernel's memory mapped
    again, nor its code looked up again."""
    script = ("dmesg | grep -c 'page tables isolation: enabled'; i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done;"
              "dd if=/dev/zero of=/dev/null bs=1 count=50000 2>/dev/null")
    boot = Boot(ring1, guest, script, "686-pae", ["--stats"], "pti=on").clean()
    boot.demand(re.search(r"^1$", boot.output, re.M), "isolation is on")
    count = {m[1]: int(m[2]) for m in re.finditer(r"^(\w+) +(\d+) ", boot.output + boot.errors, re.M)}
    loads = count["tlb_flushes"]
    boot.demand(loads > 200000, f"{loads} loads of CR3")
    for what in ("window_maps", "hidden_faults", "exit_lookup"):
        boot.demand(count[what] < 2 * loads, f"{what} {count[what]} in {loads} loads of CR3")


def lockstep_isolated(ring1, guest):
    boot = Boot(ring1, guest, "uname -m; /bin/true | cat", "686-pae", ["--exec=lockstep", "-m", "64"], "pti=on", 3400).clean()
    boot.demand("lockstep: no difference in" in boot.errors, "the two executed the same")


def lockstep(ring1, guest):
    """Translator and interpreter side by side, from the kernel's first instruction to a shell command and power-off: some 6400
    million instructions in 360 million blocks, two minutes of CPU time."""
    boot = Boot(ring1, guest, "uname -m", options=["--exec=lockstep", "-m", "64"], seconds=3400).clean()
    boot.demand(boot.output == "i686\n", "the command ran")
    counts = re.search(r"lockstep: no difference in (\d+) blocks, (\d+) instructions", boot.errors)
    boot.demand(counts and int(counts[2]) > 10**9, "the two executed the same")
    print(f"{counts[1]} blocks, {counts[2]} instructions in {boot.seconds:.1f} s ({boot.cpu:.1f} s of CPU time)")


CASES = {
    "686": simple(),
    "686-pae": simple("686-pae"),
    "m64": simple(megabytes=64),
    "m2048": simple(megabytes=2048),
    "pae-m2048": simple("686-pae", 2048),
    "noapic": simple(append="noapic"),
    "noapic-nolapic-acpi-off": without_acpi,
    "interrupts": interrupts,
    "exit-status": exit_status,
    "power-off": power_off,
    "reboot": reboot,
    "fpu": fpu,
    "clock60": clock(60),
    "clock600": clock(600),
    "interpret": simple(options=["--exec=interpret"]),
    "interpret-pae": simple("686-pae", options=["--exec=interpret"]),
    "soft": simple(options=["--bt", "soft"]),
    "soft-pae": simple("686-pae", options=["--bt", "soft"]),
    "nobmi2": simple(options=["--bt", "bmi2=off"]),
    "nochain": simple(options=["--bt", "chain=off,return-stack=off,heat=0,elsewhere=off"]),
    "tiny-cache": simple(options=["--cache-size", "1M"]),
    "two-at-once": two_at_once,
    "lockstep": lockstep,
    "isolated": isolated,
    "lockstep-isolated": lockstep_isolated,
    "repeat10": repeat(10),
    "repeat30": repeat(30),
}


def main():
    if len(sys.argv) < 4 or sys.argv[3] == "list":
        print("\n".join(CASES))
        return 2
    ring1, guest, case = sys.argv[1:4]
    if not os.path.exists(os.path.join(guest, "initrd.gz")):
        print(f"{guest} holds no guest: run tools/debian-guest {guest}")
        return 1
    CASES[case](ring1, guest)
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
