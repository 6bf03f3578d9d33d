#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""terminal.py RING1 SOURCE_ROOT [OPTION...] - the command as its user meets it: keys, signals, the terminal's state on every way
out, exit statuses, pipes, files, sockets and ptys as consoles. Needs as and ld."""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time

RING1, ROOT = os.path.abspath(sys.argv[1]), sys.argv[2]
MODE = sys.argv[3:]  # options for every run
TMP = tempfile.TemporaryDirectory()
GUEST = os.path.join(TMP.name, "echo.elf")
EXIT = ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]
TIMEOUT = 20
results = []


def check(name, good, detail=""):
    results.append(bool(good))
    if not good:
        print(f"FAIL: {name} {detail}", flush=True)


def build():
    obj = os.path.join(TMP.name, "echo.o")
    subprocess.run(["as", "--32", "-o", obj, os.path.join(ROOT, "tests/cli/echo.S")], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-Ttext=0x400000", "-o", GUEST, obj], check=True)


def read_until(fd, want, timeout=TIMEOUT):
    """Output up to and including `want`; what there was when time is over."""
    out = b""
    end = time.monotonic() + timeout
    while want not in out and time.monotonic() < end:
        if not select.select([fd], [], [], 0.2)[0]:
            continue
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        out += data
    return out


class Run:
    """ring1 on a terminal of its own."""

    def __init__(self, *options):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        pid = os.fork()
        if pid == 0:
            for n in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
                signal.signal(n, signal.SIG_DFL)  # whoever started us may ignore them, and that is inherited
            os.setsid()
            os.close(self.master)
            import fcntl

            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.execv(RING1, [RING1, "run", *MODE, "-kernel", GUEST, "-m", "16", *options])
        self.pid = pid
        self.out = read_until(self.master, b"ready")

    def raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def send(self, data):
        os.write(self.master, data)

    def wait(self):
        """The exit status as a shell shows it; the terminal must be as before."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.restored = termios.tcgetattr(self.slave) == self.before
                if select.select([self.master], [], [], 0)[0]:
                    self.out += os.read(self.master, 65536)
                os.close(self.master)
                os.close(self.slave)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.restored = False
        return "timeout"


def ways_out():
    table = [
        ("Ctrl-A x", lambda r: r.send(b"\x01x"), 0),
        ("Ctrl-A X", lambda r: r.send(b"\x01X"), 0),
        ("isa-debug-exit", lambda r: r.send(b"q"), 7),
        ("SIGTERM", lambda r: os.kill(r.pid, signal.SIGTERM), 143),
        ("SIGINT", lambda r: os.kill(r.pid, signal.SIGINT), 130),
        ("SIGHUP", lambda r: os.kill(r.pid, signal.SIGHUP), 129),
        ("SIGQUIT", lambda r: os.kill(r.pid, signal.SIGQUIT), 131),
        *[(s, lambda r, s=s: os.kill(r.pid, getattr(signal, s)), 128 + getattr(signal, s)) for s in
          ("SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR", "SIGRTMIN", "SIGRTMAX")],
        ("signal 32", lambda r: os.kill(r.pid, 32), 128 + 32),
        ("SIGSEGV", lambda r: os.kill(r.pid, signal.SIGSEGV), 1),
        ("SIGABRT", lambda r: os.kill(r.pid, signal.SIGABRT), 1),
        ("SIGBUS", lambda r: os.kill(r.pid, signal.SIGBUS), 1),
        ("SIGFPE", lambda r: os.kill(r.pid, signal.SIGFPE), 1),
        ("SIGILL", lambda r: os.kill(r.pid, signal.SIGILL), 1),
    ]
    for name, action, want in table:
        r = Run("-nographic", *EXIT)
        check(name + ": starts", b"ready" in r.out, repr(r.out))
        check(name + ": raw", r.raw())
        action(r)
        got = r.wait()
        check(name, got == want, f"status {got}, expected {want}")
        check(name + ": terminal restored", r.restored)


def no_signal_is_forgotten():
    """Caught or ignored is every signal that would end the process: all but those which by default do nothing or stop it,
    and the two that nobody can catch."""
    r = Run("-nographic")
    with open(f"/proc/{r.pid}/status") as f:
        masks = dict(line.split(":", 1) for line in f)
    ours = int(masks["SigCgt"], 16) | int(masks["SigIgn"], 16)
    harmless = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU}
    left = [n for n in range(1, 65) if not ours >> (n - 1) & 1 and n not in harmless]
    check("signals that would end ring1 unseen", not left, str(left))
    for n in (signal.SIGPIPE, signal.SIGXFSZ):
        os.kill(r.pid, n)
    r.send(b"z")
    check("SIGPIPE and SIGXFSZ are nothing", b"z" in read_until(r.master, b"z"))
    r.send(b"\x01x")
    check("after them", r.wait() == 0 and r.restored)


