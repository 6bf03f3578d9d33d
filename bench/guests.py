# SPDX-License-Identifier: MIT
"""What bench32 runs in: the program itself, the guests' initramfs, and what a process of a guest costs."""
import fnmatch
import glob
import gzip
import os
import subprocess

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


def newc(files):
    """A cpio archive (newc) of (name, mode, data)."""
    def entry(name, mode, data):
        fields = (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = ("070701" + "".join(f"{n:08x}" for n in fields) + name).encode() + b"\0"
        return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
    return b"".join(entry(*f) for f in files) + entry("TRAILER!!!", 0, b"")


def make_initrd(images, binary, path):
    """The demo's initramfs, with bench32 as /init (it continues as busybox's) and as the one command: it takes its
    orders from the first serial port."""
    command = "exec </dev/ttyS0 >/dev/ttyS0 2>&1\n/init -s -d /tmp\n"
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


def row_names(binary, patterns):
    """The rows of bench32 that a pattern names, in its order."""
    listed = subprocess.run([binary, "-l"], stdout=subprocess.PIPE, text=True, check=True)
    return [line.split()[0] for line in listed.stdout.splitlines() if in_rows(line.split()[0], patterns)]


def in_rows(name, patterns):
    return any(fnmatch.fnmatchcase(name, p) for p in patterns)
