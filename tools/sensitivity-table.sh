#!/bin/sh
# SPDX-License-Identifier: MIT
#
# sensitivity-table.sh [ISA.DEF] - writes docs/sensitivity.md to standard output from decoder/isa.def.
# `tools/sensitivity-table.sh --check` compares instead: exit status 1 when docs/sensitivity.md is out of date.
set -eu
cd "$(dirname "$0")/.."

table() {
    cat <<'HEAD'
# Sensitivity of the IA-32 instruction set

Generated from `decoder/isa.def` by `tools/sensitivity-table.sh`; edit the table, not this page.

A virtual machine monitor that runs the guest's code deprivileged must treat each instruction by its class:

| class | meaning |
|---|---|
| IDENTICAL | same bytes, same meaning in translated code; MEMORY when the instruction has a memory operand |
| MEMORY | only its address form changes |
| STACK | uses esp implicitly |
| CONTROL | changes eip, or raises an exception |
| PRIVILEGED | traps above CPL 0 |
| IOPL | traps when CPL is above IOPL (CLI, STI), unless the I/O bitmap allows it (the others) |
| SENSITIVE | a hole: behaves differently when deprivileged, and does not trap |
| INVALID64 | needs another encoding in 64-bit mode |

"Robin and Irvine" marks the instructions found by J. S. Robin and C. E. Irvine, *Analysis of the Intel Pentium's
Ability to Support a Secure Virtual Machine Monitor* (2000). The other SENSITIVE ones are ours, with the reason.

"Needs" is the feature without which the row does not exist (`decoder/feature.def`); empty: every CPU model has it.

HEAD
    awk '
    /^INSN\(/ {
        line = $0
        note = line; sub(/^[^"]*"[^"]*"[^"]*"/, "", note); sub(/"\)$/, "", note)
        form = line; sub(/^[^"]*"/, "", form); sub(/".*/, "", form)
        class = line; sub(/^[^"]*"[^"]*", */, "", class)
        needs = class; sub(/^[^,]*, */, "", needs); sub(/,.*/, "", needs); if (needs == "I486") needs = ""
        sub(/,.*/, "", class)
        sub(/^INSN\(/, "", line)
        split(line, f, / *, */)
        split("||0F |0F 38 |0F 3A ", maps, "|")
        code = toupper(substr(f[3], 3)); last = toupper(substr(f[4], 3))
        if (code != last) code = code "-" last
        prefix = f[5] == "P66" ? "66 " : f[5] == "PF3" ? "F3 " : f[5] == "PF2" ? "F2 " : ""
        enc = prefix maps[f[2] + 2] code
        if (f[7] != "ANY") enc = enc " /" f[7]
        if (f[8] != "ANY") enc = enc " rm=" f[8]
        if (f[6] != "ANY") enc = enc (f[6] == "MEM" ? " mem" : " reg")
        gsub(/,/, ", ", form)
        rows[class]++
        text[class] = text[class] "| `" f[1] "` | " enc " | " form " | " needs " | " note " |\n"
    }
    END {
        n = split("SENSITIVE PRIVILEGED IOPL CONTROL STACK INVALID64 MEMORY IDENTICAL", order, " ")
        for (i = 1; i <= n; i++)
            printf "## %s (%d encodings)\n\n| operation | encoding | operands | needs | note |\n|---|---|---|---|---|\n%s%s", \
                order[i], rows[order[i]], text[order[i]], i < n ? "\n" : ""
    }' "${1:-decoder/isa.def}"
}

if [ "${1:-}" = --check ]; then
    table decoder/isa.def | cmp -s - docs/sensitivity.md || {
        echo "docs/sensitivity.md is out of date: run tools/sensitivity-table.sh >docs/sensitivity.md" >&2
        exit 1
    }
else
    table "$@"
fi
