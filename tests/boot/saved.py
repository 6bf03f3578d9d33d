#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A boot of Debian's kernel saved at random instructions, and loaded into fresh processes. Usage: saved.py SAVED GUEST_DIR [SEED]

SAVED is the program made of saved.c. Time is counted in instructions, so what follows a point is the same whoever executes it: the process
that saved goes on, a fresh one loads and translates, another loads and interprets. All must have executed as many instructions at the end, have
printed the same, and be in the same state: CPU, each chip, RAM. Then the files are damaged, and each is refused in one sentence.
"""
import gzip
import os
import random
import subprocess
import sys
import tempfile
import time

from linux import newc

SECONDS = 1500
ENGINES = ("translate", "interpret")
SCRIPT = b"uname -m; for n in 1 2 3; do /bin/true | cat; done; awk 'BEGIN { print 1 / 3 }'; cat /proc/interrupts; exit 0"
TO_THE_END = 10**9


def points(rng):
    """For each engine that saves: (point, instructions behind it, instructions to the end)."""
    return {
        "translate": [("early", rng.randrange(1500000), 5000000), ("unpacking", rng.randrange(20000000), 5000000),
                      ("kernel", rng.randrange(300000000), 10000000), ("user", rng.randrange(12000000), TO_THE_END)],
        "interpret": [("early", rng.randrange(1500000), 5000000), ("kernel", rng.randrange(100000000), 10000000)],
    }


class Saved:
    def __init__(self, program, guest, folder):
        self.head = [program, os.path.join(guest, "vmlinuz-686"), os.path.join(folder, "initrd")]
        with open(os.path.join(guest, "initrd.gz"), "rb") as f:
            base = f.read()
        with open(self.head[2], "wb") as f:
            f.write(base + gzip.compress(newc("ring1-command", SCRIPT)))

    def run(self, engine, *arguments):
        """{FILE: the lines about its end}, {FILE: the sentence with which it was refused}"""
        done = subprocess.run([*self.head, engine, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=SECONDS, check=False)
        demand(done.returncode == 0, f"{engine} {arguments} ends with {done.returncode}", done.stdout)
        ends, refused, name = {}, {}, None
        for line in done.stdout.split("\n"):
            word, _, rest = line.partition(" ")
            if word == "PLACE":
                print(line, flush=True)
            elif word == "REFUSED":
                name, _, refused[name] = rest.partition(" ")
            elif word == "END":
                name, _, what = rest.partition(" ")
                ends[name] = [what]
            elif word == "section":
                ends[name].append(rest)
        return ends, refused


def demand(good, what, more=""):
    if not good:
        print(f"not so: {what}\n{more}")
        sys.exit(1)


def same(saved, folder, rng):
    """Returns a snapshot's name."""
    for saver, where in points(rng).items():
        files = [os.path.join(folder, f"{saver}.{point}") for point, _, _ in where]
        ends, _ = saved.run(saver, "visit", *(f"{p}:{skip}:{run}:{f}" for (p, skip, run), f in zip(where, files)))
        for (point, skip, run), name in zip(where, files):
            demand(len(ends.get(name, ())) > 20, f"{saver} came to {point} + {skip}", ends)
            if run == TO_THE_END:
                demand("reason 3 " in ends[name][0] and int(ends[name][0].split()[9]) > 20, "it turned itself off", ends[name][0])
            for loader in ENGINES:
                start = time.time()
                loaded, refused = saved.run(loader, "load", f"{run}:{name}")
                demand(not refused, f"{loader} loads {name}", refused)
                differ = [f"{a}   {b}" for a, b in zip(ends[name], loaded[name]) if a != b]
                demand(not differ, f"saved by {saver} at {point} + {skip}, loaded by {loader}: the same end", "\n".join(differ))
                print(f"{saver} -> {loader}, {point}: {ends[name][0]}; {time.time() - start:.1f} s", flush=True)
    return files[0]


def damaged(saved, folder, name, rng):
    """Files that are not what was saved."""
    with open(name, "rb") as f:
        good = f.read()
    cases = {"empty": b"", "short": good[:20], "cut": good[:rng.randrange(len(good))], "longer": good + b"x",
             "twice": good + good[:61 + 36]}
    version, flipped = bytearray(good), bytearray(good)
    version[16] += 1
    flipped[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
    cases |= {"version": bytes(version), "flipped": bytes(flipped)}
    for case, data in cases.items():
        bad = os.path.join(folder, case)
        with open(bad, "wb") as f:
            f.write(data)
        for engine in ENGINES:
            ends, refused = saved.run(engine, "load", f"1000:{bad}")
            demand(not ends and len(refused.get(bad, "").split()) > 3, f"{case} is refused with a sentence", (ends, refused))
        print(f"{case}: {refused[bad]}")
    # A machine that has refused takes the next.
    ends, refused = saved.run(ENGINES[0], "load", f"1000:{bad}", f"1000:{name}")
    demand(list(ends) == [name] and list(refused) == [bad], "the good one is loaded after the bad one", (ends, refused))


def main():
    program, guest = sys.argv[1:3]
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time())
    if not os.path.exists(os.path.join(guest, "initrd.gz")):
        print(f"{guest} holds no guest: run tools/debian-guest {guest}")
        return 1
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        saved = Saved(program, guest, folder)
        damaged(saved, folder, same(saved, folder, rng), rng)
    print("passed")
    return 0


sys.exit(main())
