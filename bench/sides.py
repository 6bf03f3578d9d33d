# SPDX-License-Identifier: MIT
"""One running bench32 that measures rows on demand: a process of this machine, or one in a guest of ring1 or QEMU.

A Side's `out` has
    problems  [text]
    guest     seconds from begin to end by the clock of the system that bench32 runs on
    host      the same by this machine's clock
and for guests
    init      seconds from the start of the process to the first line of /init; init_cpu: the process's CPU time then
    shell     the same to the first line of the shell's command
    memory    bytes of the process beyond guest RAM at the end, see guests.memory_beyond_ram()
    stats     ring1's counters (-stats), {} for QEMU
"""
import os
import subprocess
import tempfile
import threading
import time
from typing import NamedTuple

import guests
from guests import Failed


class Parser:
    """Takes bench32's lines as they come; `now` is the time of arrival on this machine."""

    def __init__(self):
        self.begin = None
        self.row = None  # the last row's {"rate", "mean", "unit", "check"}
        self.out = {"problems": [], "guest": None, "host": None, "init": None, "shell": None}

    def line(self, text, now, start=0.0):
        """Returns the kind of the line, None if it is not bench32's."""
        words = text.split()
        if len(words) < 2 or words[0] != "bench32":
            return None
        kind, out = words[1], self.out
        if kind == "init" and out["init"] is None:
            out["init"] = now - start
        elif kind == "begin":
            self.begin, out["shell"] = now, now - start
        elif kind == "row" and len(words) == 7:
            try:
                self.row = {"rate": float(words[3]), "unit": words[4], "check": words[5], "mean": float(words[6])}
            except ValueError:
                out["problems"].append("unreadable: " + text.strip())
        elif kind == "end" and self.begin is not None and len(words) == 3 and words[2].isdigit():
            out["guest"], out["host"] = int(words[2]) / 1e9, now - self.begin
        elif kind not in ("open", "skip", "close"):
            out["problems"].append(text.strip())
        return kind


class Host(NamedTuple):
    cpus: tuple       # (the one to measure on, the set of those to wait on)
    timeout: float    # seconds for a process
    nice: int         # its priority; 0: as it is


class Side:
    """A context: the process ends with it. `host` says how a process of this machine is to run."""

    def __init__(self, name, command, host, folder):
        self.name, self.cpus, self.nice, self.folder = name, host.cpus, host.nice, folder
        self.parser, self.tail, self.place = Parser(), [], None
        self.out = self.parser.out
        with open(os.path.join(folder.name, "errors"), "wb") as errors:
            self.start = time.monotonic()
            self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                                          preexec_fn=self.prepare)
        self.watchdog = threading.Timer(host.timeout, self.child.kill)
        self.watchdog.start()

    def first_cpus(self):
        return {self.cpus[0]}

    def prepare(self):
        """In the new process. Linux weighs sessions against each other (sched_autogroup), then the processes of one."""
        os.sched_setaffinity(0, self.first_cpus())
        if self.nice:
            os.setsid()
            os.setpriority(os.PRIO_PROCESS, 0, self.nice)
            if os.path.exists("/proc/self/autogroup"):
                with open("/proc/self/autogroup", "w") as f:
                    f.write(str(self.nice))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.watchdog.cancel()
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()
        self.folder.cleanup()

    def said(self):
        """What the process wrote to its standard error."""
        with open(os.path.join(self.folder.name, "errors"), errors="replace") as f:
            return f.read()

    def wait_for(self, *kinds):
        """Reads lines until one is of these kinds; returns the kind."""
        for raw in self.child.stdout:
            text = raw.decode(errors="replace")
            self.tail = self.tail[-30:] + [text]
            kind = self.parser.line(text, time.monotonic(), self.start)
            self.saw(kind)
            if kind in kinds:
                return kind
            if kind == "failed":
                break
        lines = "".join(self.tail[-15:]) + self.said()
        raise Failed(f"{self.name}: bench32 did not come to {' or '.join(kinds)}; the last lines were\n{lines}")

    def saw(self, kind):
        pass

    def ask(self, order, *kinds):
        try:
            self.child.stdin.write(order.encode() + b"\n")
            self.child.stdin.flush()
        except OSError:
            pass  # it has ended: the reading explains
        return self.wait_for(*kinds)

    def move(self, cpus):
        """All threads to these CPUs."""
        if self.place == cpus:
            return
        for thread in os.listdir(f"/proc/{self.child.pid}/task"):
            try:
                os.sched_setaffinity(int(thread), cpus)
            except OSError:
                pass  # the thread has ended
        self.place = cpus

    def cpu_ms(self):
        return 1000 * guests.cpu_of(self.child.pid)

    def open(self, row):
        """Sets the row up; whether it can run there."""
        return self.ask("open " + row, "open", "skip") == "open"

    def run(self, ms):
        """Measures the open row: {"rate", "mean", "unit", "check"}, None if its results were wrong."""
        return self.parser.row if self.ask(f"run {ms}", "row", "wrong") == "row" else None

    def close(self):
        self.ask("close", "close")

    def awake(self):
        """Its turn."""

    def asleep(self):
        """The turn of others."""

    def finish(self):
        """Ends bench32 and what it runs in."""
        self.ask("end", "end")
        self.child.stdin.close()
        self.child.stdout.read()
        self.child.wait()
        return self.out


class Native(Side):
    def __init__(self, binary, host):
        folder = tempfile.TemporaryDirectory(dir="/dev/shm")
        super().__init__("native", [binary, "-s", "-d", folder.name], host, folder)
        self.wait_for("begin")


class Guest(Side):
    """Boots on all CPUs. An idle guest executes its ticks: while others measure, it does that on the other CPUs, if
    there are any."""

    def __init__(self, name, program, options, images, binary, host):
        folder = tempfile.TemporaryDirectory()
        initrd = os.path.join(folder.name, "initrd")
        guests.make_initrd(images, binary, initrd)
        self.qemu = program == guests.QEMU
        command = guests.guest_command(program, os.path.join(images, "vmlinuz-686"), initrd, options)
        super().__init__(name, command, host, folder)
        self.out.update(init_cpu=None, memory=None, stats={})
        try:
            self.wait_for("begin")
        except BaseException:
            self.__exit__()
            raise

    def first_cpus(self):
        return {self.cpus[0]} | self.cpus[1]

    def saw(self, kind):
        if kind == "init":
            self.out["init_cpu"] = guests.cpu_of(self.child.pid)

    def awake(self):
        self.move({self.cpus[0]})

    def asleep(self):
        self.move(self.cpus[1])

    def finish(self):
        self.out["memory"] = guests.memory_beyond_ram(self.child.pid)
        super().finish()
        if not self.qemu:
            self.out["stats"] = guests.stats_of(self.said())
        return self.out
