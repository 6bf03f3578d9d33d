#!/bin/sh
# SPDX-License-Identifier: MIT
#
# zydis-freestanding.sh OUTDIR [CC] - builds OUTDIR/libzydis.a for programs without a libc.
#
# Debian ships Zydis as a shared library only. This fetches Debian's own source package through apt, with lists,
# caches and configuration of its own under OUTDIR (the system's sources and package state stay as they are; works
# as root or not), and compiles it against libzycore-dev's headers. Does nothing when OUTDIR is up to date.
# Needs: apt, dpkg-dev, libzydis-dev, libzycore-dev, a C compiler, ar.
# Symbols left undefined in the archive: memcpy, memmove, memset, memcmp at most.
set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: $0 OUTDIR [CC]" >&2
    exit 2
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
cc=${2:-cc}
flags="-std=c11 -O2 -ffreestanding -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -mno-red-zone
 -ffunction-sections -fdata-sections -w -DNDEBUG -DZYAN_NO_LIBC -DZYCORE_STATIC_BUILD -DZYDIS_STATIC_BUILD
 -DZYDIS_DISABLE_ENCODER"

fail() {
    echo "zydis-freestanding: $*" >&2
    exit 1
}

version=$(dpkg-query -W -f '${source:Version}' libzydis-dev 2>/dev/null) || fail "libzydis-dev is not installed"
dpkg-query -W libzycore-dev >/dev/null 2>&1 || fail "libzycore-dev is not installed"
stamp="$version $($cc --version | head -n 1) $(cksum <"$0")"
if [ -f "$out/libzydis.a" ] && [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

# The machine's own Debian sources, as source entries, in a directory of ours.
make_sources() {
    rm -rf "$out/apt"
    mkdir -p "$out/apt/parts" "$out/apt/state/lists/partial" "$out/apt/cache/archives/partial"
    : >"$out/apt/sources.list"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$file" ] || continue
        sed -n 's/^deb\(-src\)\{0,1\}[[:space:]]/deb-src /p' "$file" | grep -i debian | sort -u \
            >>"$out/apt/sources.list" || :
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        grep -qi '^URIs:.*debian' "$file" || continue
        sed 's/^[Tt]ypes:.*/Types: deb-src/' "$file" >"$out/apt/parts/$(basename "$file")"
    done
}

apt_private() {
    apt-get -q -o Dir::Etc::sourcelist="$out/apt/sources.list" -o Dir::Etc::sourceparts="$out/apt/parts" \
        -o Dir::State="$out/apt/state" -o Dir::State::status=/var/lib/dpkg/status \
        -o Dir::Cache="$out/apt/cache" -o APT::Sandbox::User="$(id -un)" -o APT::Get::List-Cleanup=0 "$@"
}

fetch_source() {
    make_sources
    apt_private update >"$out/apt/log" 2>&1 || cat "$out/apt/log" >&2
    rm -rf "$out/source"
    mkdir "$out/source"
    (cd "$out/source" && apt_private source "zydis=$version") >>"$out/apt/log" 2>&1 ||
        { cat "$out/apt/log" >&2; fail "apt could not fetch the source of zydis $version"; }
}

[ -f "$out/source/fetched-$version" ] || {
    fetch_source
    : >"$out/source/fetched-$version"
}
src=$(ls -d "$out"/source/zydis-*/ | head -n 1)
[ -f "$src/src/Decoder.c" ] || fail "the source package has no src/Decoder.c"

rm -rf "$out/obj" "$out/libzydis.a"
mkdir "$out/obj"
for file in "$src"src/*.c; do
    case $(basename "$file") in
    Encoder*.c | Disassembler.c) continue ;;
    esac
    # shellcheck disable=SC2086 # the flags are words
    $cc $flags -I"$src/include" -I"$src/src" -c "$file" -o "$out/obj/$(basename "$file" .c).o"
done
ar rcs "$out/libzydis.a" "$out"/obj/*.o
echo "$stamp" >"$out/stamp"
