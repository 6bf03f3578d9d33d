/* SPDX-License-Identifier: MIT */
/* uses: shadow-mmu monitor/arch/control.c monitor/arch/debugreg.c monitor/arch/tsc.c
 * monitor/cpu/cpuid.c */
/* control.c - the rules of control and debug registers and of the TSC (SDM vol. 3A, 2.5; vol. 3B,
 * 17). */
#include "monitor/cpu/breakpoint.h"
#include "tests/rig/mmu_fixture.h"

struct reg_op {
    char what; /* 'c' write CR, 'C' read CR, 'd' write DR, 'D' read DR, 'l' LMSW, 's' SMSW, 't'
                  CLTS, 'r' RDTSC, 'i' INVLPG */
    unsigned n;
    uint32_t val;
};

static void reg_do(struct vcpu *v, void *arg)
{
    struct reg_op *op = arg;

    switch (op->what) {
    case 'c':
        control_write_cr(v, op->n, op->val);
        break;
    case 'C':
        op->val = control_read_cr(v, op->n);
        break;
    case 'd':
        control_write_dr(v, op->n, op->val);
        break;
    case 'D':
        op->val = control_read_dr(v, op->n);
        break;
    case 'l':
        control_lmsw(v, (uint16_t)op->val);
        break;
    case 's':
        op->val = control_smsw(v);
        break;
    case 't':
        control_clts(v);
        break;
    case 'r':
        op->val = (uint32_t)control_rdtsc(v);
        break;
    case 'i':
        control_invlpg(v, SEG_DS, op->val);
        break;
    }
}

static unsigned reg_try(char what, unsigned n, uint32_t val, uint32_t *out)
{
    struct reg_op op = {what, n, val};
    struct fault f = {0};
    unsigned vector = fx_try(reg_do, &op, &f);

    if (out)
        *out = op.val;
    cr_expect(vector != VEC_GP || f.error == 0);
    return vector;
}

#define OK FX_NO_FAULT

Test(control, cr_writes)
{
    static const struct {
        const char *model;
        unsigned n;
        uint32_t val, result;
        unsigned vector;
    } rows[] = {
        {"ring1", 0, 0, CR0_ET, OK},
        {"ring1", 0, 0x1ffaffc0 | CR0_PE, CR0_PE | CR0_ET, OK}, /* reserved bits are dropped */
        {"ring1", 0, CR0_PG, 0, VEC_GP},
        {"ring1", 0, CR0_PG | CR0_PE, CR0_PG | CR0_PE | CR0_ET, OK},
        {"ring1", 0, CR0_NW | CR0_PE, 0, VEC_GP},
        {"ring1", 0, CR0_NW | CR0_CD, CR0_NW | CR0_CD | CR0_ET, OK},
        {"ring1", 1, 0, 0, VEC_UD},
        {"ring1", 2, 0x12345678, 0x12345678, OK},
        {"ring1", 3, 0xfffff018, 0xfffff018, OK},
        {"ring1", 4, 0x003007ff & ~CR4_UMIP, 0x003007ff, OK},
        {"ring1", 4, CR4_UMIP, CR4_UMIP, OK},
        {"ring1", 4, 1u << 12, 0, VEC_GP},
        {"ring1", 4, 1u << 18, 0, VEC_GP},
        {"ring1", 4, 1u << 31, 0, VEC_GP},
        {"ring1", 5, 0, 0, VEC_UD},
        {"ring1", 8, 0, 0, VEC_UD},
        {"pentium3", 4, CR4_SMEP, 0, VEC_GP},
        {"pentium3", 4, CR4_OSXMMEXCPT | CR4_OSFXSR | CR4_PAE,
         CR4_OSXMMEXCPT | CR4_OSFXSR | CR4_PAE, OK},
        {"pentium2", 4, CR4_OSXMMEXCPT, 0, VEC_GP},
        {"pentium", 4, CR4_PAE, 0, VEC_GP},
        {"pentium", 4, CR4_PSE | CR4_MCE, CR4_PSE | CR4_MCE, OK},
        {"486", 4, CR4_PSE, 0, VEC_GP},
        {"486", 4, CR4_VME, CR4_VME, OK},
    };

    fx_open("ring1");
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t before, after;
        unsigned vector;

        fx_vm.cpu_model = cpu_model_find(rows[i].model);
        fx_cpu->cr0 = CR0_ET | CR0_PE;
        fx_cpu->cr4 = 0;
        before = rows[i].n == 0 ? fx_cpu->cr0 : fx_cpu->cr4;
        vector = reg_try('c', rows[i].n, rows[i].val, NULL);
        cr_expect(vector == rows[i].vector, "row %u: vector %u", i, vector);
        if (vector == OK) {
            cr_expect(reg_try('C', rows[i].n, 0, &after) == OK && after == rows[i].result,
                      "row %u: %x", i, after);
        } else if (rows[i].n == 0 || rows[i].n == 4) {
            cr_expect(before == (rows[i].n ? fx_cpu->cr4 : fx_cpu->cr0), "row %u: changed", i);
        }
    }
}