def keys():
    r = Run("-nographic")
    r.send(b"a\x03\x1ab\x01\x01c")
    out = read_until(r.master, b"c")
    check("Ctrl-C, Ctrl-Z and Ctrl-A Ctrl-A reach the guest", out == b"a\x03\x1ab\x01c", repr(out))
    r.send(b"\x01h")
    out = read_until(r.master, b"send Ctrl-A\r")
    check("Ctrl-A h helps", b"Ctrl-A X" in out, repr(out))
    r.send(b"h")
    check("halted for good is said", b"interrupts off" in read_until(r.master, b"interrupts off"))
    r.send(b"\x01x")
    check("Ctrl-A x while halted for good", r.wait() == 0)
    r = Run("-nographic")
    r.send(b"f")
    read_until(r.master, b"." * 100)
    time.sleep(0.5)  # nobody reads now: the guest is paused, we are not
    r.send(b"\x01x")
    time.sleep(0.3)
    read_until(r.master, b"never", 1)
    check("Ctrl-A x in a flood", r.wait() == 0)
    r = Run("-serial", "stdio")
    r.send(b"\x03")
    check("Ctrl-C with plain stdio ends ring1", r.wait() == 130)
    check("plain stdio: restored", r.restored)


def job_control():
    r = Run("-nographic")
    os.kill(r.pid, signal.SIGTSTP)
    _, status = os.waitpid(r.pid, os.WUNTRACED)
    check("SIGTSTP stops", os.WIFSTOPPED(status))
    check("stopped: restored", not r.raw())
    os.kill(r.pid, signal.SIGCONT)
    end = time.monotonic() + TIMEOUT
    while not r.raw() and time.monotonic() < end:
        time.sleep(0.01)
    check("continued: raw", r.raw())
    r.send(b"z")
    check("continued", b"z" in read_until(r.master, b"z"))
    r.send(b"\x01x")
    check("after job control", r.wait() == 0 and r.restored)


def resets():
    r = Run("-nographic", *EXIT)
    for key, what in ((b"r", "reset"), (b"t", "triple fault")):
        r.send(key)
        check(what + " restarts", b"ready" in read_until(r.master, b"ready"))
    r.send(b"q")
    check("after resets", r.wait() == 7)
    for key in (b"r", b"t"):
        r = Run("-nographic", "-no-reboot")
        r.send(key)
        check("-no-reboot", r.wait() == 0 and r.restored)


def run_plain(options, data=b"", timeout=TIMEOUT):
    return subprocess.run([RING1, "run", *MODE, "-kernel", GUEST, "-m", "16", *options], input=data, timeout=timeout,
                          capture_output=True)


