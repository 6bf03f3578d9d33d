# SPDX-License-Identifier: MIT
"""What compare.py measures ring1 against: groups of rows, and the least (or most) that each must reach."""

# The word before the dot of a row's name, and what it stands for in the table of groups.
GROUPS = {
    "int": "integer", "branch": "branches", "call": "calls", "bytecode": "bytecode interpreters", "x87": "x87",
    "sse2": "SSE2 scalar", "simd": "SIMD", "mem": "memory", "sys": "system call", "proc": "processes",
    "mm": "faults and mappings", "signal": "signals", "file": "files", "smc": "self-modifying code",
}
USER = ["int.*", "branch.*", "call.*", "bytecode.*", "x87.*", "sse2.*", "simd.*", "mem.*"]
KERNEL = ["proc.*", "mm.*", "signal.*", "file.*"]

# (what, rows, compared with, "mean" (geometric) or "each", at least)
RATES = [
    ("user-level rows, geometric mean of native", USER, "native", "mean", 0.75),
    ("user-level rows, each of native", USER, "native", "each", 0.45),
    ("calls and bytecode interpreters, each of native", ["call.*", "bytecode.*"], "native", "each", 0.6),
    ("system call, times QEMU", ["sys.*"], "qemu", "each", 2.0),
    ("kernel-heavy rows, each times QEMU", KERNEL, "qemu", "each", 1.0),
    ("self-modifying and JIT rows, each times QEMU", ["smc.*"], "qemu", "each", 2.0),
]

# (what, the measurement, at most)
LIMITS = [
    ("boot to /init, of QEMU's time", "boot_ratio", 0.5),
    ("boot to the shell, of QEMU's time", "shell_ratio", 0.5),
    ("translator, cycles per guest instruction", "translate_cycles", 2000.0),
    ("memory beyond guest RAM, MiB", "memory_mib", 128.0),
]

# How long a row's program must have run before it is measured, in milliseconds of its process's CPU time. The large
# arrays need passes for the guest's page tables and ring1's windows; new processes need theirs.
WARM_MS = 150
WARM_LONG_MS = 600
WARM_LONG = ["mem.stream", "mem.*_64m", "proc.*", "mm.*", "file.*"]

# The guest's clock against the host's: a larger share of difference than this makes its rates doubtful. Lines may
# also arrive some seconds' fraction late, if the machine is busy.
CLOCK_TOLERANCE = 0.02
CLOCK_SLACK = 0.1
