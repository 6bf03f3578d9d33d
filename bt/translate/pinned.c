/* SPDX-License-Identifier: MIT */
/*
 * pinned.c - where in a vCPU lies what emitted code touches (docs/codegen.md).
 *
 * HOT        Nearly every block touches it, or each way into and out of the cache: its offset is
 *            pinned, so that a new member of struct vcpu cannot push two of them into different
 *            cache lines, or out of reach of an 8-bit displacement. Whoever moves one measures.
 * COLD       Reached by single instructions, wherever it lies.
 * Complete   tests/lint/cpu_state.py finds a field of VCPU() or BT_OFF() that is in neither list.
 */
#include "bt/translate/tu.h"
#include "monitor/cpu/vcpu.h"

#define LINE 64u

/* `line` counts from the vCPU's start, which begins a line. */
#define HOT(field, line, at)                                                                       \
    _Static_assert(offsetof(struct vcpu, field) == (line)*LINE + (at), "moved: " #field);
/* `line` counts from the one in which bt.monitor_rsp is the first field. */
#define HOT_BT(field, line, at)                                                                    \
    _Static_assert(offsetof(struct vcpu, field) - offsetof(struct vcpu, bt.monitor_rsp) ==         \
                       (line)*LINE + (at),                                                         \
                   "moved: " #field);
#define COLD(field)                                                                                \
    _Static_assert(offsetof(struct vcpu, field) < (1u << 30), "no 32-bit displacement: " #field);

HOT(gpr, 0, 0)
HOT(eflags, 0, 44)
HOT(attention, 0, 48)
HOT(intr_line, 0, 58)
HOT(seg, 1, 0)
_Static_assert(BT_OFF(gpr[EBX]) >= -128 && BT_OFF(seg[SEG_COUNT]) <= 128, "8-bit displacements");

_Static_assert(_Alignof(struct vcpu) == LINE, "the vCPU begins a line");
_Static_assert(offsetof(struct vcpu, bt.monitor_rsp) % LINE == 0, "the second group begins a line");
HOT_BT(bt.monitor_rsp, 0, 0)
HOT_BT(bt.return_rsp, 0, 8)
HOT_BT(bt.return_base, 0, 24)
HOT_BT(bt.jump_now, 0, 32)
HOT_BT(bt.window_now, 0, 40)
HOT_BT(bt.exit_arg, 0, 52)
HOT_BT(bt.interrupt_flag, 0, 56)
HOT_BT(bt.in_cache, 0, 57)
HOT_BT(bt.shift, 1, 16)

/* Of an entry of the software TLB, the tags and the addend lie in one line. */
#define IN_LINE(field) (offsetof(struct vcpu, field) % (LINE / 2))
_Static_assert(IN_LINE(tlb.entry[0][0].tag_r) < IN_LINE(tlb.entry[0][0].tag_w) &&
                   IN_LINE(tlb.entry[0][0].tag_w) < IN_LINE(tlb.entry[0][0].addend) &&
                   IN_LINE(tlb.entry[0][0].addend) <= LINE / 2 - 8,
               "an access takes one line of the TLB");

COLD(bt.write_gla)
COLD(bt.write_missed)
COLD(bt.write_shift)
COLD(bt.write_tag)
COLD(bt.x87_bare)
COLD(bt.x87_full)
COLD(cr0)
COLD(cr2)
COLD(cr3)
COLD(cr4)
COLD(dr)
COLD(eip)
COLD(fpu.fdp)
COLD(gdtr)
COLD(idtr)
COLD(ldtr)
COLD(tlb)
COLD(tr)
