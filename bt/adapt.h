/* SPDX-License-Identifier: MIT */
/*
 * adapt.h - adaptive translation: which address spaces and which single instructions go through a
 * window and which through the software TLB.
 *
 * Why        A host trap and a mapping cost microseconds, a software-TLB miss some 0.1 us. So a
 *            process starts without a window and gets one when it has computed for a while; and an
 *            instruction that keeps trapping (devices, copies between kernel and user, first
 *            touches of memory) is translated again in the software-TLB form, for a while.
 * Promises   Only speed depends on what is decided here.
 */
#ifndef RING1_BT_ADAPT_H
#define RING1_BT_ADAPT_H

#include "include/ring1/types.h"

struct vcpu;
struct bt;

#define ADAPT_SITES  1024u
#define ADAPT_SPACES 16u

struct adapt_site {
    gpa_t gpa;      /* of the instruction */
    ns_t until;     /* soft until then */
    uint16_t traps; /* since the last sweep, weighted */
    uint8_t level;  /* how often it became soft: the next time is twice as long */
    bool soft;
    uint8_t user; /* ADAPT_USER_*: supervisor code that accesses user pages here */
};

/* Which operand of a soft instruction lies on user pages: through SI, DI, another address. */
#define ADAPT_USER_SI  1u
#define ADAPT_USER_DI  2u
#define ADAPT_USER_ANY 4u

struct adapt_space {
    uint32_t cr3;
    uint32_t ticks; /* looks at the clock that found it running */
    uint32_t last_use;
};

struct adapt {
    struct adapt_site site[ADAPT_SITES];
    struct adapt_space space[ADAPT_SPACES];
    uint32_t clock;
    uint32_t known_cr3; /* the answer of adapt_user_window() for it, while known_valid */
    bool known_valid, known_hot;
    ns_t next_sweep;
};

/* May code of CPL 3 in the present address space use a window? */
bool adapt_user_window(const struct vcpu *v);

/* Shall the instruction at gpa be translated in the software-TLB form? */
bool adapt_is_soft(const struct bt *bt, gpa_t gpa);

/* ADAPT_USER_* of such an instruction. */
unsigned adapt_user_operands(const struct bt *bt, gpa_t gpa);

/* The instruction at gpa trapped at linear address `at`; `filled`: a mapping was missing, else it
 * had to be emulated. May drop the blocks that contain it. */
void adapt_trap(struct vcpu *v, gpa_t gpa, gla_t at, bool filled);

/* The host broke into translated code, about once in a millisecond. */
void adapt_tick(struct vcpu *v);

#endif