Test(control, modes_and_privilege)
{
    struct vcpu *v = fx_open("ring1");
    static const char ops[] = "cCdDlti";
    struct seg ds;
    uint32_t val;

    for (unsigned i = 0; ops[i]; i++) {
        v->cpl = 3;
        cr_expect(reg_try(ops[i], 0, 0, NULL) == VEC_GP, "'%c' at CPL 3", ops[i]);
        v->cpl = 1;
        cr_expect(reg_try(ops[i], 0, 0, NULL) == VEC_GP, "'%c' at CPL 1", ops[i]);
    }
    /* UMIP and TSD. */
    v->cpl = 3;
    cr_expect(reg_try('s', 0, 0, &val) == OK && val == (CR0_PE | CR0_ET));
    cr_expect(reg_try('r', 0, 0, NULL) == OK);
    v->cr4 = CR4_UMIP | CR4_TSD;
    cr_expect(reg_try('s', 0, 0, NULL) == VEC_GP && reg_try('r', 0, 0, NULL) == VEC_GP);
    v->cpl = 0;
    cr_expect(reg_try('s', 0, 0, NULL) == OK && reg_try('r', 0, 0, NULL) == OK);
    v->cr4 = 0;

    /* LMSW sets PE, and cannot clear it; it reaches only the low four bits. CLTS. */
    v->cr0 = CR0_ET | CR0_WP;
    ds = v->seg[SEG_DS];
    cr_expect(reg_try('l', 0, 0xffff, NULL) == OK && v->cr0 == (CR0_ET | CR0_WP | 0xf));
    cr_expect(reg_try('l', 0, 0, NULL) == OK && v->cr0 == (CR0_ET | CR0_WP | CR0_PE));
    v->cr0 |= CR0_TS;
    v->attention = 0;
    cr_expect(reg_try('t', 0, 0, NULL) == OK && !(v->cr0 & CR0_TS) && (v->attention & ATT_MODE));
    /* Leaving protected mode keeps the segment caches (big real mode) and CPL 0. */
    v->attention = 0;
    cr_expect(reg_try('c', 0, 0, NULL) == OK && vcpu_real_mode(v) && (v->attention & ATT_MODE));
    cr_expect(v->cpl == 0 && memcmp(&ds, &v->seg[SEG_DS], sizeof(ds)) == 0);
}

