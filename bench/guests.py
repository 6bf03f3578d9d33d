# SPDX-License-Identifier: MIT
"""Runs bench32: as a process of this machine, or in a Debian guest of ring1 or QEMU.

run_native() and run_guest() return one dictionary:
    rows    {name: {"rate", "mean", "unit", "check"}}      skipped  [name]     problems  [text]
    guest   seconds from begin to end by the clock of the system that bench32 ran on
    host    the same by this machine's clock
and for guests
    init    seconds from the start of the process to the first line of /init; init_cpu: the process's CPU time then
    shell   the same to the first line of the shell's command
    memory  bytes of the process beyond guest RAM, see memory_beyond_ram()
    stats   ring1's counters (-stats), {} for QEMU
"""
import fnmatch
import glob
import gzip
import os
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
QEMU = "qemu-system-i386"
RAM_MIB = 256
FLAGS = ["-m32", "-march=i686", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes",
         "-Wmissing-prototypes", "-Werror", "-fno-pie", "-fno-stack-protector", "-fno-math-errno",
         # Loops stay what the source says: not calls of memcpy, not vectors.
         "-fno-tree-vectorize", "-fno-tree-loop-distribute-patterns"]
SPECIAL = {"x87.c": ["-mfpmath=387"], "sse.c": ["-msse2", "-mfpmath=sse"]}


class Failed(Exception):
    """Something that ends the benchmark; the text is for the user."""


def build(folder):
    """Compiles bench32 into the folder, if a source is newer. Returns its path."""
    os.makedirs(folder, exist_ok=True)
    sources = sorted(glob.glob(os.path.join(HERE, "programs", "*.c")))
    inputs = sources + glob.glob(os.path.join(HERE, "programs", "*.h")) + [os.path.abspath(__file__)]
    binary = os.path.join(folder, "bench32")
    if os.path.exists(binary) and all(os.path.getmtime(f) < os.path.getmtime(binary) for f in inputs):
        return binary
    objects = []
    for source in sources:
        name = os.path.basename(source)
        objects.append(os.path.join(folder, name[:-2] + ".o"))
        compile_line = ["gcc", *FLAGS, *SPECIAL.get(name, []), "-c", source, "-o", objects[-1]]
        if subprocess.run(compile_line, check=False).returncode:
            raise Failed(f"{name} does not compile; bench32 needs gcc with -m32 (tools/packages bench)")
    if subprocess.run(["gcc", "-m32", "-static", "-no-pie", "-o", binary, *objects], check=False).returncode:
        raise Failed("bench32 does not link; it needs a static 32-bit C library (tools/packages bench)")
    return binary


class Parser:
    """Takes bench32's lines as they come; `now` is the time of arrival on this machine."""

    def __init__(self):
        self.begin = None
        self.out = {"rows": {}, "skipped": [], "problems": [], "guest": None, "host": None, "init": None, "shell": None}

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
                out["rows"][words[2]] = {"rate": float(words[3]), "unit": words[4], "check": words[5],
                                         "mean": float(words[6])}
            except ValueError:
                out["problems"].append("unreadable: " + text.strip())
        elif kind == "skip":
            out["skipped"] += words[2:3]
        elif kind == "end" and self.begin is not None and len(words) == 3 and words[2].isdigit():
            out["guest"], out["host"] = int(words[2]) / 1e9, now - self.begin
        else:
            out["problems"].append(text.strip())
        return kind


def finish(parser, who, tail):
    """The parser's result, if bench32 came to its end."""
    if parser.out["guest"] is None:
        raise Failed(f"{who}: bench32 did not end; the last lines were\n" + "".join(tail[-15:]))
    return parser.out


def run_native(binary, rows, ms, timeout):
    parser, tail = Parser(), []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        child = subprocess.Popen([binary, "-r", rows, "-m", str(ms), "-d", folder], stdout=subprocess.PIPE, text=True)
        watchdog = threading.Timer(timeout, child.kill)
        watchdog.start()
        for line in child.stdout:
            tail.append(line)
            parser.line(line, time.monotonic())
        child.wait()
        watchdog.cancel()
    return finish(parser, "native", tail)


