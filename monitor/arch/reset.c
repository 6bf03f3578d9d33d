/* SPDX-License-Identifier: MIT */
/* reset.c - vcpu_reset(): the state after RESET (SDM vol. 3A, section 10.1.1, table 10-1). */
#include "monitor/cpu/vcpu.h"

#include "include/ring1/mem.h"
#include "monitor/arch/msr.h"
#include "monitor/arch/segment.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/vm.h"
#include "shadow-mmu/mmu.h"

static void reset_segments(struct vcpu *v)
{
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        v->seg[i] =
            (struct seg){.attr = SEGA_P | SEGA_S | SEGA_RW | SEGA_ACCESSED, .limit = 0xffff};
        seg_derive(&v->seg[i], true);
    }
    v->seg[SEG_CS].sel = 0xf000;
    v->seg[SEG_CS].base = 0xffff0000;
    v->ldtr = (struct seg){.attr = SEGA_P | 2, .limit = 0xffff};
    v->tr = (struct seg){.attr = SEGA_P | 11, .limit = 0xffff};
    seg_derive(&v->ldtr, true);
    seg_derive(&v->tr, true);
    v->gdtr = v->idtr = (struct table_reg){.base = 0, .limit = 0xffff};
}

void vcpu_reset(struct vcpu *v)
{
    memset(v->gpr, 0, sizeof v->gpr);
    v->eip = v->next_eip = 0xfff0;
    v->eflags = EFL_FIXED1;
    v->cpl = 0;
    v->shadow = v->shadow_next = 0;
    v->outcome = 0;
    v->rf_lent = false;
    v->halted = false;
    v->intr_line = false;
    v->cr0 = CR0_CD | CR0_NW | CR0_ET;
    v->cr2 = v->cr3 = v->cr4 = 0;
    memset(v->pdpte, 0, sizeof v->pdpte);
    memset(v->dr, 0, sizeof v->dr);
    v->dr[6] = 0xffff0ff0;
    v->dr[7] = 0x400;
    v->dr_armed = v->nmi_pending = v->nmi_blocked = false;
    v->dr6_pending = 0;
    v->delivering = 0xff;
    v->exit_reason = EXIT_NONE;
    v->lacked = NULL;
    __atomic_store_n(&v->attention, 0, __ATOMIC_RELEASE);
    reset_segments(v);
    msr_reset(v);
    v->gpr[EDX] = cpuid_leaf(v, 1, 0).eax; /* SDM vol. 3A, section 10.1.2 */
    fpu_park(v);
    fpu_reset(v);
    mmu_flush_all(v);
}
