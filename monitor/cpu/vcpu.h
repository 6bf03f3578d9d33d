/* SPDX-License-Identifier: MIT */
/*
 * vcpu.h - the architectural state of one virtual CPU, and nothing of the process around it.
 *
 * Invariant  eflags is always materialised, bit 1 is set; cpl equals CS.DPL-as-loaded (0 in real
 *            mode, 3 in V86).
 * Invariant  seg[].lo/hi/acc are derived from attr/limit by seg_derive() whenever those change.
 * Writer     The thread that runs the vCPU (that calls vcpu_run()), and handlers of traps and
 *            signals which interrupt it: those write `attention` (vcpu_attend()) and, in an
 *            engine's code, what engine.h says. Another thread writes nothing here, and reads only
 *            what is constant after the VM was built: it has the CPU's own thread do what it wants.
 *            Members that are written otherwise say so.
 */
#ifndef RING1_MONITOR_CPU_VCPU_H
#define RING1_MONITOR_CPU_VCPU_H

#include "include/ring1/types.h"
#include "include/ring1/vcpu_host.h"
#include "monitor/cpu/bt_cpu.h"
#include "monitor/cpu/engine.h"
#include "monitor/cpu/listener.h"
#include "monitor/cpu/tlb.h"

struct vm;

/* A loaded segment register. attr: descriptor bits 40-55 shifted down (SDM vol. 3A, section 3.4.5),
 * limit bits cleared. */
#define SEGA_TYPE      0x000fu
#define SEGA_ACCESSED  0x0001u
#define SEGA_RW        0x0002u /* data: writable; code: readable */
#define SEGA_EC        0x0004u /* data: expand-down; code: conforming */
#define SEGA_CODE      0x0008u
#define SEGA_S         0x0010u /* 1: code or data, 0: system */
#define SEGA_DPL       0x0060u
#define SEGA_DPL_SHIFT 5
#define SEGA_P         0x0080u
#define SEGA_DB        0x4000u
#define SEGA_G         0x8000u

#define SEG_ACC_R 1u
#define SEG_ACC_W 2u
#define SEG_ACC_X 4u

struct seg {
    _Alignas(32) uint16_t sel;
    uint16_t attr;
    uint32_t base;
    uint32_t limit; /* in bytes, inclusive, G already applied */
    /* Derived: an access to [off, off+size) is inside when off >= lo and off + (size-1) <= hi
     * without wrap. */
    uint32_t lo, hi;
    uint32_t room; /* derived: any access of up to 8 bytes at off is inside if off - lo < room */
    uint8_t acc;   /* SEG_ACC_*; 0 for an unusable (null) segment */
    bool limited;  /* derived: not all 4 GiB can be read and written */
};

struct table_reg { /* GDTR, IDTR */
    uint32_t base;
    uint16_t limit;
};

/* Reasons to leave the fast loop after the current instruction; vcpu.attention. */
#define ATT_INTR   (1u << 0) /* the interrupt controller's output is high */
#define ATT_NMI    (1u << 1)
#define ATT_KICK   (1u << 2) /* the host wants us back */
#define ATT_SMC    (1u << 3) /* a decoded page was written: the current block may be stale */
#define ATT_MODE   (1u << 4) /* CS.D, SS.B, CPL, paging... changed: leave the current block */
#define ATT_SHADOW (1u << 5) /* the instruction set an interrupt shadow */
#define ATT_TRAP   (1u << 6) /* TF was set at its start, or a data/I/O breakpoint matched */
#define ATT_EXIT   (1u << 7) /* exit_reason was set */
#define ATT_TIME   (1u << 8) /* a device deadline may have passed */

/* vcpu.shadow */
#define SHADOW_STI 1u /* interrupts held off until after the next instruction */
#define SHADOW_MOVSS                                                                               \
    2u /* interrupts, NMI and debug traps held off until after the next instruction */

/* vcpu.outcome: what the instruction that ran last did and its registers do not tell. interp_step()
 * clears it first. */
#define DID_EVENT (1u << 0) /* INT n, INT3, INTO, INT1 delivered its event: TF does not trap */
#define DID_PART  (1u << 1) /* a REP string let go before its end; next_eip is its own */
#define DID_RF    (1u << 2) /* it loaded RF for the instruction after it: IRETD, a task switch */

enum exit_reason {
#define EXIT(id, text) EXIT_##id,
#include "include/ring1/exit.def"
#undef EXIT
    EXIT_COUNT
};

struct vcpu_stats {
#define STAT(id, text) uint64_t id;
#include "include/ring1/stat.def"
#undef STAT
};

struct vcpu;

struct vcpu_fpu {
    /* The stubs that run x87, MMX and SSE instructions (interp/fpu_stub.h) are made anew: whoever
     * keeps their addresses must forget them. */
    void (*stubs_lost)(struct vcpu *v);
    bool live;                      /* guest state is in the host's registers; otherwise in area */
    _Alignas(64) uint8_t area[512]; /* FXSAVE (32-bit layout) image */
    /* Last non-control x87 instruction, as the guest must see it. */
    uint32_t fip, fdp;
    uint16_t fcs, fds, fop;
    bool ferr; /* FERR# asserted (CR0.NE = 0), waiting for IRQ 13 */
};

struct vcpu_msrs {
    uint64_t apic_base, sysenter_cs, sysenter_esp, sysenter_eip, pat, mtrr_def_type, misc_enable,
        efer;
    uint64_t mtrr_phys[16]; /* base, mask pairs: IA32_MTRR_PHYSBASE0.. */
    uint64_t mtrr_fix[11];
    uint64_t mcg_status, spec_ctrl, tsc_adjust, tsc_deadline, feature_control;
    int64_t tsc_offset;
};

