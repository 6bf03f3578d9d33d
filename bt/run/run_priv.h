/* SPDX-License-Identifier: MIT */
/* run_priv.h - what the files of bt/run/ share among themselves. */
#ifndef RING1_BT_RUN_RUN_PRIV_H
#define RING1_BT_RUN_RUN_PRIV_H

#include "bt/cache/state.h"
#include "bt/translate/tu.h"

/* How often code is interpreted first that is translated at another linear address as well. */
#define BT_HEAT_ALIASED 16u
/* How often code is interpreted first that has been written lately: that costs about what a
 * translation does. A guest that writes it again before that has lost nothing, one that runs it for
 * long pays twice at most. */
#define BT_HEAT_WRITTEN 100u
/* Writes that killed blocks of a page, until its code counts as written. */
#define BT_WRITTEN_OFTEN 8u
#define BT_WRITTEN_INSNS 32u /* interpreted at once */

/* stubs.c: writes the fixed routines (bt->stubs) to the start of the arena. */
void bt_stubs_make(struct vcpu *v, struct bt *bt);

/* callouts.c: the C side of the callout stubs. Returns 0 to go on after the instruction, 1 to leave
 * to the dispatcher. */
unsigned bt_callout(struct vcpu *v, uint32_t site);

/* segment_calls.c: the C side of the load_seg stubs. Loads a data segment register if that neither
 * raises nor changes the context; false: nothing was done. */
bool bt_load_segment(struct vcpu *v, unsigned seg, unsigned sel);

/* segment_calls.c: the C side of the inspect stub: LAR, LSL, VERR or VERW of a selector, if the
 * descriptor can be read as a matter of course. Writes v->gpr[reg] when ZF becomes 1 (LAR and LSL;
 * `size` 2 or 4). Returns BT_INSPECTED, perhaps with EFL_ZF; 0: nothing was done. */
unsigned bt_inspect_segment(struct vcpu *v, unsigned what, unsigned sel);

/* callouts.c: the decoded instruction of a site; v->eip is its address. */
const struct xinsn *bt_site_insn(struct vcpu *v, struct bt_site *s);

/* The C side of callout_step: interprets the instruction at the site, whatever it is. Returns the
 * host address of the block that comes next, or 0 to leave to the dispatcher. */
uint64_t bt_callout_step(struct vcpu *v, uint32_t site);
/* The C side of callout_far: the instruction's handler; the context may change. Does translated
 * code go on at v->eip, as bt_resume() says? The others are the same for system calls. */
bool bt_callout_far(struct vcpu *v, uint32_t site);
bool bt_callout_sysenter(struct vcpu *v, uint32_t site);
bool bt_callout_sysexit(struct vcpu *v, uint32_t site);

/* hears.c: makes the translator a watcher of pages and a listener to flushes. */
void bt_hear(struct vcpu *v);

/* x87_settle.c: makes the x87 pointers in vcpu.fpu exact. `at`: the site before which translated
 * code was left, with the guest's registers in *v; NULL: it was left at the end of a unit. To be
 * called before any C code that may look at them. */
void bt_x87_settle(struct vcpu *v, const struct bt_site *at);

/* resume.c: the context of the present state; 0 when bt_usable() is false. */
uint32_t bt_context(const struct vcpu *v);

/* What the context says of a data or stack segment. */
static inline enum ctx_seg bt_seg_state(const struct bt *bt, unsigned seg, const struct seg *s)
{
    if (s->limited)
        return s->acc == (SEG_ACC_R | SEG_ACC_W) && s->lo == 0 ? CTX_SEG_LIMITED : CTX_SEG_OTHER;
    if (bt->adapt.general.on && seg != SEG_SS)
        return CTX_SEG_LIMITED;
    return s->base ? CTX_SEG_BASED : CTX_SEG_FLAT;
}

/* resume.c: makes what depends on the context and on mappings true for ctx: the present jump map,
 * window and return stack. To be called before translated code is entered. */
void bt_sync(struct vcpu *v, struct bt *bt, uint32_t ctx);

/* resume.c: is there no reason to go back to the run loop? */
bool bt_may_go_on(struct vcpu *v);
/* resume.c: can translated code go on at v->eip at once, after whatever changed? Then everything is
 * ready for a jump through the present jump map. */
bool bt_resume(struct vcpu *v);

/* Is a batch of events complete, so that adapt_interprets() is to be asked? */
static inline bool adapt_is_due(const struct vcpu *v)
{
    return v->stats.costly_events - v->translator->adapt.dense.seen >= DENSE_COUNT;
}

/* Attention that is no reason to go back to the run loop: the context, the generations or the cache
 * tell the same. */
#define ATT_OURS (ATT_MODE | ATT_SMC)

static inline uint32_t attention_now(const struct vcpu *v)
{
    return __atomic_load_n(&v->attention, __ATOMIC_RELAXED);
}

/* trap.c: ends a breaking in: translated code has come back, or C code runs that will look at
 * attention. */
void bt_break_done(struct vcpu *v);

/* exits.c: do what BT_EXIT_TRAP and BT_EXIT_BREAK ask for; raise what the instruction raises. */
void bt_handle_trap(struct vcpu *v, struct bt *bt);
void bt_handle_break(struct vcpu *v, struct bt *bt);

/* resume.c: empties the host return stack. Async-signal-safe. */
void bt_return_stack_reset(struct vcpu *v);

#endif
