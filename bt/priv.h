/* SPDX-License-Identifier: MIT */
/* priv.h - what the files of bt/ share among themselves. */
#ifndef RING1_BT_PRIV_H
#define RING1_BT_PRIV_H

#include "bt/adapt.h"
#include "bt/tu.h"
#include "bt/wake.h"
#include "monitor/cpu/vm.h"
#include "shadow-mmu/fetch_set.h"

/* Arena offsets of the routines that bt_stubs_make() emits. */
struct bt_stubs {
    uint32_t enter;        /* unsigned enter(struct vcpu *, host entry, window base) */
    uint32_t exit_chain;   /* r8d: slot */
    uint32_t exit_lookup;  /* r8d: guest address */
    uint32_t trap_exit;    /* state is in the vCPU, rsp is monitor_rsp */
    uint32_t break_exit;   /* the same */
    uint32_t callout;      /* called; r8d: site */
    uint32_t callout_step; /* r8d: site; for an instruction that is not decoded here */
    uint32_t callout_far;  /* the same for one that is, and goes elsewhere */
    /* with BMI2 only; called; r8d: address, bt.write_shift: rcx = 0 and r9, or a miss */
    uint32_t code_write[2];
    uint32_t load_seg[2]; /* called; r11d: selector, r9d: register, r8d: site; [1]: POP */
    uint32_t inspect;     /* called; r11d: selector, r9d: BT_INSPECT(), r8d: site */
    uint32_t rdtsc;       /* called */
    uint32_t lookup;      /* r8d: guest address */
    uint32_t return_miss; /* bottom of the return stack: a RET without prediction */
    /* r8d: guest address, r9: rcx; checks that became branches lead there (bt/check.c) */
    uint32_t return_other;
};

/* vmm_host.host_feat_*: what emitted code uses beyond SSE2 */
#define HOST_1_ECX_MOVBE (1u << 22)
#define HOST_7_EBX_BMI2  (1u << 8)

/* All counts are forgotten when their sum is so much, or all addresses would look hot at last. So
 * many addresses can come to BT_HEAT_ELSEWHERE between: 32768. */
#define BT_HEAT_ENTRIES 131072u
#define BT_HEAT_SUM     (4 * BT_HEAT_ENTRIES)
/* So often is code interpreted that is translated at another linear address as well. */
#define BT_HEAT_ELSEWHERE 16u
/* So often is code interpreted that has been written lately: about what a translation costs. Who
 * writes it again before that has lost nothing, who runs it for long pays twice at most. */
#define BT_HEAT_WRITTEN 100u
/* Writes that killed blocks of a page, until its code counts as written. */
#define BT_WRITTEN_OFTEN 8u
#define BT_WRITTEN_INSNS 32u /* interpreted at once */
#define BT_SEG_ENTRIES   32u

/* What loading a selector at a privilege level does, as long as its descriptor is `raw`. */
struct bt_seg_load {
    uint64_t raw;
    uint16_t sel; /* 0: none */
    uint8_t cpl;
    struct seg seg;
};

/* When what a jump map holds is true. */
struct bt_jump_owner {
    uint32_t context;       /* what its blocks were made for */
    uint32_t nonglobal;     /* vcpu.flushes_nonglobal when its pages were last compared */
    struct fetch_set pages; /* those that are not global */
};

struct bt {
    struct adapt adapt;
    struct bt_wake wake;
    struct bt_options opt;
    struct code_cache cache;
    struct bt_jump_map jump[HOST_JUMP_MAPS];
    struct bt_stubs stubs;
    uint32_t return_last; /* from r15 to the return stack's last byte */
    uint32_t jump_miss;   /* from r15 to the stub that empty entries of the jump map lead to */
    bool gs;              /* the host's GS base is that of the window, like r14 */
    unsigned flush_count;
    struct bt_jump_owner jump_owner[HOST_JUMP_MAPS];
    /* how often code was interpreted here, by hashed addresses; the sum */
    uint16_t heat[BT_HEAT_ENTRIES];
    uint32_t heat_count;
    unsigned cold_insns; /* so many instructions are interpreted then, at least */
    struct bt_seg_load seg_load[BT_SEG_ENTRIES]; /* by selector index */
};

/* bt/stubs.c */
void bt_stubs_make(struct vcpu *v, struct bt *bt);

/* bt/callout.c: the C side of the callout stubs. Returns 0 to go on behind the instruction, 1 to
 * leave to the dispatcher. */
unsigned bt_callout(struct vcpu *v, uint32_t site);

/* bt/segment.c: the C side of the load_seg stubs. Loads a data segment register if that neither
 * raises nor changes the context; false: nothing was done. */
bool bt_load_segment(struct vcpu *v, unsigned seg, unsigned sel);

/* The C side of the inspect stub: LAR, LSL, VERR or VERW of a selector, if the descriptor can be
 * read as a matter of course. Writes v->gpr[reg] when ZF becomes 1 (LAR and LSL; `size` 2 or 4).
 * Returns BT_INSPECTED, perhaps with EFL_ZF; 0: nothing was done. */
