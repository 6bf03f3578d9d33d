/* SPDX-License-Identifier: MIT */
/*
 * direct.h - what a host needs to run guest code on the bare CPU, and what it tells afterwards.
 *
 * Promises   The host checks nothing but its own safety: descriptors get DPL 3 and no long mode,
 *            the flags the host's IF and IOPL 0, selectors of the host's own are refused.
 * Not here   Which code may run so (direct/).
 */
#ifndef RING1_DIRECT_H
#define RING1_DIRECT_H

#include "include/ring1/types.h"

/* Selectors with an index from here on are the host's. */
#define DIRECT_SELECTORS 8176u

/* Answers of direct_run(): 0 to 31 is the vector of an exception. */
#define DIRECT_ASKED                                                                               \
    32u /* an interrupt of the host asked for attention, between two instructions */
#define DIRECT_REFUSED 33u /* the host cannot run this: nothing was executed */

struct direct_regs {
    uint32_t gpr[8]; /* in the order of their encoding */
    uint32_t eip, eflags;
    /* ES CS SS DS FS GS. desc: as in a descriptor table; of a selector that is not null. */
    uint16_t sel[6];
    uint64_t desc[6];
    uint8_t cpl;      /* 3, or 1 for a guest's kernel */
    uint64_t window;  /* where the host shows the linear addresses (vcpu_host.window_base) */
    uint32_t cr4_sse; /* of CR4: OSFXSR and OSXMMEXCPT, as the guest has them */
    bool fpu_off;     /* x87 and SSE instructions raise #NM */
    /* Out, of an exception: its error code, 0 without; of #PF the address; of #DB what it set in
     * DR6. */
    uint32_t error, addr;
};

#endif
