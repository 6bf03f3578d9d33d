/* SPDX-License-Identifier: MIT */
/* direct_priv.h - what the files of direct/ share. */
#ifndef RING1_DIRECT_DIRECT_PRIV_H
#define RING1_DIRECT_DIRECT_PRIV_H

#include "direct/direct.h"
#include "include/ring1/direct.h"

enum page_state {
    PAGE_UNKNOWN, /* not scanned since it was written */
    PAGE_CLEAN,
    PAGE_UNCLEAN, /* something in it would not do what it does for the interpreter */
};

#define SCAN_PREFIXES 4u
#define GRANTS        2048u
#define REFUSALS      64u

/* A place where a page was made executable. */
struct grant {
    gpa_t page;
    gla_t gla;
    uint8_t window;
};

struct direct {
    bool umip;
    /* What 0F xx /modrm is after each mandatory prefix: enum verdict, 0: not looked at yet
     * (scan.c). */
    uint8_t verdict[SCAN_PREFIXES][256][256];
    struct grant grant[GRANTS];
    unsigned grant_count;
    /* Pages by linear address that direct code may not run at: refusal_word(). */
    uint32_t refused[REFUSALS];
    uint32_t generation; /* counts what may make a refused page clean */
    struct direct_regs regs;
    uint8_t page[]; /* for each page of RAM: enum page_state, and how often it changed above it */
};

#define PAGE_STATE_BITS 0x03u
#define PAGE_CHURN_ONE  0x04u
#define PAGE_CHURN_MOST 0xfcu
/* A page that was written so often while it was executed is left to the translator. */
#define PAGE_CHURN_MANY (8 * PAGE_CHURN_ONE)

/* Scans the page's 4096 bytes, which are about to be entered at offset `entry`. True: CPL 3 cannot
 * tell that they run on another CPU than the guest's. */
bool scan_page(struct vcpu *v, struct direct *d, const uint8_t *bytes, unsigned entry);

/* The descriptors of the six segment registers into d->regs; false when one is none that can be
 * given to the CPU, or that differs from the guest's table. */
bool segments_shadow(struct vcpu *v, struct direct *d);
/* What direct code has loaded since. */
void segments_take(struct vcpu *v, const struct direct *d);

#endif
