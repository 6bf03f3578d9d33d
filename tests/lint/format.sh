#!/bin/sh
# SPDX-License-Identifier: MIT
# format.sh - clang-format agrees with the layout of every C file. Usage: format.sh SOURCE_ROOT
set -eu
cd "$1"
git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format-14 --dry-run -Werror 2>&1 | head -n 40 >"${TMPDIR:-/tmp}/format.$$" || true
if [ -s "${TMPDIR:-/tmp}/format.$$" ]; then
    cat "${TMPDIR:-/tmp}/format.$$"
    rm -f "${TMPDIR:-/tmp}/format.$$"
    echo "run: git ls-files '*.c' '*.h' | xargs clang-format -i"
    exit 1
fi
rm -f "${TMPDIR:-/tmp}/format.$$"
