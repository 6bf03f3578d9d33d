#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Starts SeaBIOS without a kernel and without a disk. Usage: firmware.py RING1 ENGINE

Its messages on the debug port say what it found on the board; the same text comes on the serial port with -nographic. Then it is
reset by the guest's own means: SeaBIOS does that after its time for a retry is over, so the time is cut short by a small ROM of our
own, which is made here and resets through each of port 0xcf9, port 0x92, the keyboard controller and a triple fault.
"""
import os
import re
import subprocess
import sys
import tempfile

RING1, ENGINE = sys.argv[1:3]
WAIT = 300
failures = 0


def check(good, what, text=""):
    global failures
    if not good:
        failures += 1
        print(f"FAIL {what}\n{text}")


def run(options, until):
    """Starts a guest; returns (what it wrote until `until` matched or it ended, its status or None)."""
    line = [RING1, "run", "-exec", ENGINE, "-m", "32", "-monitor", "none", *options]
    p = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = b""
    try:
        while not re.search(until, text):
            piece = os.read(p.stdout.fileno(), 65536)
            if not piece:
                break
            text += piece
    finally:
        p.terminate()
        p.wait()
    return text.decode(errors="replace").replace("\r", ""), p.returncode


def messages():
    text, _ = run(["-display", "none", "-serial", "none", "-debugcon", "stdio", "-global", "isa-debugcon.iobase=0x402"],
                  rb"No bootable device")
    for pattern in (r"SeaBIOS \(version ", r"Found QEMU fw_cfg", r"fw_cfg DMA interface supported",
                    r"qemu/e820: addr 0x0+ len 0x0*2000000 \[RAM\]", r"init bdf=00:01\.3 id=8086:7113",
                    r"Using 00:02\.0 for primary VGA", r"Found 1 cpu\(s\)", r"ACPI: parse DSDT at",
                    r"Start SeaVGABIOS", r"VBE DISPI: lfb_addr=fd000000, size 16 MB", r"Turning on vga text mode",
                    r"PS2 keyboard initialized", r"No bootable device"):
        check(re.search(pattern, text), f"SeaBIOS says /{pattern}/", text)


def console():
    text, _ = run(["-nographic"], rb"No bootable device")
    check("SeaBIOS (version" in text and "Booting from" in text, "the screen's text on the serial port", text)


RESETS = {
    "port 0xcf9": "66 ba f9 0c  b0 06  ee",
    "port 0x92": "b0 01  e6 92",
    "keyboard controller": "b0 fe  e6 64",
    "triple fault": "0f 01 1e 00 81  cd 00",  # an IDT with a limit of 0: lidt [0x8100]; int 0
}


def rom(code):
    """64 KiB. At each start it counts in CMOS byte 0x40, prints the count, and resets until it was started three times."""
    start = bytes.fromhex(
        "fa 31 c0 8e d8"        # cli; xor ax, ax; mov ds, ax
        "b0 40 e6 70 e4 71"     # CMOS byte 0x40
        "fe c0 88 c4"           # inc al; mov ah, al
        "b0 40 e6 70 88 e0 e6 71"
        "04 30 e6 e9"           # its digit on the debug port
        "80 fc 03 75 08"        # the third time:
        "b0 21 e6 e9 fa f4 eb fe"  # "!"; halt
    )
    body = start + bytes.fromhex(code.replace("66 ba", "ba")) + b"\xf4\xeb\xfd"
    image = bytearray(b"\xff" * 0x10000)
    image[0:len(body)] = body
    image[0xfff0:0xfff5] = b"\xea\x00\x00\x00\xf0"  # jmp f000:0000
    return bytes(image)


def resets():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rom.bin")
        for name, code in RESETS.items():
            with open(path, "wb") as f:
                f.write(rom(code))
            text, _ = run(["-bios", path, "-display", "none", "-serial", "none", "-vga", "none", "-debugcon", "stdio"],
                          rb"!")
            check(re.sub(r"ring1: .*\n", "", text).startswith("123!"), f"{name}: three starts", text)


def sentences():
    for options, words in ((["-bios", "/nonexistent.bin"], "cannot open the BIOS"), (["-bios", "no-such-bios"], "install Debian's"),
                           (["-bios", "/dev/null"], "whole pages"), (["-boot", "order=x"], "is no drive"),
                           (["-bios", "x", "-kernel", "y"], "without firmware")):
        done = subprocess.run([RING1, "run", "-display", "none", *options], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              timeout=WAIT)
        text = done.stderr.decode()
        check(done.returncode == 1 and words in text and text.count("\n") == 1, f"{' '.join(options)}: a sentence", text)


messages()
console()
resets()
sentences()
print(f"{failures} failures")
sys.exit(failures != 0)