Test(control, pae_and_flushes)
{
    struct vcpu *v = fx_open("ring1");

    /* PDPTEs are checked whenever PAE paging begins or CR3 changes under it; a refusal changes
     * nothing. */
    fx_put64(0x1000, 0x2000 | 1);
    fx_put64(0x1008, 0x3000 | 3); /* bit 1 is reserved */
    v->cr3 = 0x1000;
    v->cr4 = CR4_PAE;
    cr_expect(reg_try('c', 0, CR0_PE | CR0_PG, NULL) == VEC_GP && !(v->cr0 & CR0_PG));
    fx_put64(0x1008, 0);
    cr_expect(reg_try('c', 0, CR0_PE | CR0_PG, NULL) == OK && v->pdpte[0] == 0x2001);
    fx_put64(0x1008, 3);
    cr_expect(reg_try('c', 3, 0x1000, NULL) == VEC_GP && v->pdpte[1] == 0);
    cr_expect(reg_try('c', 4, CR4_PAE | CR4_PGE, NULL) == VEC_GP && v->cr4 == CR4_PAE);
    cr_expect(reg_try('c', 4, 0, NULL) == OK, "leaving PAE looks at nothing");
    cr_expect(reg_try('c', 4, CR4_PAE, NULL) == VEC_GP && v->cr4 == 0);
    cr_expect(reg_try('c', 3, 0x1000, NULL) == OK, "32-bit paging takes any CR3");

    /* Each of these bits drops even global entries. */
    static const struct {
        unsigned n;
        uint32_t bit;
    } flush[] = {{0, CR0_WP},  {0, CR0_PG},   {4, CR4_PSE}, {4, CR4_PAE},
                 {4, CR4_PGE}, {4, CR4_SMEP}, {4, CR4_SMAP}};
    memset(fx_vm.ram + 0x1000, 0, 0x1000);
    fx_put32(0x4000, 0x5000 | 1);
    fx_put32(0x5004, 0x7000 | 0x103);
    for (unsigned i = 0; i < ARRAY_LEN(flush); i++) {
        v->cr0 = CR0_PE | CR0_PG | CR0_ET;
        v->cr4 = CR4_PGE;
        v->cr3 = 0x4000;
        mmu_flush_all(v);
        mem_read32(v, SEG_DS, 0x1000);
        cr_expect(v->tlb.entry[0][1].tag_r == -0x1000u, "row %u: filled", i);
        cr_expect(reg_try('c', 3, 0x4000, NULL) == OK && v->tlb.entry[0][1].tag_r == -0x1000u,
                  "row %u: global", i);
        fx_put32(0x4000, 0x5000 | 1); /* without A, it is also a good PDPTE */
        cr_expect(reg_try('c', flush[i].n, (flush[i].n ? v->cr4 : v->cr0) ^ flush[i].bit, NULL) ==
                  OK);
        cr_expect(!tlb_hit(v->tlb.entry[0][1].tag_r, 0x1000, 1), "row %u: not flushed", i);
    }
}

static void check_insn(struct vcpu *v, void *arg)
{
    breakpoint_check_insn(v, *(gla_t *)arg);
}

