/* SPDX-License-Identifier: MIT */
/* uses: monitor/arch/msr.c monitor/cpu/cpuid.c monitor/arch/tsc.c shadow-mmu/tlb.c */
/* msr.c - RDMSR and WRMSR: existence by model, reset values, refused values, side effects (SDM vol.
 * 4). */
#include "tests/rig/mmu_fixture.h"

struct msr_op {
    uint32_t index;
    uint64_t val;
    bool write;
};

static void msr_do(struct vcpu *v, void *arg)
{
    struct msr_op *op = arg;

    if (op->write)
        msr_write(v, op->index, op->val);
    else
        op->val = msr_read(v, op->index);
}

static unsigned rd(uint32_t index, uint64_t *val)
{
    struct msr_op op = {index, 0, false};
    unsigned vector = fx_try(msr_do, &op, NULL);

    if (val)
        *val = op.val;
    return vector;
}

static unsigned wr(uint32_t index, uint64_t val)
{
    struct msr_op op = {index, val, true};

    return fx_try(msr_do, &op, NULL);
}

#define OK FX_NO_FAULT

Test(msr, existence)
{
    static const struct {
        const char *model;
        uint32_t index;
        unsigned vector;
    } rows[] = {
        {"ring1", 0x10, OK},           {"ring1", 0x17, OK},
        {"ring1", 0x1b, OK},           {"ring1", 0x8b, OK},
        {"ring1", 0xfe, OK},           {"ring1", 0x10a, OK},
        {"ring1", 0x179, OK},          {"ring1", 0x1a0, OK},
        {"ring1", 0x277, OK},          {"ring1", 0x20f, OK},
        {"ring1", 0x210, VEC_GP},      {"ring1", 0x26f, OK},
        {"ring1", 0x6e0, OK},          {"ring1", 0xc0000080, OK},
        {"ring1", 0xc0000081, VEC_GP}, {"ring1", 0x48, VEC_GP},
        {"ring1", 0x400, VEC_GP},      {"ring1", 0x800, VEC_GP},
        {"ring1", 0x12345678, VEC_GP}, {"ring1", 0, VEC_GP},
        {"pentium3", 0x174, OK},       {"pentium3", 0xc0000080, VEC_GP},
        {"pentium3", 0x10a, VEC_GP},   {"pentium3", 0x3b, VEC_GP},
        {"pentium", 0x174, VEC_GP},    {"pentium", 0x10, OK},
        {"pentium", 0x277, VEC_GP},    {"pentium", 0, OK},
        {"486", 0x10, VEC_GP},
    };

    fx_open("ring1");
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned vector;

        fx_vm.cpu_model = cpu_model_find(rows[i].model);
        msr_reset(fx_cpu);
        vector = rd(rows[i].index, NULL);
        cr_expect(vector == rows[i].vector, "row %u: %s %x: vector %u", i, rows[i].model,
                  rows[i].index, vector);
    }
    cr_expect(fx_cpu->stats.unknown_msrs > 0);
    fx_vm.cpu_model = cpu_model_find("ring1");
    for (unsigned cpl = 1; cpl < 4; cpl++) {
        fx_cpu->cpl = (uint8_t)cpl;
        cr_expect(rd(0x10, NULL) == VEC_GP && wr(0x10, 0) == VEC_GP, "CPL %u", cpl);
    }
}

