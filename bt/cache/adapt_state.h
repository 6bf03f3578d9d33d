/* SPDX-License-Identifier: MIT */
/*
 * adapt_state.h - what is known of how code behaves: written by bt/run/adapt.c, read by the
 * translator (bt/translate/adapt_form.c). Types only.
 */
#ifndef RING1_BT_CACHE_ADAPT_STATE_H
#define RING1_BT_CACHE_ADAPT_STATE_H

#include "include/ring1/types.h"

#define ADAPT_SITES  1024u
#define ADAPT_PAGES  64u
#define ADAPT_SPACES 16u

/* How an instruction is translated; each also does what those before it do. */
enum adapt_form { ADAPT_FAST, ADAPT_SOFT, ADAPT_CALLOUT };

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

#define DENSE_COUNT 256u /* events are timed by so many, a batch */

/* Events that no engine does fast, one right after the other. */
struct adapt_dense {
    enum { DENSE_TRANSLATE, DENSE_TRIAL, DENSE_INTERPRET } how;
    uint8_t level;   /* how often the interpreter was found faster in succession */
    uint8_t tries;   /* how often it was not */
    uint8_t batches; /* timed one after the other, translated and often enough */
    bool slow;       /* the interpreter's last batch was too slow */
    /* When the batch began: stats.costly_events, stats.insns, the time. */
    uint64_t seen, insns;
    ns_t since;
    uint64_t looked; /* stats.insns at the last look at the clock */
    /* Time of an event in ps, translated: in the last batch, in the faster of the last two, and the
     * latter when the interpreter was slower. Interpreted: in the trial. */
    ns_t previous, translated, lost, won;
    ns_t soonest; /* no trial before that, at whatever rate events come */
    ns_t until;   /* interpret, or no trial at the same rate, until then */
};

_Static_assert(ADAPT_PAGES == 64, "slow_pages has a bit for each");

struct adapt {
    struct adapt_back_off windowless; /* no code uses a window */
    struct adapt_back_off general;    /* all code looks at base and limit of DS and ES */
    uint32_t known_cr3;               /* the answer of space_is_hot() for it, while known_valid */
    bool known_valid, known_hot;
    struct adapt_dense dense;
    uint64_t mode; /* window_mode() at the last flush of everything */
    ns_t next_sweep;
    uint32_t clock;
    struct adapt_space space[ADAPT_SPACES];
    /* A bit for each pair of site[] and each place of page[]: one of them may not be fast. The
     * translator asks for each instruction, so these are together. */
    uint64_t slow_sites[ADAPT_SITES / 2 / 64], slow_pages;
    struct adapt_site site[ADAPT_SITES];
    struct adapt_site page[ADAPT_PAGES]; /* with more instructions that trap than site[] can hold */
};

#endif
