/* SPDX-License-Identifier: MIT */
/* boot_enter.c - the CPU as firmware and a boot loader leave it. */
/* uses: boot/boot.c */
#include "boot/boot.h"
#include "tests/rig/mmu_fixture.h"

static const struct boot_entry entry = {.eip = 0x100000,
                                        .esp = 0x9a000,
                                        .eax = 0x2badb002,
                                        .ebx = 0x9020,
                                        .esi = 0x90000,
                                        .gdt_base = 0x99000,
                                        .gdt_limit = 31,
                                        .code_sel = 0x10,
                                        .data_sel = 0x18};

Test(boot_enter, flat_protected_mode)
{
    struct vcpu *v = fx_open("ring1");

    vcpu_reset(v);
    boot_enter(v, &entry);
    cr_expect_eq(v->cr0, CR0_ET | CR0_PE, "caches on, paging off");
    cr_expect(v->gdtr.base == 0x99000 && v->gdtr.limit == 31 && v->idtr.limit == 0);
    cr_expect(v->eip == 0x100000 && v->next_eip == 0x100000 && v->eflags == EFL_FIXED1);
    cr_expect(v->gpr[EAX] == 0x2badb002 && v->gpr[EBX] == 0x9020 && v->gpr[ESI] == 0x90000);
    cr_expect(v->gpr[ESP] == 0x9a000 && v->gpr[ECX] == 0 && v->gpr[EDX] == 0, "EDX after RESET");
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        const struct seg *s = &v->seg[i];
        cr_expect(s->base == 0 && s->limit == 0xffffffff, "segment %u", i);
        cr_expect_eq(s->sel, i == SEG_CS ? 0x10 : 0x18);
        cr_expect_eq(s->attr, i == SEG_CS ? 0xc09b : 0xc093);
    }
    cr_expect_eq(v->cpl, 0);
    cr_expect(v->attention & ATT_MODE);
}

/* MTRRs where the CPU has them (CPUID.1:EDX[12]). */
Test(boot_enter, mtrrs)
{
    struct vcpu *v = fx_open("ring1");
    bool without = false;

    for (unsigned i = 0; cpu_model_at(i); i++) {
        fx_vm.cpu_model = cpu_model_at(i);
        bool has = fx_vm.cpu_model->feat_1_edx & 1u << 12;
        memset(&v->msr, 0, sizeof v->msr);
        vcpu_reset(v);
        boot_enter(v, &entry);
        cr_expect_eq(v->msr.mtrr_def_type, has ? 0xc06 : 0, "%s", fx_vm.cpu_model->name);
        cr_expect_eq(v->msr.mtrr_fix[2], 0, "the VGA hole");
        cr_expect_eq(v->msr.mtrr_fix[0], has ? 0x0606060606060606u : 0);
        without |= !has;
    }
    cr_expect(without, "a model without MTRRs is among them");
}
