/* SPDX-License-Identifier: MIT */
/*
 * state.h - the translator of one vCPU as data: what making code and running it share.
 *
 * Writer     bt/run/ writes it, on the thread that runs the vCPU. The translator (bt/translate/)
 *            changes nothing of it but the code cache.
 * Not here   The code cache's inside (cache.h); what emitted code touches (monitor/cpu/bt_cpu.h).
 */
#ifndef RING1_BT_CACHE_STATE_H
#define RING1_BT_CACHE_STATE_H

#include "bt/cache/adapt_state.h"
#include "bt/cache/cache.h"
#include "bt/cache/context.h"
#include "bt/cache/heat.h"
#include "bt/cache/options.h"
#include "monitor/cpu/vm.h"
#include "shadow-mmu/fetch_set.h"

/* vmm_host.host_feat_*: what emitted code uses beyond SSE2 */
#define HOST_1_ECX_MOVBE (1u << 22)
#define HOST_7_EBX_BMI2  (1u << 8)

/* Arena offsets of the routines that bt_stubs_make() emits. */
struct bt_stubs {
    uint32_t enter;        /* unsigned enter(struct vcpu *, host entry, window base) */
    uint32_t exit_chain;   /* r8d: slot */
    uint32_t exit_lookup;  /* r8d: guest address */
    uint32_t trap_exit;    /* state is in the vCPU, rsp is monitor_rsp */
    uint32_t break_exit;   /* state is in the vCPU, rsp is monitor_rsp */
    uint32_t callout;      /* called; r8d: site */
    uint32_t callout_step; /* r8d: site; for an instruction that is not decoded here */
    /* the same for one that is, and goes elsewhere: any; SYSENTER; SYSEXIT */
    uint32_t callout_far, sysenter, sysexit;
    /* with BMI2 only; called; r8d: address, bt.write_shift: rcx = 0 and r9, or a miss */
    uint32_t code_write[2];
    uint32_t load_seg[2]; /* called; r11d: selector, r9d: register, r8d: site; [1]: POP */
    uint32_t inspect;     /* called; r11d: selector, r9d: BT_INSPECT(), r8d: site */
    uint32_t rdtsc;       /* called */
    uint32_t lookup;      /* r8d: guest address */
    uint32_t return_miss; /* bottom of the return stack: a RET without prediction */
    /* r8d: guest address, r9: rcx; checks that became branches lead there (return_check.c) */
    uint32_t return_other;
};

#define BT_SEG_ENTRIES 32u

/* What loading a selector at a privilege level does, as long as its descriptor is `raw`. */
struct bt_seg_load {
    uint64_t raw;
    uint16_t sel; /* 0: none */
    uint8_t cpl;
    struct seg seg;
};

/* Under which conditions the entries of a jump map hold. */
struct bt_jump_owner {
    uint64_t entries;   /* address of jump[].entry */
    uint32_t context;   /* what its blocks were made for */
    uint32_t nonglobal; /* vcpu.flushes_nonglobal when its pages were last compared */
};

#define WAKE_LINE   64u   /* bytes */
#define WAKE_LINES  1024u /* most that are prefetched: a CPU's second level cache is far larger */
#define WAKE_HASHED 4096u

/* bt/run/idle_prefetch.h */
struct idle_prefetch {
    uint64_t line[WAKE_LINES]; /* host addresses / WAKE_LINE, in the order of first use */
    unsigned count;
    unsigned flush_count; /* bt.flush_count when the lines were noted */
    unsigned wakes;       /* since then */
    unsigned until_next;  /* so many wakes */
    bool learning;
    uint32_t site;  /* while learning: number of the last instruction's, UINT32_MAX: none */
    unsigned insns; /* of the wake that is noted */
    uint64_t seen[WAKE_HASHED]; /* while learning: lines + 1, open addressing */
};

struct bt {
    /* What each system call looks at comes first: some lines of the host's caches. */
    struct bt_jump_owner jump_owner[HOST_JUMP_MAPS];
    struct code_cache cache;
    struct bt_options opt;
    struct bt_stubs stubs;
    bool gs; /* the host's GS base is the window's base, as r14 is */
    unsigned flush_count;
    uint32_t return_last; /* from r15 to the return stack's last byte */
    uint32_t jump_miss;   /* from r15 to the stub that empty entries of the jump map lead to */
    struct adapt adapt;
    struct idle_prefetch idle;
    struct bt_jump_map jump[HOST_JUMP_MAPS];
    struct fetch_set jump_pages[HOST_JUMP_MAPS]; /* those of jump[] that are not global */
    struct bt_heat heat;
    unsigned
        cold_insns; /* how many instructions of cold code are interpreted at a time, at least */
    struct bt_seg_load seg_load[BT_SEG_ENTRIES]; /* by selector index */
};

/* What the inspect stub is asked for, and how: r9d of stubs.inspect. */
enum bt_inspection { BT_LAR, BT_LSL, BT_VERR, BT_VERW };
#define BT_INSPECT(kind, reg, size) ((kind) | (unsigned)(reg) << 2 | (unsigned)(size) << 5)
#define BT_INSPECTED                1u

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
