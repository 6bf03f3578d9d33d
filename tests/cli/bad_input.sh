#!/bin/sh
# SPDX-License-Identifier: MIT
# bad_input.sh RING1 - every option and every file given nonsense: status 1, nothing on standard output, and exactly one
# line on standard error that begins with "ring1: " and contains what the table says.
set -u
ring1=$1
count=0
failed=0
address_space=unlimited # KiB

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# bad PATTERN ARGUMENT...
bad() {
    local pattern=$1 status lines
    shift
    count=$((count + 1))
    (
        ulimit -v $address_space
        exec timeout 20 "$ring1" "$@"
    ) </dev/null >"$tmp/out" 2>"$tmp/err"
    status=$?
    lines=$(wc -l <"$tmp/err")
    if [ $status != 1 ] || [ "$lines" != 1 ] || [ -s "$tmp/out" ] || ! grep -q '^ring1: ' "$tmp/err" ||
        ! grep -qi -e "$pattern" "$tmp/err"; then
        failed=$((failed + 1))
        echo "FAIL: ring1 $*: status $status, $lines lines, expected '$pattern':"
        head -c 600 "$tmp/err"
    fi
}

le32() {
    # shellcheck disable=SC2059
    printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)))"
}
poke() { # FILE OFFSET: standard input
    dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# Kernels: a Linux image that has all it needs but sense, and a multiboot one.
k=$tmp/linux
head -c 16384 /dev/zero >"$k"
printf '\003' | poke "$k" $((0x1f1))
le32 512 | poke "$k" $((0x1f4))
printf '\125\252' | poke "$k" $((0x1fe))
printf '\146HdrS\017\002' | poke "$k" $((0x201))
printf '\001' | poke "$k" $((0x211))
le32 $((0x100000)) | poke "$k" $((0x214))
le32 $((0x7fffffff)) | poke "$k" $((0x22c))
le32 255 | poke "$k" $((0x238))
le32 $((0x100000)) | poke "$k" $((0x258))
le32 $((0x2000000)) | poke "$k" $((0x260))

mb=$tmp/multiboot
head -c 4096 /dev/zero >"$mb"
printf '\177ELF\001\001\001' | poke "$mb" 0
printf '\003' | poke "$mb" 18
le32 52 | poke "$mb" 28
printf '\040\000\001' | poke "$mb" 42
le32 1 | poke "$mb" 52
le32 $((0x400000)) | poke "$mb" 64
le32 4096 | poke "$mb" 68
le32 8192 | poke "$mb" 72
le32 $((0x1badb002)) | poke "$mb" 256
le32 $((-0x1badb002)) | poke "$mb" 264

: >"$tmp/empty"
echo "hello" >"$tmp/text"
head -c 100000 /dev/urandom >"$tmp/noise"
head -c 40000000 /dev/zero >"$tmp/big"
mkdir "$tmp/dir"

# Commands
bad "command"
bad "unknown command 'rnu'; did you mean run" rnu
bad "after a command" -kernel x
bad "unknown command" help nonsense
bad "ring1 help" help run more
bad "completion" completion fish
bad "takes no argument" version 1

# Options
bad "is not found; install" run -bios no-such-firmware
bad "did you mean -kernel" run -kernal x
bad "did you mean -nographic" run --nographix
bad "unknown option" run -frobnicate
bad "unknown option" run --
bad "no option" run vmlinuz
bad "no option" run -
for option in kernel initrd append m cpu smp machine M rtc device name serial debugcon display vga monitor parallel net nic \
    exec cache-size accel bt sandbox d D; do
    bad "-$option needs a value" run -$option
done
for option in kernel initrd name D; do
    bad "not empty" run -$option ""
done
for option in no-reboot no-shutdown nographic stats nodefaults no-acpi; do
    bad "takes no value" run -$option=1
done
for size in 0 -1 x 1Q 12MM 5000 4G 1k size= size=1,x "" 1e3 99999999999999999999; do
    bad "^ring1: -m " run -kernel "$k" -m "$size"
done
for option in cpu smp machine rtc device serial debugcon display vga monitor parallel net exec cache-size accel bt sandbox d; do
    for value in nonsense "" "," "="; do
        bad "^ring1: -$option " run -kernel "$k" -$option "$value"
    done
done
bad "one CPU" run -kernel "$k" -smp 4
bad "isa-debug-exit and pc-testdev" run -kernel "$k" -device virtio-net
bad "iobase" run -kernel "$k" -device isa-debug-exit,iobase=99999
bad "did you mean translate" run -kernel "$k" --exec=translat
bad "did you mean chain" run -kernel "$k" --bt chian=off
bad "1 to 1024 MiB" run -kernel "$k" --cache-size 2G
bad "only its translator" run -kernel "$k" -accel kvm
bad "no parts" run -kernel "$k" -sandbox on,spawn=allow
bad "more than one" run -kernel "$k" -serial stdio -serial mon:stdio
bad "4 serial" run -kernel "$k" -serial null -serial null -serial null -serial null -serial null
bad "cannot create" run -kernel "$k" -m 64 -serial file:/nonexistent/x
bad "cannot connect" run -kernel "$k" -m 64 -serial unix:/nonexistent/x
bad "cannot listen" run -kernel "$k" -m 64 -serial unix:/nonexistent/x,server,nowait
bad "too long" run -kernel "$k" -m 64 -serial "unix:/$(head -c 200 /dev/zero | tr '\0' x)"
bad "trace file" run -kernel "$k" -m 64 -d int -D /nonexistent/x

# Files
bad "cannot open the kernel" run -kernel /nonexistent/vmlinuz
bad "directory" run -kernel "$tmp/dir"
bad "empty" run -kernel "$tmp/empty"
bad "empty" run -kernel /dev/null
bad "neither" run -kernel "$tmp/text"
bad "neither" run -kernel "$tmp/noise"
bad "neither" run -kernel "$ring1"
bad "cannot open the initrd" run -kernel "$k" -m 64 -initrd /nonexistent/i
bad "directory" run -kernel "$k" -m 64 -initrd "$tmp/dir"
bad "empty" run -kernel "$k" -m 64 -initrd "$tmp/empty"
bad "use -m 33 or more" run -kernel "$k" -m 32
bad "kernel with its initrd needs at least 72 MiB" run -kernel "$k" -m 64 -initrd "$tmp/big"
bad "300 characters long; this kernel takes at most 255" run -kernel "$k" -m 64 -append "$(head -c 300 /dev/zero | tr '\0' x)"
bad "cannot open the module" run -kernel "$mb" -initrd /nonexistent/m
bad "use -m 5 or more" run -kernel "$mb" -m 4
bad "^ring1: 1.5 MiB of RAM is too small: this kernel needs at least 5 MiB" run -kernel "$mb" -m 1.5
bad "use -m 43 or more" run -kernel "$mb" -m 4 -initrd "$tmp/empty,$tmp/big"
for length in 600 1000 2047; do
    head -c $length "$k" >"$tmp/cut"
    bad "cut off" run -kernel "$tmp/cut" -m 64
done
head -c 4000 "$k" >"$tmp/cut"
bad "lacks" run -kernel "$tmp/cut" -m 64
head -c 3000 "$mb" >"$tmp/cut"
bad "cut off" run -kernel "$tmp/cut"
head -c 268 "$mb" >"$tmp/cut"
bad "cut off" run -kernel "$tmp/cut"
cp "$k" "$tmp/linux64"
printf '\001' | poke "$tmp/linux64" $((0x236))
bad "is a 64-bit one" run -kernel "$tmp/linux64" -m 64
cp "$k" "$tmp/real"
le32 0 | poke "$tmp/real" $((0x214))
bad "can only be entered in real mode" run -kernel "$tmp/real" -m 64
cp "$mb" "$tmp/elf64"
printf '\002' | poke "$tmp/elf64" 4
bad "64-bit" run -kernel "$tmp/elf64"
cp "$mb" "$tmp/features"
le32 8 | poke "$tmp/features" 260
le32 $((-0x1badb002 - 8)) | poke "$tmp/features" 264
bad "does not know (flags 0x8)" run -kernel "$tmp/features"
if [ "$(id -u)" != 0 ]; then
    cp "$k" "$tmp/secret"
    chmod 0 "$tmp/secret"
    bad "permission denied" run -kernel "$tmp/secret"
fi
if (ulimit -v 20000000 && "$ring1" -version) >"$tmp/out" 2>&1; then # not with sanitizers, which take more
    address_space=20000000
    bad "raise ulimit -v, or use -exec interpret" run -kernel "$mb" -m 8
    address_space=2000000
    bad "raise ulimit -v, or use -exec interpret" run -kernel "$mb" -m 8
    address_space=unlimited
fi

echo "bad input: $((count - failed)) of $count ok"
[ $failed = 0 ]