def pipes_and_files():
    p = run_plain(["-nographic", *EXIT], b"blue" + b"x" * 3000 + b"q")
    check("pipe in, pipe out", p.returncode == 7 and b"blue" + b"x" * 3000 + b"q" in p.stdout, repr(p.stdout[:80]))
    check("nothing on standard error", p.stderr == b"", repr(p.stderr))
    p = subprocess.Popen([RING1, "run", *MODE, "-kernel", GUEST, "-m", "16", "-nographic"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE)
    read_until(p.stdout.fileno(), b"ready\r\n")
    time.sleep(0.3)
    check("end of input does not end the guest", p.poll() is None)
    p.terminate()
    check("SIGTERM without a terminal", p.wait(TIMEOUT) == 143)
    log = os.path.join(TMP.name, "log")
    p = subprocess.Popen([RING1, "run", *MODE, "-kernel", GUEST, "-m", "16", "-serial", "file:" + log, "-display", "none"])
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end and not (os.path.exists(log) and b"ready" in open(log, "rb").read()):
        time.sleep(0.05)
    p.terminate()
    check("file console", p.wait(TIMEOUT) == 143 and open(log, "rb").read() == b"ready\r\n")


def talk(name, fd):
    os.write(fd, b"m")
    check(name, b"m" in read_until(fd, b"m"))
    os.write(fd, b"q")


def sockets_and_ptys():
    path = os.path.join(TMP.name, "sock")
    p = subprocess.Popen([RING1, "run", *MODE, "-kernel", GUEST, "-m", "16", *EXIT, "-serial", f"unix:{path},server"],
                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    check("says that it waits", b"waiting" in read_until(p.stderr.fileno(), b"\n"))
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    check("server: output", b"ready" in read_until(s.fileno(), b"ready\r\n"))
    talk("server: echo", s.fileno())
    check("server: status", p.wait(TIMEOUT) == 7)
    check("server: socket removed", not os.path.exists(path))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    p = subprocess.Popen([RING1, "run", *MODE, "-kernel", GUEST, "-m", "16", *EXIT, "-serial", f"unix:{path}"])
    s, _ = listener.accept()
    check("client: output", b"ready" in read_until(s.fileno(), b"ready\r\n"))
    talk("client: echo", s.fileno())
    check("client: status", p.wait(TIMEOUT) == 7)
    p = subprocess.Popen([RING1, "run", *MODE, "-kernel", GUEST, "-m", "16", *EXIT, "-serial", "pty"], stderr=subprocess.PIPE)
    said = read_until(p.stderr.fileno(), b"\n")
    name = re.search(rb"/dev/pts/\d+", said)
    check("pty: named", name, repr(said))
    if name:
        fd = os.open(name.group(), os.O_RDWR | os.O_NOCTTY)
        check("pty: output", b"ready" in read_until(fd, b"ready"))
        talk("pty: echo", fd)
        check("pty: status", p.wait(TIMEOUT) == 7)
    p.kill()


def server(path, *more):
    return subprocess.Popen([RING1, "run", *MODE, "-kernel", GUEST, "-m", "16", *EXIT, "-serial", f"unix:{path},server{''.join(more)}"],
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)


def sockets_of_others():
    """A socket on which another process listens is left alone; one that nobody listens on is replaced; ours is removed on
    every way out, and only ours."""
    path = os.path.join(TMP.name, "live")
    for sig, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 138), (signal.SIGABRT, 1)):
        p = server(path)
        read_until(p.stderr.fileno(), b"\n")
        check(f"{sig.name} before the first client: listens", os.path.exists(path))
        p.send_signal(sig)
        check(f"{sig.name} before the first client", p.wait(TIMEOUT) == status and not os.path.exists(path))
    p = server(path, ",nowait")
    end = time.monotonic() + TIMEOUT
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.02)
    other = server(path)
    said = read_until(other.stderr.fileno(), b"\n")
    check("another ring1's socket", other.wait(TIMEOUT) == 1 and b"the name is in use" in said and os.path.exists(path), repr(said))
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    talk("the other one goes on", s.fileno())
    check("and ends", p.wait(TIMEOUT) == 7 and not os.path.exists(path))
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        left = socket.socket(socket.AF_UNIX, kind)
        left.bind(path)
        p = server(path)
        said = read_until(p.stderr.fileno(), b"\n")
        check(f"bound, {kind}", p.wait(TIMEOUT) == 1 and b"the name is in use" in said and os.path.exists(path), repr(said))
        left.close()
        p = server(path)
        said = read_until(p.stderr.fileno(), b"\n")
        check(f"left over, {kind}", b"waiting" in said, repr(said))
        os.unlink(path)  # somebody takes the name
        with open(path, "wb") as f:
            f.write(b"mine")
        p.terminate()
        check("another's file under our name stays", p.wait(TIMEOUT) == 143 and os.path.exists(path))
        p = server(path)
        said = read_until(p.stderr.fileno(), b"\n")
        check("a file of that name", p.wait(TIMEOUT) == 1 and b"the name is in use" in said and os.path.exists(path), repr(said))
        os.unlink(path)
    p = server(path, ",nowait")
    s = socket.socket(socket.AF_UNIX)
    while s.connect_ex(path):
        time.sleep(0.02)
    os.rename(path, path + "2")
    other = server(path, ",nowait")
    while not os.path.exists(path):
        time.sleep(0.02)
    p.terminate()
    check("the successor's socket stays", p.wait(TIMEOUT) == 143 and os.path.exists(path))
    other.terminate()
    check("until it ends", other.wait(TIMEOUT) == 143 and not os.path.exists(path))


def main():
    build()
    for part in (ways_out, no_signal_is_forgotten, keys, job_control, resets, pipes_and_files, sockets_and_ptys,
                 sockets_of_others):
        part()
    print(f"terminal: {sum(results)} of {len(results)} ok")
    sys.exit(0 if all(results) else 1)


main()
