/* SPDX-License-Identifier: MIT */
/*
 * breakpoint.h - where the breakpoints of DR0-DR3 and DR7 match.
 *
 * Promises   While no breakpoint is enabled (vcpu.dr_armed is false) none of this costs anything.
 * Invariant  A page with a data breakpoint has no tag in any TLB and no mapping in a window, so
 *            every access to it reaches breakpoint_note_access().
 * Not here   MOV to and from debug registers (debugreg.c), single steps and the delivery of #DB
 *            (exception.c, run.c), a TSS's T flag (task.c).
 * Source     SDM vol. 3B, sections 18.2 and 18.3.
 */
#ifndef RING1_MONITOR_CPU_BREAKPOINT_H
#define RING1_MONITOR_CPU_BREAKPOINT_H

#include "monitor/cpu/vcpu.h"

/* The values of DR7's R/W fields; also kinds of accesses, of which BREAK_ACCESS is a read. */
enum break_kind { BREAK_EXEC, BREAK_WRITE, BREAK_IO, BREAK_ACCESS };

/* Raises #DB, with DR6 set, if an instruction breakpoint matches linear address `gla` and RF is
 * clear. */
void breakpoint_check_insn(struct vcpu *v, gla_t gla);

/* Collects in v->dr6_pending which breakpoints an access of `size` bytes at `addr` (a linear
 * address; a port for BREAK_IO) matches; sets ATT_TRAP if any does. */
void breakpoint_note_access(struct vcpu *v, uint32_t addr, unsigned size, enum break_kind kind);

/* Does an enabled data breakpoint lie in the page of gla? */
bool breakpoint_on_page(const struct vcpu *v, gla_t gla);

/* Does DR7 enable a data breakpoint? */
bool breakpoint_any_data(const struct vcpu *v);

/* Does DR7 enable an instruction breakpoint? */
bool breakpoint_any_insn(const struct vcpu *v);

#endif
