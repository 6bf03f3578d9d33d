#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots our tiny guest OS (guests/tiny) and tries every command. Usage: tiny.py RING1 TINY_ELF

RING1 may be qemu-system-i386 as well: a judge of the guest and of this test.
"""
import datetime
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

RING1, KERNEL = sys.argv[1:3]
JUDGE = os.path.basename(RING1).startswith("qemu")
SECONDS = 3  # how long the clocks are compared
TOLERANCE = 0.2 if JUDGE else 0.05  # of that; QEMU drops ticks that it could not deliver in time
IDLE_SHARE = 0.1  # of a core, for an idle guest (the machine that runs the tests may be noisy)
WAIT = 60

failures = []
passes = 0


def check(good, what, text=""):
    global passes
    if good:
        passes += 1
        return
    failures.append(what)
    print(f"FAIL {what}\n{text}")


def command(*options, memory="16"):
    head = [RING1] if JUDGE else [RING1, "run"]
    return [*head, "-kernel", KERNEL, "-m", memory, "-nographic", *options]


def run(commands, *options, memory="16"):
    """Boots, runs the commands, returns (exit status or None, the output from tiny's first line on)."""
    line = command("-append", f"run={commands}", *options, memory=memory)
    try:
        done = subprocess.run(line, timeout=WAIT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        status, text = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, text = None, late.stdout or b""
    text = text.decode(errors="replace").replace("\r", "")
    return status, text[max(text.find("tiny: ring1's own"), 0):]


def expect(text, name, *patterns):
    """Each pattern matches, in this order."""
    at = 0
    for pattern in patterns:
        found = re.compile(pattern, re.M).search(text, at)
        check(found, f"{name}: /{pattern}/", text)
        if found:
            at = found.end()


def test_commands():
    status, text = run("help; echo one  two ;nonsense;;ps;mem;uptime;cpu;fib 20;fib 48;primes 100000;primes 8388607;"
                       "sleep 1;uptime;kill 1;mem;poweroff")
    check(status == 0, f"power-off: exit status {status}", text)
    expect(text, "commands", r"^  help ", r"^  poweroff ", r"^one  two$", r"^nonsense: no such command",
           r"^    1      0 running .* shell$", r"^\d+ KiB of memory, \d+ KiB used, \d+ KiB free",
           r"^up 0\.\d\d s: \d+ ticks", r"^vendor: .{12}$", r"^family \d+, model \d+, stepping \d+$",
           r"^features: .*\bfpu\b", r"^hypervisor: \w+", r"^fib\(20\) = 6765, in", r"^usage: fib N, with N from 0 to 47$",
           r"^\[\d+\] ended with status 1$", r"^9592 primes up to 100000, the largest is 99991, ",
           r"^564163 primes up to 8388607, the largest is 8388593, ", r"^up [1-9]\d*\.\d\d s: ",
           r"^kill: no process '1'", r"^turning off$")
    used = re.findall(r"(\d+) KiB used", text)
    check(len(used) == 2 and used[0] == used[1], f"memory used before and after: {used}", text)


CRASHES = {"write": 14, "read": 14, "code": 14, "null": 14, "stack": 14, "hlt": 13, "cli": 13, "port": 13, "int": 13,
           "segment": 13, "division": 0, "opcode": 6, "fpu": 7, "breakpoint": 3}


def test_crash():
    status, text = run("mem;" + ";".join(f"crash {how}" for how in CRASHES) + ";mem;ps;echo alive")
    check(status == 0, f"crash: exit status {status}", text)
    ends = [int(vector) for vector in re.findall(r"^\[\d+\] ended by exception (\d+)$", text, re.M)]
    check(ends == list(CRASHES.values()), f"crash: ended by {ends}", text)
    check(len(re.findall(r"^tiny: pid \d+ \(crash\) killed: ", text, re.M)) == len(CRASHES), "crash: messages", text)
    expect(text, "crash", r"page fault at 0x4000\w+, write of 0x00100000, not allowed$",
           r"page fault at 0x4000\w+, read of 0x00100000, not allowed$",
           r"page fault at 0x4000\w+, write of 0x40000000, not allowed$",
           r"page fault at 0x00000000, read of 0x00000000, not mapped$",
           r"page fault at 0x4000\w+, write of 0x5ffe\w+, not mapped$",
           r"general protection at 0x4000\w+, error code 0x0$", r"general protection .*, error code 0x102$",
           r"general protection .*, error code 0x10$", r"^alive$")
    used = re.findall(r"(\d+) KiB used", text)
    check(len(used) == 2 and used[0] == used[1], f"crash: memory used before and after: {used}", text)


def test_holes():
    status, text = run("holes")
    check(status == 0, f"holes: exit status {status}", text)
    expect(text, "holes", r"^sgdt +base 0x0010\w+, limit 0x002f: the kernel's own$",
           r"^sidt +base 0x0010\w+, limit 0x07ff: the kernel's own$", r"^sldt +0x0000: the kernel's own$",
           r"^str +0x0028: the kernel's own$", r"^smsw +0x0015, .*: the kernel's own$",
           r"^pushf +0x00000\w\w\w: interrupts are on, IOPL is 0$", r"^popf .* still on: no fault$",
           r"^mov cs +0x001b: this is ring 3$", r"^lar lsl verr verw .*: no no no no, no fault$")


def test_sharing():
    """Two burners and the shell share the CPU fairly; killed ones give everything back."""
    status, text = run("mem;spin;spin;sleep 2;ps;kill 2;kill 3;ps;mem")
    check(status == 0, f"spin: exit status {status}", text)
    burnt = [int(n) for n in re.findall(r"^ .* ready +(\d+) +\d+ spin$", text, re.M)]
    check(len(burnt) == 2 and min(burnt) > 70 and max(burnt) - min(burnt) <= 10, f"spin: ticks {burnt}", text)
    expect(text, "spin", r"^\[2\] spin$", r"^\[3\] spin$", r"^\[2\] killed$", r"^\[3\] killed$")
    check(text.count(" spin\n") == 4, "spin: gone after kill", text)
    used = re.findall(r"(\d+) KiB used", text)
    check(len(used) == 2 and used[0] == used[1], f"spin: memory used before and after: {used}", text)


def test_machine():
    status, text = run("date", "-rtc", "base=2024-02-29T12:34:56")
    expect(text, "date", r"^2024-02-29 12:34:5[678]$")
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    status, text = run("date")
    found = re.search(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)$", text, re.M)
    late = (datetime.datetime.fromisoformat(found[1]) - now).total_seconds() if found else None
    check(found and -2 < late < WAIT, f"date: {late} s from the host's", text)
    status, text = run("reboot;echo not reached", "-no-reboot")
    check(status == 0, f"reboot with -no-reboot: exit status {status}", text)
    check(text.count("timer at 100 Hz") == 1 and "not reached" not in text, "reboot ends", text)
    for size in ("8", "64", "1024"):
        status, text = run("primes 8388607;mem", memory=size)
        total = re.search(r"(\d+) KiB of memory", text)
        check(status == 0 and "564163 primes" in text, f"-m {size}", text)
        check(total and 0 <= int(size) * 1024 - int(total[1]) <= 256, f"-m {size}: size", text)


class Session:
    """An interactive session on a pseudo-terminal."""

    def __init__(self):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvp(RING1, command())
        self.text = ""

    def wait(self, pattern, seconds=WAIT):
        """Waits for output that matches, consumes all up to its end, returns the match (None: too late)."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text, re.M)
            if found:
                self.text = self.text[found.end():]
                return found
            ready = select.select([self.terminal], [], [], max(end - time.monotonic(), 0))[0]
            try:
                data = os.read(self.terminal, 4096) if ready else b""
            except OSError:  # the other end is closed
                data = b""
            if not data:
                check(False, f"session: waiting for /{pattern}/", self.text)
                return None
            self.text += data.decode(errors="replace").replace("\r", "")

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def uptime(self):
        """(host's seconds, guest's ticks)"""
        self.type("uptime\r")
        found = self.wait(r"^up [\d.]+ s: (\d+) ticks.*\n")
        now = time.monotonic()
        self.wait("^tiny> ")
        return now, int(found[1]) if found else 0

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        """The exit status; what still runs after 10 s is ended and answers None."""
        for _ in range(100):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.1)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return None


def compare_clocks(s, how):
    began, first = s.uptime()
    cpu = s.cpu_seconds()
    time.sleep(SECONDS)
    cpu = s.cpu_seconds() - cpu
    ended, last = s.uptime()
    rate = (last - first) / (ended - began)
    print(f"{how}: {rate:.2f} ticks per second, {100 * cpu / (ended - began):.1f} % of a core")
    check(abs(rate / 100 - 1) < TOLERANCE, f"{how}: {rate:.2f} ticks per second")
    check(how == "busy" or JUDGE or cpu < IDLE_SHARE * SECONDS, f"{how}: {cpu:.2f} s of CPU time in {SECONDS} s")


def test_session():
    s = Session()
    s.wait("^Type 'help' for the commands.\n")
    s.wait("^tiny> ")
    s.type("echo hallq\x7fo\r")  # with a mistake, corrected
    s.wait("^hallo\ntiny> ")
    s.type("nonsense\x15echo again\r")  # Ctrl-U
    s.wait("^again\ntiny> ")
    s.type("half a line\x03")
    s.wait(r"\^C\ntiny> ")
    s.type("echo 1\recho 2\recho 3\r")  # typed ahead
    s.wait("^3\ntiny> ")
    compare_clocks(s, "idle")
    s.type("spin\r")
    s.wait(r"^\[\d+\] spin\ntiny> ")
    compare_clocks(s, "busy")
    began = time.monotonic()
    s.type("sleep 1000\r")
    time.sleep(0.5)
    s.type("\x03")
    s.wait(r"^\^C\n\[\d+\] killed\ntiny> ")
    check(time.monotonic() - began < 10, "Ctrl-C ends the program in front")
    s.type("reboot\r")
    s.wait("^restarting\n")
    s.wait("timer at 100 Hz\n")
    s.wait("^tiny> ")
    s.type("ps\r")
    s.wait("^    1      0 running .* shell\ntiny> ")
    s.type("poweroff\r")
    s.wait("^turning off\n")
    status = s.end()
    check(status == 0, f"session: exit status {status}")


for test in (test_commands, test_crash, test_holes, test_sharing, test_machine, test_session):
    print(test.__name__)
    test()
print(f"{passes} ok, {len(failures)} failed")
sys.exit(1 if failures else 0)
