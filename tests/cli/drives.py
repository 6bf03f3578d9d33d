#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Images of disks, from outside: what cannot be opened ends in one sentence, one image has one writer, a machine that is
killed leaves no lock, no server and no temporary file. Usage: drives.py RING1 TINY_ELF
"""
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

RING1, TINY = sys.argv[1:3]
PATIENCE = 60
problems, count = [], 0


def command(*options):
    return [RING1, "run", "-kernel", TINY, "-display", "none", "-vga", "none", *options]


def refused(says, *options):
    """One sentence on standard error, status 1."""
    global count
    count += 1
    done = subprocess.run(command(*options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=PATIENCE)
    lines = done.stderr.split("\n")[:-1]
    if done.returncode != 1 or done.stdout or len(lines) != 1 or says not in done.stderr:
        problems.append(f"{options}: status {done.returncode}, expected '{says}': {done.stderr[:500]}")


class Machine:
    """One that runs until it is ended; it has its drives when its greeting is there."""

    def __init__(self, *options, env=None):
        self.process = subprocess.Popen(command(*options, "-serial", "stdio"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=env)
        self.greeting = self.process.stdout.read(1)

    def end(self, sig):
        self.process.send_signal(sig)
        self.process.stdin.close()
        self.process.stdout.read()
        self.said = self.process.stderr.read().decode()
        self.status = self.process.wait(PATIENCE)


def runs(what, *options, sig=signal.SIGTERM, env=None):
    """It starts; it is ended by a signal; nothing is said."""
    global count
    count += 1
    m = Machine(*options, env=env)
    m.end(sig)
    if not m.greeting or m.said or m.status != (-sig if sig == signal.SIGKILL else 128 + sig):
        problems.append(f"{what}: {m.status}, {m.greeting}, said: {m.said}")


def check_refusals(image, folder):
    missing = os.path.join(folder, "missing")
    for options in (["-hda", missing], ["-cdrom", missing], ["-drive", f"file={missing},format=raw"]):
        refused("No such file", *options)
    refused("is a directory", "-hda", folder)
    refused("neither a file nor a disk", "-hda", "/dev/null")
    refused("does not lie in it", "-drive", f"file={image},format=raw,offset=2M")
    refused("multiples of 512", "-drive", f"file={image},format=raw,offset=100")
    refused("in use", "-hda", image, "-hdb", image)
    refused("no virtio drives yet", "-drive", f"file={image},if=virtio")
    refused("-hda needs a value", "-hda")
    if os.getuid():
        os.chmod(image, 0o444)
        refused("readonly=on", "-hda", image)
        os.chmod(image, 0)
        refused("Permission denied", "-cdrom", image)
        os.chmod(image, 0o644)


def check_locks(image):
    first = Machine("-hda", image)
    refused("in use", "-hda", image)
    refused("writes to", "-cdrom", image)
    first.end(signal.SIGKILL)
    runs("after a kill", "-hda", image)
    reader = Machine("-cdrom", image)
    runs("two readers", "-cdrom", image)
    runs("a reader and a temporary copy", "-hda", image, "-snapshot")
    refused("in use", "-hda", image)
    reader.end(signal.SIGTERM)


def servers(image):
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path) as f:
                args = f.read().split("\0")
        except OSError:  # it has just ended
            continue
        if args[0] == "qemu-nbd" and image in args:
            found.append(path)
    return found


def check_server(folder):
    """qemu-nbd, by Debian's qemu-utils, ends with us however we end."""
    image = os.path.join(folder, "disk,1.qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "8M"], check=True)
    named = "file=" + image.replace(",", ",,")
    for sig in (signal.SIGTERM, signal.SIGKILL):
        m = Machine("-drive", named)
        if len(servers(image)) != 1:
            problems.append(f"servers while the machine runs: {servers(image)}")
        refused("lock", "-drive", named)
        m.end(sig)
        until = time.monotonic() + PATIENCE
        while servers(image) and time.monotonic() < until:
            time.sleep(0.05)
        if servers(image):
            problems.append(f"a server is left after signal {sig}")
    runs("qcow2 with a sandbox that reports", "-drive", named, "-sandbox", "report")


def main():
    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "disk.img")
        with open(image, "wb") as f:
            f.write(bytes(range(256)) * 4096)
        env = dict(os.environ, TMPDIR=os.path.join(folder, "tmp"))
        os.mkdir(env["TMPDIR"])
        check_refusals(image, folder)
        check_locks(image)
        for cache in ("writeback", "writethrough", "none", "directsync", "unsafe"):
            m = Machine("-drive", f"file={image},format=raw,cache={cache}")
            m.end(signal.SIGTERM)
            if not m.greeting or m.status != 128 + signal.SIGTERM:
                problems.append(f"cache={cache}: {m.status}, said: {m.said}")
        runs("four drives", "-hda", image, "-snapshot", "-cdrom", image, "-drive", f"file={image},format=raw,readonly=on",
             "-device", "ide-cd", env=env)
        runs("a sandbox that reports", "-hda", image, "-sandbox", "report")
        runs("killed", "-snapshot", "-hda", image, sig=signal.SIGKILL, env=env)
        if shutil.which("qemu-nbd") and shutil.which("qemu-img") and "libnbd" in sys.argv[3:]:
            check_server(folder)
        if os.listdir(env["TMPDIR"]):
            problems.append(f"temporary files are left: {os.listdir(env['TMPDIR'])}")
        with open(image, "rb") as f:
            if f.read() != bytes(range(256)) * 4096:
                problems.append("the image has changed")
    print("\n".join(problems) if problems else f"drives: {count} ok")
    return 1 if problems else 0


sys.exit(main())
