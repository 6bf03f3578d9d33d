#!/bin/sh
# SPDX-License-Identifier: MIT
# docs.sh RING1 SOURCE_ROOT - the man page lists exactly the options that the program has, in its words; the completion
# scripts are valid and know every option.
set -u
ring1=$1
root=$2
failed=0

fail() {
    echo "FAIL: $*"
    failed=1
}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

"$ring1" help --mdoc >"$tmp/mdoc" || fail "ring1 help --mdoc"
sed -n '/^\.Sh OPTIONS OF RUN/,/^\.Sh KEYS/p' "$root/docs/ring1.1" | sed '1d;$d' >"$tmp/page"
cmp -s "$tmp/mdoc" "$tmp/page" || fail "docs/ring1.1 differs from 'ring1 help --mdoc': $(diff "$tmp/mdoc" "$tmp/page" | head -3)"

"$ring1" completion bash >"$tmp/bash" || fail "ring1 completion bash"
bash -n "$tmp/bash" || fail "the bash completion has a syntax error"
"$ring1" completion zsh >"$tmp/zsh" || fail "ring1 completion zsh"
if command -v zsh >/dev/null 2>&1; then
    zsh -n "$tmp/zsh" || fail "the zsh completion has a syntax error"
fi
"$ring1" run --help >"$tmp/help" || fail "ring1 run --help"
for option in kernel initrd append m serial device no-reboot exec cache-size accel bt sandbox d D; do
    grep -q -- "-$option" "$tmp/help" || fail "-$option is missing in the help"
    grep -q -- "-$option " "$tmp/bash" || fail "-$option is missing in the bash completion"
    grep -q -- "'\*-$option\[" "$tmp/zsh" || fail "-$option is missing in the zsh completion"
done
got=$(bash -c '. "$0"; COMP_WORDS=(ring1 run -seri); COMP_CWORD=2; _ring1; echo "${COMPREPLY[*]}"' "$tmp/bash")
[ "$got" = "-serial" ] || fail "completing -seri gives '$got'"
got=$(bash -c '. "$0"; COMP_WORDS=(ring1 r); COMP_CWORD=1; _ring1; echo "${COMPREPLY[*]}"' "$tmp/bash")
[ "$got" = "run" ] || fail "completing 'r' gives '$got'"
got=$(bash -c '. "$0"; COMP_WORDS=(ring1 holes ex); COMP_CWORD=2; _ring1; echo "${COMPREPLY[*]}"' "$tmp/bash")
[ "$got" = "explain" ] || fail "completing 'holes ex' gives '$got'"
for args in "--help" "help" "help run" "run -h" "run -cpu help" "run -d help" "run -device help" "run -M help" "run -bt help" "--version" \
    "version" "run -version"; do
    # shellcheck disable=SC2086
    "$ring1" $args >"$tmp/out" 2>"$tmp/err" || fail "ring1 $args: status $?"
    [ -s "$tmp/out" ] || fail "ring1 $args printed nothing"
    [ -s "$tmp/err" ] && fail "ring1 $args wrote to standard error"
done
[ $failed = 0 ] && echo "docs: ok"
exit $failed
