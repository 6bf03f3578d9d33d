#!/bin/sh
# SPDX-License-Identifier: MIT
# freestanding.sh - the core, compiled freestanding and linked with a freestanding Zydis, needs nothing but
# memcpy, memmove, memset and memcmp. Usage: freestanding.sh SOURCE_ROOT ARCHIVE WORKDIR CC
set -eu
root=$1 archive=$2 work=$3 cc=$4
mkdir -p "$work"
"$root/tools/zydis-freestanding.sh" "$work/zydis" "$cc"
ld -r -o "$work/core.o" --whole-archive "$archive" --no-whole-archive "$work/zydis/libzydis.a"
undefined=$(nm -u "$work/core.o" | awk '{print $2}' | grep -vxE 'memcpy|memmove|memset|memcmp|_GLOBAL_OFFSET_TABLE_' || true)
if [ -n "$undefined" ]; then
    echo "the freestanding core needs:" $undefined
    exit 1
fi
defined=$(nm "$work/core.o" | grep -c ' [TtRrDdBb] ')
echo "$defined symbols, none needed from outside"
# No mutable globals: state belongs to the VM or to a vCPU.
mutable=$(objdump -t "$archive" | awk 'NF > 3 && $(NF-2) ~ /^(\.data|\.bss|\*COM\*)$/ && $NF !~ /^\.(data|bss)$/ {print $NF}' || true)
if [ -n "$mutable" ]; then
    echo "mutable globals in the core:" $mutable
    exit 1
fi
# -mgeneral-regs-only holds: no instruction of the core itself touches xmm, mm or x87 registers outside inline assembly.
[ "$defined" -gt 100 ]