def newc(files):
    """A cpio archive (newc) of (name, mode, data)."""
    def entry(name, mode, data):
        fields = (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = ("070701" + "".join(f"{n:08x}" for n in fields) + name).encode() + b"\0"
        return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
    return b"".join(entry(*f) for f in files) + entry("TRAILER!!!", 0, b"")


def make_initrd(images, binary, rows, ms, path):
    """The demo's initramfs, with bench32 as /init (it continues as busybox's) and as the one command."""
    command = f"exec >/dev/ttyS0 2>&1\n/init -r '{rows}' -m {ms} -d /tmp\nsleep 2\n"
    with open(binary, "rb") as f:
        program = f.read()
    with open(os.path.join(images, "initrd.gz"), "rb") as f:
        base = f.read()
    more = newc([("init", 0o100755, program), ("ring1-command", 0o100644, command.encode())])
    with open(path, "wb") as f:
        f.write(base + gzip.compress(more, 1))


def mappings(pid):
    """The process's mappings: (bytes of addresses, device and inode, name, Pss in bytes)."""
    found = []
    with open(f"/proc/{pid}/smaps") as f:
        for line in f:
            word = line.split()
            if not word[0].endswith(":"):
                low, high = (int(x, 16) for x in word[0].split("-"))
                found.append([high - low, (word[3], word[4]), " ".join(word[5:]), 0])
            elif word[0] == "Pss:":
                found[-1][3] = int(word[1]) * 1024
    return found


def memory_beyond_ram(pid):
    """Pss of all mappings but those of guest RAM, plus the page tables. Guest RAM is ring1's memfd (every window onto
    it is RAM), or the one mapping of about its size that has no file (QEMU). Pss counts a page once however often the
    process maps it, so windows onto other memory do not count twice."""
    found, size = mappings(pid), RAM_MIB << 20
    ram = [m for m in found if "guest-ram" in m[2]] or [m for m in found if size <= m[0] < size + (4 << 20) and m[3]]
    files = {m[1] for m in ram if m[1][1] != "0"}
    total = sum(m[3] for m in found if m[1] not in files and m not in ram)
    with open(f"/proc/{pid}/status") as f:
        return total + sum(int(line.split()[1]) * 1024 for line in f if line.startswith("VmPTE:"))


def cpu_of(pid):
    """Seconds of CPU time of all threads."""
    with open(f"/proc/{pid}/stat") as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def stats_of(text):
    """Counters of `ring1 run -stats`: {name: value}."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[1].isdigit():
            found[words[0]] = int(words[1])
    return found


def guest_command(program, kernel, initrd, options):
    common = ["-m", str(RAM_MIB), "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 quiet",
              "-display", "none", "-serial", "stdio", "-serial", "null", "-no-reboot"]
    if program == QEMU:
        return [QEMU, "-accel", "tcg", "-monitor", "none", "-net", "none", *common]
    return [program, "run", "-stats", *common, *options]


def run_guest(program, options, images, binary, rows, ms, timeout):
    """One boot, one run of bench32 in it, one power-off."""
    parser, tail, memory, cpu = Parser(), [], None, None
    with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "errors"), "w+") as errors:
        initrd = os.path.join(folder, "initrd")
        make_initrd(images, binary, rows, ms, initrd)
        command = guest_command(program, os.path.join(images, "vmlinuz-686"), initrd, options)
        start = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                                 errors="replace")
        watchdog = threading.Timer(timeout, child.kill)
        watchdog.start()
        for line in child.stdout:
            tail.append(line)
            kind = parser.line(line, time.monotonic(), start)
            if kind == "init":
                cpu = cpu_of(child.pid)
            elif kind == "end":
                memory = memory_beyond_ram(child.pid)
        child.wait()
        watchdog.cancel()
        errors.seek(0)
        said = errors.read()
    result = finish(parser, " ".join([program, *options]), tail + [said])
    result.update(memory=memory, init_cpu=cpu, stats={} if program == QEMU else stats_of(said))
    return result


def in_rows(name, patterns):
    return any(fnmatch.fnmatchcase(name, p) for p in patterns)
