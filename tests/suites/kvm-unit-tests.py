#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs kvm-unit-tests' 32-bit images under ring1 and prints a table. Usage: kvm-unit-tests.py RING1 DIR [NAME...]

DIR holds the .flat images (x86/ of a kvm-unit-tests tree configured with --arch=i386); docs/SUITES.md says how to make
them. Each row of CASES is one run: the image, its command line, and what is expected. The last line counts; the exit status
is 0 when every run ended as its row says. Images that are not in DIR are left out, images without a row are named.
RING1_SUITE_PATIENCE=N multiplies the time limits, for a busy machine.
"""
import os
import subprocess
import sys
import time

PASS, SKIP, FAIL, OTHER = "pass", "skip", "fail", "other"
OPTIONS = ["-nographic", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]

# name: (image, -append, seconds, expected, why it is not a pass)
# "pass" ends with code 0 and has no FAIL line; "skip" is the suite's own word for a feature that CPUID does not report;
# "other" ends in any other way, or not at all.
CASES = {
    "realmode": ("realmode", "", 30, PASS, ""),
    "emulator": ("emulator", "", 30, PASS, ""),
    "eventinj": ("eventinj", "", 30, PASS, ""),
    "taskswitch": ("taskswitch", "", 30, PASS, ""),
    "taskswitch2": ("taskswitch2", "", 30, PASS, ""),
    "cmpxchg8b": ("cmpxchg8b", "", 30, PASS, ""),
    "setjmp": ("setjmp", "", 30, PASS, ""),
    "smap": ("smap", "", 30, PASS, ""),
    "umip": ("umip", "", 30, PASS, ""),
    "la57": ("la57", "", 30, PASS, ""),
    "tsc_adjust": ("tsc_adjust", "", 30, PASS, ""),
    "smptest": ("smptest", "", 30, PASS, ""),
    "pmu": ("pmu", "", 30, PASS, ""),
    "dummy": ("dummy", "", 30, PASS, ""),
    "vmexit_cpuid": ("vmexit", "cpuid", 60, PASS, ""),
    "vmexit_mov_from_cr8": ("vmexit", "mov_from_cr8", 60, PASS, ""),
    "vmexit_mov_to_cr8": ("vmexit", "mov_to_cr8", 60, PASS, ""),
    "vmexit_inl_pmtimer": ("vmexit", "inl_from_pmtimer", 60, PASS, ""),
    "vmexit_ple_round_robin": ("vmexit", "ple_round_robin", 60, PASS, ""),
    "vmexit_tscdeadline": ("vmexit", "tscdeadline", 60, PASS, ""),
    "vmexit_tscdeadline_immed": ("vmexit", "tscdeadline_immed", 60, PASS, ""),
    "vmexit_cr0_wp": ("vmexit", "toggle_cr0_wp", 60, PASS, ""),
    "vmexit_cr4_pge": ("vmexit", "toggle_cr4_pge", 60, PASS, ""),
    "sieve": ("sieve", "", 300, PASS, ""),
    "tsc": ("tsc", "", 30, SKIP, "no RDTSCP, no RDPID: nothing is left to judge; TSC writes are printed"),
    "tsx-ctrl": ("tsx-ctrl", "", 30, SKIP, "no TSX"),
    "asyncpf": ("asyncpf", "", 30, SKIP, "no KVM paravirtualisation"),
    "kvmclock_test": ("kvmclock_test", "10000000 0", 30, SKIP, "no KVM paravirtualisation"),
    "hyperv_connections": ("hyperv_connections", "", 30, SKIP, "no Hyper-V interface"),
    "hyperv_stimer": ("hyperv_stimer", "", 30, SKIP, "no Hyper-V interface"),
    "hyperv_stimer_direct": ("hyperv_stimer", "direct", 30, SKIP, "no Hyper-V interface"),
    "hyperv_synic": ("hyperv_synic", "", 30, SKIP, "no Hyper-V interface"),
    "hypercall": ("hypercall", "", 30, FAIL, "VMCALL is #UD outside of KVM"),
    "hpet_read_test": ("hpet_read_test", "", 30, FAIL, "no HPET"),
    "vmexit_vmcall": ("vmexit", "vmcall", 30, OTHER, "VMCALL is #UD outside of KVM, and the test does not expect it"),
    "msr": ("msr", "", 30, OTHER, "sets EFER.SCE, which a CPU without SYSCALL refuses with #GP"),
    "s3": ("s3", "", 5, OTHER, "no S3 sleep: the DSDT has no \\_S3"),
    "init": ("init", "", 5, OTHER, "needs a BIOS with a warm-start vector, and sends INIT to self, which the SDM calls invalid"),
}


def summarize(text):
    """The numbers of PASS and FAIL lines, and the last line of the console."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    passes = sum(line.startswith("PASS") for line in lines)
    fails = sum(line.startswith("FAIL") for line in lines)
    return passes, fails, lines[-1] if lines else ""


def run(ring1, image, append, seconds):
    """One image: ("pass" and so on, PASS lines, FAIL lines, last line, seconds taken)."""
    command = [ring1, "run", *OPTIONS, "-kernel", image, "-append", append]
    start = time.time()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        text = child.communicate(timeout=seconds)[0]
        status = child.returncode
    except subprocess.TimeoutExpired:
        child.kill()
        text, status = child.communicate()[0], None
    passes, fails, last = summarize(text.decode(errors="replace"))
    # what isa-debug-exit makes of the codes that the suite writes for passed, failed and skipped
    result = {1: FAIL if fails else PASS, 3: FAIL, 77: SKIP}.get(status, OTHER)
    if "skipped" in last and not passes and not fails or last == "SUMMARY: 0 tests":
        result = SKIP
    if status is None:
        last = f"no end after {seconds} s; {last}"
    return result, passes, fails, last, time.time() - start


def main():
    if len(sys.argv) < 3:
        print(__doc__.split("\n\n")[0], file=sys.stderr)
        return 2
    ring1, folder, only = sys.argv[1], sys.argv[2], sys.argv[3:]
    patience = float(os.environ.get("RING1_SUITE_PATIENCE", "1"))
    for name in only:
        if name not in CASES:
            print(f"no such test: {name}", file=sys.stderr)
            return 2
    as_said = unlike = missing = 0
    print(f"{'test':26}{'result':8}{'PASS':>5}{'FAIL':>5}{'time':>8}  remark")
    for name, (image, append, seconds, expected, why) in CASES.items():
        path = os.path.join(folder, image + ".flat")
        if only and name not in only:
            continue
        if not os.path.exists(path):
            missing += 1
            continue
        result, passes, fails, last, took = run(ring1, path, append, seconds * patience)
        remark = why if result == expected else f"NOT AS EXPECTED ({expected}): {last}"
        print(f"{name:26}{result:8}{passes:5}{fails:5}{took:7.1f}s  {remark}".rstrip(), flush=True)
        as_said += result == expected
        unlike += result != expected
    known = {row[0] for row in CASES.values()}
    for file in sorted(os.listdir(folder)):
        if file.endswith(".flat") and file[:-5] not in known and not only:
            print(f"{file[:-5]:26}not run: no row in this script")
    print(f"{as_said} as expected, {unlike} not" + (f", {missing} not built" if missing else ""))
    return 1 if unlike or not as_said else 0


sys.exit(main())