struct vcpu {
    uint32_t gpr[GPR_COUNT + 1]; /* the last is always 0: a register that an address lacks */
    uint32_t eip;                /* of the current instruction while a handler runs */
    uint32_t next_eip;           /* where execution goes on if the handler succeeds */
    uint32_t eflags;
    uint32_t attention; /* ATT_*; see vcpu_attend(). Handlers write it too */
    uint8_t cpl;
    uint8_t shadow;      /* SHADOW_* in force for the instruction that runs now */
    uint8_t shadow_next; /* set by the handler for the instruction after it */
    uint8_t outcome;     /* DID_* */
    bool rf_lent;        /* RF is set only since a REP string lets events in: interp/rep.h */
    bool halted;
    bool intr_line; /* level of the interrupt controller's output at this CPU */
    struct seg seg[SEG_COUNT];
    struct seg ldtr, tr;
    struct table_reg gdtr, idtr;
    uint32_t cr0, cr2, cr3, cr4;
    uint64_t pdpte[4]; /* loaded under PAE; SDM vol. 3A, section 4.4.1 */
    uint32_t dr[8];    /* as a read shows them; DR4/5 alias DR6/7 and are not used */
    bool dr_armed;     /* some breakpoint of DR7 is enabled: the slow paths must look */
    bool nmi_pending, nmi_blocked;
    /* breakpoint conditions met by the current instruction, reported after it */
    uint32_t dr6_pending;

    struct soft_tlb tlb;
    /* Counts what may change the page that a linear address is fetched from: TLB flushes of any
     * kind. Look-up shortcuts by linear address remember it. */
    uint32_t fetch_generation;
    /* How many of these flushes were of everything, and how many of all but global pages. */
    uint32_t flushes_all, flushes_nonglobal;
    /* Written by who builds the VM, then constant: */
    const struct mmu_listener *listener[MMU_LISTENERS]; /* listener.h */
    unsigned listener_count;
    const struct engine *engine[ENGINES]; /* engine.h */
    unsigned engine_count;
    bool needs_alarm; /* some engine has needs_alarm set */
    struct vcpu_fpu fpu;
    /* NULL, or the CPU that takes turns with this one on the host's FPU (monitor/run/lockstep.h) */
    struct vcpu *fpu_partner;
    struct vcpu_msrs msr;

    /* Written by who builds the VM, then constant: */
    struct vm *vm;
    const struct vcpu_host *host; /* what the host provides for this CPU alone */
    unsigned id;                  /* also the initial APIC id */

    /* Exit to the host. */
    uint8_t exit_reason; /* enum exit_reason */
    uint32_t exit_code;

    /* What the guest last tried that this CPU model lacks, and where; NULL: nothing since reset. A
     * kernel that was made for another CPU ends soon after it, without a word of its own. */
    const char *lacked;
    uint32_t lacked_eip;
    uint16_t lacked_cs;

    /* Exception delivery: vector being delivered, for the double-fault rules; 0xff when none. */
    uint8_t delivering;
    uint64_t unwind[8]; /* unwind.S: where fault_raise() goes */

    struct bt_cpu bt; /* handlers write it too, when they find translated code */
    /* Whoever builds the VM writes the pointers, the CPU's thread what they lead to. */
    struct bt *translator;   /* NULL: interpret everything (bt/run/bt.h) */
    struct direct *direct;   /* NULL: no direct execution (direct/direct.h) */
    struct windows *windows; /* NULL: none (shadow-mmu/window.h) */
    struct interp *interp;   /* decode cache and loop state (monitor/interp/interp.c) */
    struct vcpu_stats stats; /* handlers write it too */
};

static inline bool vcpu_real_mode(const struct vcpu *v)
{
    return !(v->cr0 & CR0_PE);
}
static inline bool vcpu_v86(const struct vcpu *v)
{
    return (v->cr0 & CR0_PE) && (v->eflags & EFL_VM);
}
static inline unsigned vcpu_iopl(const struct vcpu *v)
{
    return (v->eflags & EFL_IOPL) >> EFL_IOPL_SHIFT;
}
/* Set and clear bits of vcpu.attention (ATT_*). Only the vCPU's own thread calls them, in C code or
 * in the handler of a signal that interrupts it. So one instruction is atomic enough; a LOCK prefix
 * would cost some 20 cycles at each transfer between rings. */
static inline void vcpu_attend(struct vcpu *v, uint32_t bits)
{
    __asm__ volatile("orl %1, %0" : "+m"(v->attention) : "ri"(bits) : "memory", "cc");
}
static inline void vcpu_attended(struct vcpu *v, uint32_t bits)
{
    __asm__ volatile("andl %1, %0" : "+m"(v->attention) : "ri"(~bits) : "memory", "cc");
}

/* Puts the CPU in its state after RESET (SDM vol. 3A, table 10-1): CS base 0xffff0000, EIP 0xfff0.
 * Keeps vm, id, stats. */
void vcpu_reset(struct vcpu *v);

/* Runs guest instructions, delivers interrupts and runs device timers, until there is something for
 * the host to do, at most for about `slice_ns` (EXIT_SLICE). Returns an enum exit_reason, never
 * EXIT_NONE. */
unsigned vcpu_run(struct vcpu *v, ns_t slice_ns);

#endif
