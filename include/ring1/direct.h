/* SPDX-License-Identifier: MIT */
/*
 * direct.h - what a host is told in order to run guest code on the bare CPU, and what it answers.
 *
 * Promises   The host checks nothing but its own safety. It refuses selectors of its own and
 *            descriptors that a load at CPL 0 would not take, or that are more privileged than cpl
 *            or 64-bit code; it sets IF and clears IOPL, whatever the flags say. A null selector is
 *            0 when the code begins, whatever its RPL (SDM vol. 2, IRET); one that the code loads
 *            itself stays.
 * Writer     The engine fills direct_regs in before each call; the host overwrites gpr, eip, eflags
 *            and sel with what the guest left there, and error and addr, unless it refused.
 * Not here   Which code may run so (direct/).
 */
#ifndef RING1_DIRECT_H
#define RING1_DIRECT_H

#include "include/ring1/types.h"

/* Selectors with this index or a higher one belong to the host. */
#define DIRECT_SELECTORS 8176u

/* Answers of direct_run(): 0 to 31 is the vector of an exception. */
#define DIRECT_ASKED   32u /* an interrupt of the host ended it, between two instructions */
#define DIRECT_REFUSED 33u /* the host cannot run this: nothing was executed */

struct direct_regs {
    uint32_t gpr[8]; /* in the order of their encoding */
    uint32_t eip, eflags;
    /* In the order ES CS SS DS FS GS. desc[n] has the form of an entry of a descriptor table, and
     * counts only when sel[n] is not null. */
    uint16_t sel[6];
    uint64_t desc[6];
    uint8_t cpl;      /* 3, or 1 for a guest's kernel */
    uint64_t window;  /* where the host shows the linear addresses (vcpu_host.window_base) */
    uint32_t cr4_sse; /* of CR4: OSFXSR and OSXMMEXCPT, as the guest has them */
    /* The laboratory's (host/metal/naive.c): a GDT of which the code and data segments are shown
     * too; NULL: only what is loaded. */
    const uint64_t *table;
    unsigned table_count; /* descriptors, the null one included */
    bool timed;           /* `ticks` is wanted */
    bool fpu_off;         /* x87 and SSE instructions raise #NM */
    bool align_check;     /* CR0.AM, as the guest has it */
    /* Out, after an exception. error: its error code, 0 if it has none. addr: the address that #PF
     * reports in CR2, or the bits that #DB set in DR6. */
    uint32_t error, addr;
    uint64_t ticks; /* of the time-stamp counter between entering and leaving, with the way */
};

#endif
