/* SPDX-License-Identifier: MIT */
/* direct_priv.h - what the files of direct/ share. */
#ifndef RING1_DIRECT_DIRECT_PRIV_H
#define RING1_DIRECT_DIRECT_PRIV_H

#include "direct/direct.h"
#include "include/ring1/direct.h"

/* For whom: programs at CPL 3, the kernel, which the host runs at CPL 1. */
enum role { ROLE_USER, ROLE_KERNEL, ROLE_COUNT };

enum page_state {
    PAGE_UNKNOWN, /* not scanned since it was written */
    PAGE_CLEAN,
    PAGE_UNCLEAN, /* something in it would not do what it does for the interpreter */
    PAGE_BUSY,    /* clean, but it traps, or leads to a page that is not clean, so often that the
                   * translator is faster; for a while */
};

#define SCAN_PREFIXES 4u
#define REFUSALS      64u
#define TRAP_COUNTS   64u
#define BUSY_PAGES    64u

struct busy_page {
    gpa_t page;
    ns_t until; /* 0: not in use */
    uint8_t role;
};

struct direct {
    struct direct_options options;
    /* What 0F xx /modrm is after each mandatory prefix: enum verdict, 0: not looked at yet
     * (scan.c). */
    uint8_t verdict[SCAN_PREFIXES][256][256];
    /* Pages by linear address that direct code may not run at: refusal_word(). */
    uint32_t refused[REFUSALS];
    uint32_t generation; /* counts what may make a refused page clean */
    /* Traps and refusals since `counting`, by physical page. */
    uint8_t traps[TRAP_COUNTS];
    ns_t counting;
    gla_t entered; /* where direct code was entered last */
    struct busy_page busy[BUSY_PAGES];
    unsigned busy_next;
    ns_t busy_ends; /* the first of them; NS_NEVER */
    struct direct_regs regs;
    /* For each page of RAM and each role: enum page_state, and how often it changed above it. */
    uint8_t page[][ROLE_COUNT];
};

#define PAGE_STATE_BITS 0x03u
#define PAGE_CHURN_ONE  0x04u
#define PAGE_CHURN_MOST 0xfcu
/* A page that was written so often while it was executed is left to the translator. */
#define PAGE_CHURN_MANY (8 * PAGE_CHURN_ONE)

static inline struct direct *direct_of(const struct vcpu *v)
{
    return v->direct;
}

static inline enum role role_of(const struct vcpu *v)
{
    return v->cpl == 3 ? ROLE_USER : ROLE_KERNEL;
}

/* The linear address of the instruction at EIP. */
static inline gla_t code_at(const struct vcpu *v)
{
    return v->seg[SEG_CS].base + v->eip;
}

/* ---- scan.c ---- */

/* Scans the page's 4096 bytes, which are about to be entered at offset `entry`. True: in that role
 * they do what they do for the interpreter, or trap. */
bool scan_page(struct vcpu *v, struct direct *d, enum role role, const uint8_t *bytes,
               unsigned entry);

/* ---- pages.c ---- */

/* Hears of writes to the pages that were scanned. */
void pages_watch(struct vcpu *v);
/* Code at gla was to be fetched and may not be executed there yet; raises what a fetch raises.
 * False: it may not be. */
bool pages_allow(struct vcpu *v, struct direct *d, gla_t gla);
/* The translator takes the code at gla: nobody asks again until memory changes. */
void pages_refuse(struct vcpu *v, struct direct *d, gla_t gla);
bool pages_refused(const struct vcpu *v, struct direct *d, gla_t gla);
/* An instruction at v->eip trapped and was interpreted. */
void pages_trapped(struct vcpu *v, struct direct *d);
/* Direct code was entered at d->entered and has come to v->eip, where the translator takes over. */
void pages_left(struct vcpu *v, struct direct *d);

/* ---- segments.c ---- */

/* Puts the descriptors of the six segment registers into d->regs; false when one cannot be given to
 * the CPU, or differs from the guest's table. */
bool segments_shadow(struct vcpu *v, struct direct *d);
/* Takes over into the vCPU what direct code has loaded since. */
void segments_take(struct vcpu *v, const struct direct *d);

#endif
