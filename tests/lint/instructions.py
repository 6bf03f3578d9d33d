#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One table of instructions: what is true of an instruction stands in decoder/, and what it does in its handler and emitter.

Usage: instructions.py SOURCE_ROOT

Finds, in the core outside decoder/:
  OP_<name>       in a file without handlers and emitters: a list of operations is a trait of op.def that has no column yet;
  in a switch     of more than ALIKE `case OP_x:` that share an answer, in any file: the same, even among handlers;
  opcode bytes    i->opcode, i->modrm or i->map compared with a number in a file without handlers and emitters.
A file has handlers or emitters when it defines an i_<handler> or t_<emitter> that op.def names, or a <file>_select() that
chooses among its own handlers.
"""
import os
import re
import subprocess
import sys

ALIKE = 3  # so many operations may share an answer: forms of one instruction (LOOP, LOOPE, LOOPNE)
CORE = ("boot/", "bt/", "devices/", "monitor/", "shadow-mmu/")
ROW = re.compile(r"^OP\((\w+), *(\w+), *(\w+), *([\w| ]+)\)", re.M)
SHORT = re.compile(r"^#define \w+\(name\) OP\(name, (\w+), (\w+),", re.M)
DEFINES = re.compile(r"\b([it]_\w+)\(struct (?:vcpu|tu) \*|\b\w+_select(?:_quick)?\(const struct insn \*i\)\n\{|\bi_##op\(")
NAMED = re.compile(r"\bOP_(?!INVALID\b|COUNT\b|##)[a-z]\w*")
BYTES = re.compile(r"->(?:opcode|modrm|map)\b[^;\n]*?(?:==|!=|(?<!<)<=?|(?<!>)>=?) (?:0x[0-9a-f]+|[0-9]+)\b")
SAYS = re.compile(r"\s*(?:return (?:true|false)|break);")
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def main():
    root = sys.argv[1]
    with open(os.path.join(root, "decoder/op.def")) as f:
        table = f.read()
    own = {"i_" + m[2] for m in ROW.finditer(table)} | {"t_" + m[3] for m in ROW.finditer(table)}
    own |= {"i_" + m[1] for m in SHORT.finditer(table)} | {"t_" + m[2] for m in SHORT.finditer(table)}
    own -= {"t_callout"}
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *CORE], cwd=root, stdout=subprocess.PIPE,
                            text=True, check=True)
    problems, count, at_home = [], 0, 0
    for path in listed.stdout.split("\n"):
        if not path.endswith((".c", ".h")) or not os.path.isfile(os.path.join(root, path)):
            continue
        count += 1
        with open(os.path.join(root, path)) as f:
            text = COMMENT.sub(blank, f.read())
        home = path.endswith(".c") and any(m[1] is None or m[1] in own for m in DEFINES.finditer(text))
        at_home += home
        alike = 0
        for number, line in enumerate(text.split("\n"), 1):
            if not home and (NAMED.search(line) or BYTES.search(line)):
                problems.append(f"{path}:{number}: {line.strip()}: a fact about an instruction belongs to decoder/")
            if re.match(r"\s*case OP_[a-z]", line):
                alike += 1
            elif line.strip():
                if alike > ALIKE and SAYS.match(line):
                    problems.append(f"{path}:{number - 1}: {alike} operations alike: a trait of decoder/op.def?")
                alike = 0
    print("\n".join(problems))
    print(f"{len(own)} handlers and emitters in {at_home} of {count} files, {len(problems)} problems")
    if at_home < 20:
        problems.append("the handlers were not found")
    return 1 if problems else 0


sys.exit(main())
