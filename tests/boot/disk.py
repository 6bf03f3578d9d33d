#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots Debian's kernel from media, the way a PC does: SeaBIOS, GRUB, IDE. Usage: disk.py RING1 GUEST_DIR [libnbd]

grub-mkrescue makes a medium that is a CD and a disk at once, of GUEST_DIR's kernel, initrd.gz and disk.gz (tools/debian-guest
GUEST_DIR disk). The guest's script comes in the initramfs; it speaks on the second serial port. What the guest wrote to its second
disk is looked at from outside.
"""
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
RING1, GUEST = sys.argv[1:3]
NBD = "libnbd" in sys.argv[3:] and shutil.which("qemu-img")
SECONDS = 240
DISK = 8 << 20
problems = []

# It does what the first bytes of the second disk say, and changes them for its next start.
SCRIPT = r"""
for m in $(cat /disk/order); do insmod /disk/$m.ko || echo "no $m"; done
# Linux looks at disks side by side: which is sda is chance, and their sizes tell them apart.
n=0 a= b= want=$(sed 's/.*disks=\([12]\).*/\1/' /proc/cmdline)
until [ "$(ls -d /sys/block/sd? 2>/dev/null | wc -l)" = "$want" ] || [ $n = 100 ]; do sleep 0.1; n=$((n + 1)); done
for d in /sys/block/sd?; do if [ "$(cat $d/size)" = 16384 ]; then b=/dev/${d##*/}; else a=/dev/${d##*/}; fi; done
case $(dd if=$b bs=8 count=1 2>/dev/null) in
write...)
    echo "first $(uname -m)"
    seq 1 20000 | dd of=$b bs=64k seek=1 conv=fsync 2>/dev/null
    mount -t iso9660 -o ro /dev/sr0 /tmp 2>/dev/null || mount -t iso9660 -o ro $a /tmp
    md5sum </tmp/boot/vmlinuz
    umount /tmp
    [ -z "$a" ] || dd if=$a bs=64k count=16 2>/dev/null | md5sum
    echo "again..." | dd of=$b bs=512 conv=sync,fsync 2>/dev/null
    sleep 0.2; reboot -f; sleep 100 ;;
again...)
    echo second; dd if=$b bs=64k skip=1 count=2 2>/dev/null | head -c 108894 | md5sum
    [ -z "$a" ] || { echo scribble | dd of=$a bs=512 seek=16 conv=sync,fsync 2>/dev/null && echo scribbled; } ;;