unsigned bt_inspect_segment(struct vcpu *v, unsigned what, unsigned sel);
enum bt_inspection { BT_LAR, BT_LSL, BT_VERR, BT_VERW };
#define BT_INSPECT(kind, reg, size) ((kind) | (unsigned)(reg) << 2 | (unsigned)(size) << 5)
#define BT_INSPECTED                1u

/* What the context says of a data or stack segment. */
static inline enum ctx_seg bt_seg_state(const struct bt *bt, unsigned seg, const struct seg *s)
{
    if (s->limited)
        return s->acc == (SEG_ACC_R | SEG_ACC_W) && s->lo == 0 ? CTX_SEG_LIMITED : CTX_SEG_OTHER;
    if (bt->adapt.general.on && seg != SEG_SS)
        return CTX_SEG_LIMITED;
    return s->base ? CTX_SEG_BASED : CTX_SEG_FLAT;
}

/* bt/control.c: r9 = host address of the code for guest address r8d, or of exit_lookup.
 * Flag-free. */
void bt_jump_map_emit(struct emit *e, const struct bt *bt);

/* bt/check.c */
/* Code that goes on behind if r8d is `expected`. Clobbers r9. */
void bt_check_emit(struct emit *e, const struct bt *bt, gla_t expected);
/* The load at arena offset *offset trapped. If it is a check's, makes a branch of that one and sets
 * *offset to where it begins, from where it is to be executed again. */
bool bt_check_mismatch(struct vcpu *v, uint32_t *offset);

/* The decoded instruction of a site; v->eip is its address. */
const struct xinsn *bt_site_insn(struct vcpu *v, struct bt_site *s);

/* The C side of callout_step: interprets the instruction at the site, whatever it is. Returns the
 * host address of the block that comes next, or 0 to leave to the dispatcher. */
uint64_t bt_callout_step(struct vcpu *v, uint32_t site);
/* The same for callout_far: the instruction's handler; the context may change. */
uint64_t bt_callout_far(struct vcpu *v, uint32_t site);

/* bt/trap.c: translated code has come back after bt_break_in(), or C code runs that will look. */
void bt_break_done(struct vcpu *v);

/* bt/advance.c: executes the instruction at r->rip, which lies in the arena while translated code
 * runs. False: it is none of those known there, and nothing was done. */
bool bt_advance(const struct vcpu *v, struct bt_host_regs *r);

/* bt/bt.c: the code at (gla, gpa) changed: nothing is known of how hot it is. */
void bt_cool(struct bt *bt, gla_t gla, gpa_t gpa);

/* bt/bt.c: host address of the block at v->eip if translated code can go on there at once, after
 * whatever changed; else 0. */
uint64_t bt_resume(struct vcpu *v);

/* bt/translate.c: the unit that starts at v->eip = gla. Never NULL. May flush the cache. */
struct bt_block *bt_translate(struct vcpu *v, uint32_t ctx, gpa_t gpa, const uint8_t *page_bytes);

/* The instruction behind the current one, decoded; NULL when it crosses the page's end or is
 * none. */
const struct xinsn *tu_peek(struct tu *t);

/* bt/pointers.c: x87 instruction and data pointers. */
/* Behind the copy of an x87 instruction that is not a control instruction. */
void tu_x87_remember(struct tu *t, const struct insn *i, bool memory);
/* Before the site of *i is made; then what the site must say. */
void tu_x87_before(struct tu *t, const struct insn *i);
void tu_x87_mark(const struct tu *t, struct bt_site *s);
/* Behind the code of *i. */
void tu_x87_after(struct tu *t, const struct insn *i);
/* Stores what is remembered. */
void tu_x87_flush(struct tu *t);
/* Makes vcpu.fpu exact. `at`: the site before which translated code was left, with the guest's
 * registers in *v; NULL: at the end of a unit. Before any C code that may look. */
void bt_x87_settle(struct vcpu *v, const struct bt_site *at);

/* bt/control.c: writes the stubs of the unit's exits, behind its hot part. */
void tu_write_exits(struct tu *t);
/* bt/callout.c: writes the cold paths of missed memory operands. */
void tu_write_cold(struct tu *t);

/* bt/bt.c: empties the host return stack. Async-signal-safe. */
void bt_return_stack_reset(struct vcpu *v);

/* Makes the translator a watcher of pages and a listener to flushes (hears.c). */
void bt_hear(struct vcpu *v);

/* May instructions of BMI2 be emitted? */
static inline bool bt_bmi2(const struct vcpu *v, const struct bt *bt)
{
    return !bt->opt.no_bmi2 && v->vm->host->host_feat_7_ebx & HOST_7_EBX_BMI2;
}

/* Host address of an arena offset, to be executed. */
static inline uint64_t bt_host_address(const struct bt *bt, uint32_t at)
{
    return (uint64_t)(uintptr_t)(bt->cache.arena->rx + at);
}

#endif
