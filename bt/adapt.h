/* SPDX-License-Identifier: MIT */
/*
 * adapt.h - adaptive translation: which address spaces and which single instructions go through a
 * window, which through the software TLB, and which to the interpreter.
 *
 * Why        A host trap and a mapping cost microseconds, a software-TLB miss some 0.1 us. So a
 *            process starts without a window and gets one when it has computed for a while; and an
 *            instruction that keeps trapping (devices, copies between kernel and user, first
 *            touches of memory) is translated again in the software-TLB form, for a while. One
 *            that traps for what no form of memory operand helps (#DE, a misaligned operand, x87
 *            and SSE errors) becomes a callout.
 *            A guest that keeps changing what entries of page tables mean (CR0.WP, CR0.PG, A20), or
 *            traps at too many places, does without windows for a while.
 *            A guest that keeps changing the kind of its data segments runs code for a while that
 *            looks at base and limit of all of them.
 *            Where one exception follows the other, entering and leaving the cache may cost more
 *            than what runs there gains: both ways are measured, and the faster one is taken for a
 *            while.
 * Bounds     Two sites share each place of the table. Where both are taken by such instructions,
 *            the third's page becomes soft as a whole.
 * Promises   Only speed depends on what is decided here.
 */
#ifndef RING1_BT_ADAPT_H
#define RING1_BT_ADAPT_H

#include "include/ring1/types.h"

struct vcpu;
struct bt;

#define ADAPT_SITES  1024u
#define ADAPT_PAGES  64u
#define ADAPT_SPACES 16u

/* How an instruction is translated; each also does what those before it do. */
enum adapt_form { ADAPT_FAST, ADAPT_SOFT, ADAPT_CALLOUT };

/* What a trap was for. */
enum adapt_why {
    ADAPT_FILLED,   /* a mapping was missing, and was made */
    ADAPT_EMULATED, /* the access had to be emulated */
    ADAPT_OTHER,    /* none of memory */
};

struct adapt_site {
    gpa_t gpa;      /* of the instruction, or page */
    ns_t until;     /* in this form until then */
    uint16_t traps; /* since the last sweep, weighted */
    uint8_t level;  /* how often it left the fast form: the next time is twice as long */
    uint8_t form;   /* enum adapt_form */
    uint8_t user;   /* ADAPT_USER_*: supervisor code that accesses user pages here */
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

/* What is done for a while because something else cost much. */
struct adapt_back_off {
    bool on;
    uint8_t level; /* how often that was decided: the next time is twice as long */
    uint32_t cost; /* since `since` */
    ns_t since, until;
};

/* Exceptions one right after the other. */
struct adapt_dense {
    enum { DENSE_TRANSLATE, DENSE_TRIAL, DENSE_INTERPRET } how;
    uint8_t level;        /* how often the interpreter was found faster in succession */
    uint64_t seen, insns; /* stats.exceptions when looked at last; stats.insns when one had come */
    uint32_t count;
    ns_t since, translated; /* `count` began; so long it took, translated */
    ns_t until;             /* interpret, or do not try that, until then */
};

struct adapt {
    struct adapt_site site[ADAPT_SITES];
    struct adapt_site page[ADAPT_PAGES]; /* with more instructions that trap than site[] can hold */
    struct adapt_space space[ADAPT_SPACES];
    uint32_t clock;
    struct adapt_back_off windowless; /* no code uses a window */
    struct adapt_back_off general;    /* all code looks at base and limit of DS and ES */
    struct adapt_dense dense;
    uint64_t mode;      /* window_mode() at the last flush of everything */
    uint32_t known_cr3; /* the answer of space_is_hot() for it, while known_valid */
    bool known_valid, known_hot;
    ns_t next_sweep;
};

/* After zeroed memory. */
void adapt_init(struct vcpu *v);

/* May code of the present privilege level and address space use a window? */
bool adapt_window(const struct vcpu *v);

/* How shall the instruction at gpa be translated? *user: ADAPT_USER_*, for the software TLB. */
enum adapt_form adapt_form(const struct bt *bt, gpa_t gpa, uint8_t *user);

/* The instruction at gpa trapped, if for memory at linear address `at`. May drop the blocks that
 * contain it. */
void adapt_trap(struct vcpu *v, gpa_t gpa, gla_t at, enum adapt_why why);

/* Asked each time the run loop is about to run code: is that the interpreter's at present? */
bool adapt_interprets(struct vcpu *v);

/* The TLB was flushed as a whole. */
void adapt_flushed(struct vcpu *v);

/* Code of the privilege class ran in context `old` and is now to run in `new`. */
void adapt_context(struct vcpu *v, uint32_t old, uint32_t new);

/* The host broke into translated code, about once in a millisecond. */
void adapt_tick(struct vcpu *v);

#endif