*) echo strange; od -c $b | head -n 2 ;;
esac
"""
WRITTEN = "".join(f"{i}\n" for i in range(1, 20001)).encode()


def demand(good, what, text=""):
    if not good:
        problems.append(what)
        print(f"FAIL {what}\n{text[-1500:]}", flush=True)


def newc(name, data):
    """One file as a cpio archive of format newc."""
    def entry(path, body, mode):
        head = "070701" + "".join(f"{n:08x}" for n in (1, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(path) + 1, 0))
        text = head.encode() + path.encode() + b"\0"
        text += b"\0" * (-len(text) % 4)
        return text + body + b"\0" * (-len(body) % 4)
    return entry(name, data, 0o100644) + entry("TRAILER!!!", b"", 0)


def make_medium(folder, name, menu):
    """A medium whose /boot holds the kernel and its initramfs; `menu` is what GRUB does."""
    root = os.path.join(folder, "root")
    os.makedirs(os.path.join(root, "boot/grub"), exist_ok=True)
    shutil.copy(os.path.join(GUEST, "vmlinuz-686"), os.path.join(root, "boot/vmlinuz"))
    with open(os.path.join(root, "boot/initrd"), "wb") as f:
        for part in ("initrd.gz", "disk.gz"):
            with open(os.path.join(GUEST, part), "rb") as g:
                f.write(g.read())
        f.write(gzip.compress(newc("ring1-command", SCRIPT.encode())))
    with open(os.path.join(root, "boot/grub/grub.cfg"), "w") as f:
        f.write(menu)
    image = os.path.join(folder, name)
    done = subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "--locales=", "--fonts=", "--themes=", "-o", image, root],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"grub-mkrescue: {done.stdout}")
    return image


LINUX = "set timeout=0\nmenuentry x {\n linux /boot/vmlinuz console=ttyS0 quiet disks=DISKS\n initrd /boot/initrd\n}\n"
SAYS = "serial --unit=1\nterminal_output serial\necho GRUB of NAME\nhalt\n"


def boot(folder, options, until=None):
    """(what came on the second serial port, on the first, status)"""
    console = os.path.join(folder, "console")
    guest = subprocess.Popen([RING1, "run", "-m", "256", "-display", "none", "-monitor", "none", "-serial", f"file:{console}",
                              "-serial", "stdio", *options],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    watchdog = threading.Timer(SECONDS, guest.kill)
    watchdog.start()
    text = b""
    while piece := os.read(guest.stdout.fileno(), 65536):
        text += piece
        if until and until in text:
            guest.terminate()
    status = guest.wait()
    watchdog.cancel()
    print(f"{' '.join(options)}: ended with {status}", flush=True)
    with open(console, errors="replace") as f:
        return text.decode(errors="replace").replace("\r", ""), f.read(), status


def file_md5(path, size=None):
    with open(path, "rb") as f:
        return hashlib.md5(f.read(size)).hexdigest()


def fresh(path, form="raw"):
    with open(path, "wb") as f:
        f.write(b"write...".ljust(512, b"\0"))
        f.truncate(DISK)
    if form != "raw":
        os.rename(path, path + ".raw")
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", form, path + ".raw", path], check=True)
    return path


def contents(path, form):
    if form != "raw":
        subprocess.run(["qemu-img", "convert", "-f", form, "-O", "raw", path, path + ".raw"], check=True)
        path += ".raw"
    with open(path, "rb") as f:
        return f.read()


def whole(folder, what, medium, options, second, form="raw", changed=False):
    """Two starts of the guest: it writes, reboots, reads what it wrote, scribbles on its first disk, turns itself off."""
    before = file_md5(medium)
    sda = file_md5(medium, 1 << 20)
    text, console, status = boot(folder, options)
    lines = text.split("\n")
    demand(status == 0, f"{what}: status {status}", console + text)
    demand(lines[0] == "first i686" and "second" in lines and ("scribbled" in lines) == changed, f"{what}: both starts", console + text)
    demand(file_md5(os.path.join(folder, "root/boot/vmlinuz")) in text, f"{what}: the medium's file system", text)
    if not what.startswith("CD"):
        demand(f"{sda}  -" in lines, f"{what}: the first disk as it is on the host", text)
    demand(f"{hashlib.md5(WRITTEN).hexdigest()}  -" in lines, f"{what}: read again after the reset", text)
    data = contents(second, form)
    demand(data[65536:65536 + len(WRITTEN)] == WRITTEN and data.startswith(b"again..."), f"{what}: what the host finds", text)
    demand((file_md5(medium) != before) == changed, f"{what}: the medium changed: {not changed}", text)


def main():
    with tempfile.TemporaryDirectory() as folder:
        cd, medium = (make_medium(folder, f"linux{n}.iso", LINUX.replace("DISKS", n)) for n in "12")
        second, spare = os.path.join(folder, "second.img"), os.path.join(folder, "spare.img")
        shutil.copy(medium, spare)
        whole(folder, "CD", cd, ["-cdrom", cd, "-hdb", fresh(second), "-boot", "d"], second)
        whole(folder, "disk", spare, ["-hda", spare, "-drive", f"file={fresh(second)},format=raw"], second, changed=True)
        shutil.copy(medium, spare)
        text, console, status = boot(folder, ["-snapshot", "-hda", spare, "-hdb", fresh(second)])
        demand("second" in text and "scribbled" in text and status == 0, "-snapshot: the guest reads what it wrote", console + text)
        demand(file_md5(spare) == file_md5(medium) and contents(second, "raw").startswith(b"write..."), "-snapshot: images unchanged")
        if NBD:
            form = "qcow2"
            whole(folder, form, spare, ["-hda", spare, "-hdb", fresh(second, form)], second, form, changed=True)
        order(folder)
    print(f"disk: {len(problems)} failures")
    return 1 if problems else 0


def order(folder):
    """A disk and a CD whose GRUB says which one it is."""
    disk, cd = (make_medium(folder, f"{name}.iso", SAYS.replace("NAME", name)) for name in ("disk", "cd"))
    drives = ["-hda", disk, "-cdrom", cd, "-snapshot"]
    for engine, options, says in (("translate", [], "disk"), ("translate", ["-boot", "d"], "cd"), ("interpret", ["-boot", "order=dc"], "cd"),
                                  ("translate", ["-boot", "order=c,once=d"], "cd"), ("lockstep", ["-boot", "order=c"], "disk")):
        want = f"GRUB of {says}"
        text, console, _ = boot(folder, ["-exec", engine, *drives, *options], want.encode())
        demand(want in text and text.count("GRUB of") == 1, f"{engine} {options}: {want}", console + text)


sys.exit(main())
