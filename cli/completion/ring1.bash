# SPDX-License-Identifier: MIT
# bash completion for ring1: the program itself knows its options (include/ring1/option.def).
# Install as <prefix>/share/bash-completion/completions/ring1, or source it.
if command -v ring1 >/dev/null 2>&1; then
    eval "$(ring1 completion bash)"
fi