Test(msr, values)
{
    static const struct {
        uint32_t index;
        uint64_t val;
        unsigned vector;
    } rows[] = {
        {0x1b, 0xfee00900, OK},
        {0x1b, 0xfee00d00, VEC_GP},
        {0x1b, 1ull << 36 | 0xfee00900, VEC_GP},
        {0x17, 0, VEC_GP},
        {0xfe, 0, VEC_GP},
        {0x10a, 0, VEC_GP},
        {0x179, 0, VEC_GP},
        {0x17a, 7, OK},
        {0x17a, 8, VEC_GP},
        {0x174, 0xffff, OK},
        {0x175, 1ull << 32, VEC_GP},
        {0x277, 0x0007010600070106, OK},
        {0x277, 0x02, VEC_GP},
        {0x277, 0x0800000000000000, VEC_GP},
        {0x200, 0xe0000000, OK},
        {0x200, 0xe0000002, VEC_GP},
        {0x200, 0xe0000106, VEC_GP},
        {0x200, 1ull << 36, VEC_GP},
        {0x201, 0xfe0000800, OK},
        {0x201, 0xfe0000801, VEC_GP},
        {0x250, 0x0606060606060606, OK},
        {0x250, 0x0706060606060606, VEC_GP},
        {0x268, 0x0505050505050505, OK},
        {0x2ff, 0xc06, OK},
        {0x2ff, 0xc07, VEC_GP},
        {0x2ff, 0x1006, VEC_GP},
        {0xc0000080, 0x800, OK},
        {0xc0000080, 0x801, VEC_GP},
        {0xc0000080, 0x100, VEC_GP},
        {0x3b, 0, OK},
    };
    struct vcpu *v = fx_open("ring1");
    uint64_t val;

    cr_expect(rd(0x1b, &val) == OK && val == 0xfee00900);
    cr_expect(rd(0x277, &val) == OK && val == 0x0007040600070406);
    cr_expect(rd(0xfe, &val) == OK && val == 0x508);
    cr_expect(rd(0x10a, &val) == OK && (val & 0x161) == 0x161 && !(val & 2));
    cr_expect(rd(0x3a, &val) == OK && val == 1);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t before = 0, after = 0;
        unsigned vector;

        rd(rows[i].index, &before);
        vector = wr(rows[i].index, rows[i].val);
        rd(rows[i].index, &after);
        cr_expect(vector == rows[i].vector, "row %u: %x = %llx: vector %u", i, rows[i].index,
                  (unsigned long long)rows[i].val, vector);
        cr_expect(rows[i].index == 0x3b || after == (vector == OK ? rows[i].val : before),
                  "row %u: now %llx", i, (unsigned long long)after);
    }
    /* NXE: what was walked before counts no longer. */
    v->cr0 = CR0_PE;
    wr(0xc0000080, 0);
    mem_read8(v, SEG_DS, 0x5000);
    cr_expect(wr(0xc0000080, 0x800) == OK && !tlb_hit(v->tlb.entry[0][5].tag_r, 0x5000, 1));
    /* XD disable hides NX and takes EFER away. */
    rd(0x1a0, &val);
    cr_expect(val == 0x1801 && wr(0x1a0, val | 1ull << 34) == OK);
    cr_expect(rd(0xc0000080, NULL) == VEC_GP && v->msr.efer == 0);
    cr_expect(wr(0x1a0, 1ull << 50) == VEC_GP);
}

Test(msr, time_and_apic)
{
    struct vcpu *v = fx_open("ring1");
    uint64_t val;

    fx_world.now = 1000;
    cr_expect(rd(0x10, &val) == OK && val == 2600);
    cr_expect(wr(0x10, 1000000) == OK && rd(0x10, &val) == OK && val == 1000000);
    cr_expect(rd(0x3b, &val) == OK && val == 1000000 - 2600);
    /* The board hears deadlines in ticks without the adjustment. */
    cr_expect(wr(0x6e0, 1002600) == OK && fx_world.tsc_deadline == 5200);
    cr_expect(rd(0x6e0, &val) == OK && val == 1002600);
    cr_expect(wr(0x3b, 0) == OK && fx_world.tsc_deadline == 1002600, "moved with the adjustment");
    cr_expect(wr(0x6e0, 1) == OK && fx_world.tsc_deadline == 1, "already past");
    cr_expect(rd(0x6e0, &val) == OK && val == 0, "fired");
    fx_world.tsc_deadline = 77;
    cr_expect(wr(0x3b, 5) == OK && fx_world.tsc_deadline == 77, "a fired deadline stays fired");
    cr_expect(wr(0x6e0, 0) == OK && fx_world.tsc_deadline == 0);

    cr_expect(wr(0x1b, 0xfed00800) == OK && fx_world.apic_base == 0xfed00900,
              "BSP is not the guest's to change");
    cr_expect(wr(0x1b, 0xfed00100) == OK && fx_world.apic_base == 0xfed00100);
    cr_expect(!(cpuid_leaf(v, 1, 0).edx & CPUID_1_EDX_APIC));
    cr_expect(wr(0x1b, 0xfee00900) == OK && rd(0x1b, &val) == OK && val == 0xfee00900);
}