Test(control, debug_registers)
{
    struct vcpu *v = fx_open("ring1");
    gla_t at = 0x1234;
    uint32_t val;

    cr_expect(reg_try('d', 6, 0, NULL) == OK && reg_try('D', 6, 0, &val) == OK &&
              val == 0xffff0ff0);
    cr_expect(reg_try('d', 6, ~0u, NULL) == OK && reg_try('D', 4, 0, &val) == OK &&
              val == 0xffffefff);
    cr_expect(reg_try('d', 7, 0, NULL) == OK && reg_try('D', 5, 0, &val) == OK && val == 0x400);
    cr_expect(reg_try('d', 3, 0xdeadbeef, NULL) == OK && reg_try('D', 3, 0, &val) == OK &&
              val == 0xdeadbeef);
    v->cr4 = CR4_DE;
    cr_expect(reg_try('D', 4, 0, NULL) == VEC_UD && reg_try('d', 5, 0, NULL) == VEC_UD);
    cr_expect(reg_try('D', 8, 0, NULL) == VEC_UD);

    /* General detect: once, then the handler may look. */
    v->dr[6] = 0xffff0ff0;
    cr_expect(reg_try('d', 7, 0x2000, NULL) == OK);
    cr_expect(reg_try('d', 0, 1, NULL) == VEC_DB && v->dr[0] == 0 && (v->dr[6] & 0x2000));
    cr_expect(reg_try('d', 0, at, NULL) == OK);

    /* Instruction breakpoint; RF and MOV SS hold it off. */
    v->dr[6] = 0xffff0ff0;
    cr_expect(fx_try(check_insn, &at, NULL) == OK);
    reg_try('d', 7, 1, NULL);
    cr_expect(v->dr_armed && fx_try(check_insn, &at, NULL) == VEC_DB && (v->dr[6] & 0xf) == 1);
    v->eflags |= EFL_RF;
    cr_expect(fx_try(check_insn, &at, NULL) == OK);
    v->eflags &= ~EFL_RF;
    v->shadow = SHADOW_MOVSS;
    cr_expect(fx_try(check_insn, &at, NULL) == OK);

    /* Data and I/O: kind, length, alignment of the watched range. LEN 0, 1, 3, 2: 1, 2, 4, 8
     * bytes. */
    static const struct {
        unsigned kind, len, rw;
        uint32_t bp, addr;
        unsigned size;
        bool match;
    } rows[] = {
        {1, 0, 1, 0x1000, 0x1000, 1, 1}, {1, 0, 3, 0x1000, 0x1000, 1, 0},
        {3, 0, 3, 0x1000, 0x1000, 1, 1}, {3, 0, 1, 0x1000, 0x1000, 1, 1},
        {1, 0, 1, 0x1000, 0x0ffd, 4, 1}, {1, 0, 1, 0x1000, 0x0ffc, 4, 0},
        {1, 3, 1, 0x1002, 0x1000, 1, 1}, {1, 3, 1, 0x1002, 0x1004, 1, 0},
        {1, 1, 1, 0x1001, 0x1000, 1, 1}, {1, 2, 1, 0x1000, 0x1007, 1, 1},
        {2, 1, 2, 0x60, 0x61, 1, 1},     {2, 0, 1, 0x60, 0x60, 1, 0},
        {1, 0, 2, 0x60, 0x60, 1, 0},     {1, 0, 1, 0, 0xffffffff, 2, 1},
        {0, 0, 3, 0x1000, 0x1000, 1, 0},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        reg_try('d', 1, rows[i].bp, NULL);
        reg_try('d', 7, 1u << 3 | (rows[i].kind | rows[i].len << 2) << 20, NULL);
        v->dr6_pending = 0;
        breakpoint_note_access(v, rows[i].addr, rows[i].size, rows[i].rw);
        cr_expect((v->dr6_pending == 2) == rows[i].match, "row %u", i);
        cr_expect(breakpoint_on_page(v, rows[i].bp) == (rows[i].kind & 1), "row %u: page", i);
    }
    v->cr4 = 0;
    reg_try('d', 1, 0x60, NULL);
    reg_try('d', 7, 1u << 2 | 2u << 20, NULL);
    v->dr6_pending = 0;
    breakpoint_note_access(v, 0x60, 1, 2);
    cr_expect(v->dr6_pending == 0, "no I/O breakpoints without CR4.DE");
}

Test(control, tsc)
{
    struct vcpu *v = fx_open("ring1");

    fx_world.now = 1000000000;
    cr_expect(control_guest_tsc(v) == 2600000000ull);
    fx_world.now = 3600ull * 24 * 365 * 20 * NS_PER_SEC; /* the product needs 128 bits */
    cr_expect(control_guest_tsc(v) == 3600ull * 24 * 365 * 20 * 2600000000ull);
    v->msr.tsc_offset = -1000;
    v->msr.tsc_adjust = 10;
    fx_world.now = 1;
    cr_expect((int64_t)control_guest_tsc(v) == 2 - 990);
}
