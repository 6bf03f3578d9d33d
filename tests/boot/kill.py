#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Kills ring1 at random moments, many times: what the guest had flushed is in the image. Usage: kill.py RING1 SECTOR KILLS

SECTOR is kill.S: it writes a numbered block, flushes, says the number, and so on. That the processes end by a signal does not
take power from the host's disk, so this shows that ring1 holds nothing back; that a flush calls fdatasync, tests/unit shows.
"""
import os
import random
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time

RING1, SECTOR, KILLS = sys.argv[1], sys.argv[2], int(sys.argv[3])
BLOCKS, FIRST = 4096, 64
BOOT_SECONDS = 120
problems, said_in_all = [], 0


def make(path):
    with open(SECTOR, "rb") as f:
        sector = f.read()
    with open(path, "wb") as f:
        f.write(sector)
        f.truncate((FIRST + BLOCKS) * 512)


def start(options):
    return subprocess.Popen([RING1, "run", "-m", "16", "-display", "none", "-vga", "none", "-monitor", "none", "-serial", "stdio", *options],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def read_for(guest, text, seconds, until=None):
    """Appends what the guest says for that long, or until it matches."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not (until and re.search(until, text)):
        if select.select([guest.stdout], [], [], left)[0]:
            piece = os.read(guest.stdout.fileno(), 65536)
            if not piece:
                break
            text += piece
    return text


def numbers(text):
    return [int(line, 16) for line in re.findall(rb"^([0-9A-F]{8})\r?$", text, re.M)]


def block(image, number):
    with open(image, "rb") as f:
        f.seek((FIRST + number % BLOCKS) * 512)
        return struct.unpack("<128I", f.read(512))


def once(image, options, seconds):
    global said_in_all
    make(image)
    guest = start(options)
    text = read_for(guest, b"", BOOT_SECONDS, rb"00000003\r?\n")
    text = read_for(guest, text, seconds)
    guest.send_signal(signal.SIGKILL)
    text += guest.stdout.read()  # what was in the pipe had been said
    guest.wait()
    said = numbers(text)
    said_in_all += len(said)
    if len(said) < 4 or said != list(range(len(said))) or guest.returncode != -signal.SIGKILL:
        problems.append(f"{options}: ended with {guest.returncode}: {text[-300:]}")
        return
    for n in said[-BLOCKS + 1:]: # of a block that was in flight nobody knows
        if len(set(block(image, n))) != 1 or block(image, n)[0] not in (n, n + BLOCKS):
            problems.append(f"{options}: block {n} of {len(said)} that were said is not in the image: {block(image, n)[:4]}")
            return


def main():
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "disk.img")
        for i in range(KILLS):
            cache = ("writeback", "none", "writethrough")[i % 3]
            once(image, ["-drive", f"file={image},format=raw,cache={cache}"], chance.random() * 0.5)
    print("\n".join(problems) or f"{KILLS} kills, {said_in_all} blocks said and found")
    if problems:
        print(f"seed {seed}")
    return 1 if problems else 0


sys.exit(main())
