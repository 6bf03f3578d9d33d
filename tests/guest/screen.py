#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What guests leave on the screen, seen from outside. Usage: screen.py SCREEN GUEST_DIR

Text mode: the page that vga_text.S filled and scrolled, as characters and as a picture of its two colours; a graphics mode by its size.
"""
import os
import subprocess
import sys
import tempfile


def run(screen, kernel, picture, execution):
    options = ["-kernel", kernel, "-m", "32", "-display", "none", "-serial", "none", "-no-reboot", "-exec", execution,
               "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]
    done = subprocess.run([screen, picture, "0", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=120, check=True)
    with open(picture, "rb") as f:
        kind, width, height, most, pixels = f.read().split(maxsplit=4)
    assert (kind, most) == (b"P6", b"255") and len(pixels) >= int(width) * int(height) * 3, (kind, width, height)
    return done.stdout.split("\n"), int(width), int(height), pixels


def main():
    screen, guests = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        picture = os.path.join(folder, "picture.ppm")
        for execution in "interpret", "translate":
            lines, width, height, pixels = run(screen, os.path.join(guests, "vga_text.elf"), picture, execution)
            assert lines[:2] == ["status 1", "text 80 by 25, cursor 79 24"], lines[:2]
            assert lines[4:27] == ["|" + "AB" * 40 + "|"] * 23, lines
            assert (width, height) == (720, 400), (width, height)
            bottom = pixels[720 * 3 * 200:720 * 3 * 380]
            colours = {bottom[i:i + 3] for i in range(0, len(bottom), 3)}
            assert colours == {b"\0\0\xaa", b"\xff\xff\xff"}, colours
        lines, width, height, _ = run(screen, os.path.join(guests, "vga_planar.elf"), picture, "translate")
        assert lines[1] == "graphics" and (width, height) == (640, 480), lines[:2]
    print("as expected")


main()
