/* SPDX-License-Identifier: MIT */
/*
 * segment.c - descriptor checks, segment loads, far JMP, CALL and RET, LAR and friends, I/O
 * permission.
 * uses: monitor/arch/segment.c monitor/arch/far_jmp_call.c monitor/arch/far_ret.c
 * monitor/arch/stack.c monitor/arch/io_perm.c
 * Source: SDM vol. 2, the instructions' "Protected Mode Exceptions"; vol. 3A,
 * chapters 3 and 5.
 */
#include "tests/rig/sys_machine.h"

struct check {
    struct request r;
    bool user; /* at ring 3, otherwise ring 0 */
    int vector;
    uint32_t error;
};

static const struct check checks[] = {
    /* data segments */
    {{DO_SEG_LOAD, 0, SEG_DS, 0}, true, NO_FAULT, 0},
    {{DO_SEG_LOAD, 3, SEG_DS, 0}, true, NO_FAULT, 0},
    {{DO_SEG_LOAD, U_DATA, SEG_CS, 0}, true, VEC_UD, NO_ERROR_CODE},
    {{DO_SEG_LOAD, U_DATA, SEG_DS, 0}, true, NO_FAULT, 0},
    {{DO_SEG_LOAD, K_DATA, SEG_DS, 0}, true, VEC_GP, K_DATA},
    {{DO_SEG_LOAD, K_DATA | 3, SEG_DS, 0}, false, VEC_GP, K_DATA},
    {{DO_SEG_LOAD, U_CODE, SEG_ES, 0}, true, NO_FAULT, 0},
    {{DO_SEG_LOAD, EXEC_ONLY | 3, SEG_ES, 0}, true, VEC_GP, EXEC_ONLY},
    {{DO_SEG_LOAD, READ_ONLY | 3, SEG_FS, 0}, true, NO_FAULT, 0},
    {{DO_SEG_LOAD, CONFORMING | 3, SEG_GS, 0}, true, NO_FAULT, 0},
    {{DO_SEG_LOAD, ABSENT_DATA | 3, SEG_GS, 0}, true, VEC_NP, ABSENT_DATA},
    {{DO_SEG_LOAD, S_TSS_A, SEG_GS, 0}, false, VEC_GP, S_TSS_A},
    {{DO_SEG_LOAD, GDT_END, SEG_GS, 0}, false, VEC_GP, GDT_END},
    {{DO_SEG_LOAD, 0x0f, SEG_GS, 0}, true, VEC_GP, 0x0c}, /* no LDT */
    /* stack segments */
    {{DO_SEG_LOAD, 0, SEG_SS, 0}, false, VEC_GP, 0},
    {{DO_SEG_LOAD, K_DATA, SEG_SS, 0}, false, NO_FAULT, 0},
    {{DO_SEG_LOAD, U_DATA, SEG_SS, 0}, false, VEC_GP, U_DATA & ~3},
    {{DO_SEG_LOAD, K_DATA, SEG_SS, 0}, true, VEC_GP, K_DATA},
    {{DO_SEG_LOAD, READ_ONLY | 3, SEG_SS, 0}, true, VEC_GP, READ_ONLY},
    {{DO_SEG_LOAD, U_CODE, SEG_SS, 0}, true, VEC_GP, U_CODE & ~3},
    {{DO_SEG_LOAD, ABSENT_DATA | 3, SEG_SS, 0}, true, VEC_SS, ABSENT_DATA},
    {{DO_SEG_LOAD, DOWN | 3, SEG_SS, 0}, true, NO_FAULT, 0},
    /* LLDT, LTR */
    {{DO_LLDT, S_LDT, 0, 0}, true, VEC_GP, 0},
    {{DO_LLDT, S_LDT, 0, 0}, false, NO_FAULT, 0},
    {{DO_LLDT, 0, 0, 0}, false, NO_FAULT, 0},
    {{DO_LLDT, S_TSS_B, 0, 0}, false, VEC_GP, S_TSS_B},
    {{DO_LLDT, 0xc, 0, 0}, false, VEC_GP, 0xc},
    {{DO_LTR, 0, 0, 0}, false, VEC_GP, 0},
    {{DO_LTR, S_TSS_A, 0, 0}, false, VEC_GP, S_TSS_A}, /* busy */
    {{DO_LTR, ABSENT_TSS, 0, 0}, false, VEC_NP, ABSENT_TSS},
    {{DO_LTR, S_TSS_B, 0, 0}, false, NO_FAULT, 0},
    {{DO_LTR, S_TSS16_B, 0, 0}, false, NO_FAULT, 0},
    /* far JMP */
    {{DO_JMP, 0, 0, 4}, false, VEC_GP, 0},
    {{DO_JMP, K_CODE, 0x123456, 4}, false, NO_FAULT, 0},
    {{DO_JMP, K_CODE, 0, 4}, true, VEC_GP, K_CODE},
    {{DO_JMP, K_CODE | 3, 0, 4}, false, VEC_GP, K_CODE},
    {{DO_JMP, U_CODE, 0, 4}, false, VEC_GP, U_CODE & ~3},
    {{DO_JMP, CONFORMING, 0, 4}, true, NO_FAULT, 0},
    {{DO_JMP, K_DATA, 0, 4}, false, VEC_GP, K_DATA},
    {{DO_JMP, ABSENT_CODE, 0, 4}, false, VEC_NP, ABSENT_CODE},
    {{DO_JMP, SMALL_CODE, 0x5000, 4}, false, VEC_GP, 0},
    {{DO_JMP, SMALL_CODE, 0x4fff, 4}, false, NO_FAULT, 0},
    {{DO_JMP, RESERVED, 0, 4}, false, VEC_GP, RESERVED},
    {{DO_JMP, S_TSS_A, 0, 4}, false, VEC_GP, S_TSS_A}, /* busy */
    {{DO_JMP, S_TSS_B, 0, 4}, true, VEC_GP, S_TSS_B},  /* DPL */
    {{DO_JMP, ABSENT_TSS, 0, 4}, false, VEC_NP, ABSENT_TSS},
    {{DO_JMP, SHORT_TSS, 0, 4}, false, VEC_TS, SHORT_TSS},
    {{DO_JMP, CALL32, 0, 4}, false, NO_FAULT, 0},
    {{DO_JMP, CALL32 | 3, 0, 4}, true, VEC_GP, K_CODE}, /* JMP does not raise privilege */
    {{DO_JMP, CALL_SAME | 3, 0, 4}, true, NO_FAULT, 0},
    /* far CALL */
    {{DO_CALL, ABSENT_GATE, 0, 4}, true, VEC_NP, ABSENT_GATE},
    {{DO_CALL, GATE_TO_DATA, 0, 4}, true, VEC_GP, K_DATA},
    {{DO_CALL, CALL32 | 3, 0, 4}, true, NO_FAULT, 0},
    {{DO_CALL, K_CODE, 0, 4}, true, VEC_GP, K_CODE},
    {{DO_CALL, U_CODE, 0x10000, 4}, true, NO_FAULT, 0},
};

Test(segment, descriptor_checks)
{
    struct machine *m = machine_new();

    for (unsigned n = 0; n < ARRAY_LEN(checks); n++) {
        const struct check *c = &checks[n];
        uint32_t error;
        machine_start(m);
        if (c->user)
            go_user(m);
        struct vcpu before = m->v;
        int vector = attempt(m, c->r, &error);
        cr_expect(vector == c->vector, "row %u: vector %d, not %d", n, vector, c->vector);
        if (c->vector == NO_FAULT || vector == NO_FAULT)
            continue;
        cr_expect(error == c->error, "row %u: error 0x%x, not 0x%x", n, error, c->error);
        cr_expect(memcmp(before.seg, m->v.seg, sizeof before.seg) == 0 &&
                      memcmp(before.gpr, m->v.gpr, sizeof before.gpr) == 0 &&
                      before.cpl == m->v.cpl,
                  "row %u: a fault changed registers", n);
    }
    free(m);
}

Test(segment, cached_form)
{
    static const struct {
        uint32_t lo, hi;
        uint32_t first, last;
        uint8_t acc;
    } row[] = {
        {0x0000ffff, 0x00cf9300, 0, 0xffffffff, SEG_ACC_R | SEG_ACC_W},
        {0x00000fff, 0x00409100, 0, 0xfff, SEG_ACC_R},
        {0x0000ffff, 0x00cf9b00, 0, 0xffffffff, SEG_ACC_R | SEG_ACC_X},
        {0x0000ffff, 0x00cf9900, 0, 0xffffffff, SEG_ACC_X},
        {0x00000fff, 0x00409700, 0x1000, 0xffffffff, SEG_ACC_R | SEG_ACC_W}, /* expand-down */
        {0x00000fff, 0x00009500, 0x1000, 0xffff, SEG_ACC_R},
        {0x00000000, 0x00c09700, 0x1000, 0xffffffff, SEG_ACC_R | SEG_ACC_W},
        {0x0000ffff, 0x00cf9700, 1, 0, SEG_ACC_R | SEG_ACC_W}, /* empty */
    };
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        struct seg s;
        seg_from_descriptor(&s, 8, (struct descriptor){row[n].lo, row[n].hi});
        cr_expect(s.lo == row[n].first && s.hi == row[n].last && s.acc == row[n].acc,
                  "row %u: 0x%x..0x%x acc %u", n, s.lo, s.hi, s.acc);
    }
}

Test(segment, accessed_bit_and_ldt)
{
    struct machine *m = machine_new();
    uint32_t error;

    go_user(m);
    cr_expect(access_of(m, U_DATA) == 0xf2);
    cr_expect(attempt(m, (struct request){DO_SEG_LOAD, U_DATA, SEG_DS, 0}, &error) == NO_FAULT);
    cr_expect(access_of(m, U_DATA) == 0xf3);
    machine_start(m);
    cr_expect(attempt(m, (struct request){DO_LLDT, S_LDT, 0, 0}, &error) == NO_FAULT);
    cr_expect(attempt(m, (struct request){DO_SEG_LOAD, 0x0f, SEG_FS, 0}, &error) == NO_FAULT);
    cr_expect(m->v.seg[SEG_FS].base == 0x1234 && m->v.seg[SEG_FS].hi == 0xfff);
    cr_expect(m->ram[LDT + 8 + 5] == 0xf3);
    cr_expect(attempt(m, (struct request){DO_SEG_LOAD, 0x17, SEG_FS, 0}, &error) == VEC_GP &&
              error == 0x14);
    cr_expect(attempt(m, (struct request){DO_LTR, S_TSS_B, 0, 0}, &error) == NO_FAULT);
    cr_expect(access_of(m, S_TSS_B) == 0x8b && m->v.tr.base == TSS_B);
    free(m);
}

struct lar_row {
    uint16_t sel;
    bool user, lar, lsl, verr, verw;
    uint32_t rights, limit;
};

static const struct lar_row lar_rows[] = {
    {0, true, false, false, false, false, 0, 0},
    {U_DATA, true, true, true, true, true, 0xcff200, 0xffffffff},
    {K_DATA, true, false, false, false, false, 0, 0},
    {K_DATA, false, true, true, true, true, 0xcf9300, 0xffffffff},
    {READ_ONLY | 3, true, true, true, true, false, 0xcff000, 0xffffffff},
    {EXEC_ONLY | 3, true, true, true, false, false, 0xcff800, 0xffffffff},
    {CONFORMING | 3, true, true, true, true, false, 0xcf9e00, 0xffffffff},
    {S_TSS_A, false, true, true, false, false, 0x008b00, 0x67},
    {S_LDT, false, true, true, false, false, 0x008200, 0xf},
    {CALL32, true, true, false, false, false, 0x00ec00, 0},
    {TASK_GATE, true, true, false, false, false, 0x00e500, 0},
    {RESERVED, false, false, false, false, false, 0, 0},
    {DOWN | 3, true, true, true, true, true, 0x40f600, 0xfff},
    {GDT_END, false, false, false, false, false, 0, 0},
};

static void run_lar(struct vcpu *v, void *arg)
{
    const struct lar_row *r = arg;
    uint32_t rights = 0, limit = 0;

    cr_expect(seg_lar(v, r->sel, &rights) == r->lar, "LAR 0x%x", r->sel);
    cr_expect(!r->lar || rights == r->rights, "LAR 0x%x: 0x%x", r->sel, rights);
    cr_expect(seg_lsl(v, r->sel, &limit) == r->lsl, "LSL 0x%x", r->sel);
    cr_expect(!r->lsl || limit == r->limit, "LSL 0x%x: 0x%x", r->sel, limit);
    cr_expect(seg_ver(v, r->sel, false) == r->verr, "VERR 0x%x", r->sel);
    cr_expect(seg_ver(v, r->sel, true) == r->verw, "VERW 0x%x", r->sel);
}

Test(segment, lar_lsl_verr_verw)
{
    struct machine *m = machine_new();
    struct fault f;

    for (unsigned n = 0; n < ARRAY_LEN(lar_rows); n++) {
        struct lar_row r = lar_rows[n];
        machine_start(m);
        if (r.user)
            go_user(m);
        cr_expect(!fault_catch(&m->v, run_lar, &r, &f), "row %u raised", n);
    }
    go_v86(m, 3);
    struct lar_row r = lar_rows[0];
    cr_expect(fault_catch(&m->v, run_lar, &r, &f) && f.vector == VEC_UD, "LAR in V86 mode");
    free(m);
}

Test(segment, call_gates)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;

    /* 32-bit gate, two parameters, ring 3 to 0 and back. */
    go_user(m);
    push32(m, 0x22222222);
    push32(m, 0x11111111);
    uint32_t esp = v->gpr[ESP];
    cr_assert(attempt(m, (struct request){DO_CALL, CALL32 | 3, 0xdead, 4}, &error) == NO_FAULT);
    cr_expect(v->cpl == 0 && v->seg[SEG_CS].sel == K_CODE && v->seg[SEG_SS].sel == K_DATA);
    cr_expect(v->next_eip == 0x5000 && v->gpr[ESP] == STACK0 - 24);
    static const uint32_t frame[] = {0x4002, U_CODE, 0x11111111, 0x22222222};
    for (unsigned n = 0; n < 4; n++)
        cr_expect(get32(m, v->gpr[ESP] + 4 * n) == frame[n], "dword %u", n);
    cr_expect(get32(m, v->gpr[ESP] + 16) == esp && get32(m, v->gpr[ESP] + 20) == U_DATA);
    cr_expect(v->attention & ATT_MODE);
    seg_load(v, SEG_DS, K_DATA); /* not allowed outside: must be nulled */
    cr_assert(attempt(m, (struct request){DO_RET, 4, 8, 0}, &error) == NO_FAULT);
    cr_expect(v->cpl == 3 && v->seg[SEG_CS].sel == U_CODE && v->seg[SEG_SS].sel == U_DATA);
    cr_expect(v->next_eip == 0x4002 && v->gpr[ESP] == STACK3);
    cr_expect(v->seg[SEG_DS].sel == 0 && v->seg[SEG_DS].acc == 0 && v->seg[SEG_ES].sel == U_DATA);

    /* 16-bit gate into 16-bit code, one parameter. */
    machine_start(m);
    go_user(m);
    push16(m, 0xbeef);
    cr_assert(attempt(m, (struct request){DO_CALL, CALL16 | 3, 0, 4}, &error) == NO_FAULT);
    cr_expect(v->next_eip == 0x600 && v->gpr[ESP] == STACK0 - 10 &&
              get16(m, v->gpr[ESP] + 4) == 0xbeef);
    cr_expect(get16(m, v->gpr[ESP] + 6) == STACK3 - 2);

    /* The inner stack's faults, one by one. */
    static const struct {
        uint32_t esp;
        uint16_t ss;
        int vector;
        uint32_t error;
    } row[] = {
        {STACK0, 0, VEC_TS, 0},
        {STACK0, K_DATA | 1, VEC_TS, K_DATA},
        {STACK0, K_CODE, VEC_TS, K_CODE},
        {STACK0, GDT_END, VEC_TS, GDT_END},
        {STACK0, U_DATA, VEC_TS, U_DATA & ~3},
        {1, K_DATA16, VEC_SS, K_DATA16},
    };
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        machine_start(m);
        go_user(m);
        put32(m, TSS_A + 4, row[n].esp);
        put16(m, TSS_A + 8, row[n].ss);
        int vector = attempt(m, (struct request){DO_CALL, CALL32, 0, 4}, &error);
        cr_expect(vector == row[n].vector && error == row[n].error, "row %u: %d 0x%x", n, vector,
                  error);
        cr_expect(v->cpl == 3 && v->gpr[ESP] == STACK3, "row %u", n);
    }
    v->tr.limit = 8; /* no room for SS0 */
    cr_expect(attempt(m, (struct request){DO_CALL, CALL32, 0, 4}, &error) == VEC_TS &&
              error == S_TSS_A);
    free(m);
}

Test(segment, far_returns)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;
    static const struct {
        uint32_t eip, cs, esp, ss;
        int vector;
        uint32_t error;
    } row[] = {
        {0x7000, K_CODE, 0, 0, NO_FAULT, 0},
        {0x7000, 0, 0, 0, VEC_GP, 0},
        {0x7000, K_DATA, 0, 0, VEC_GP, K_DATA},
        {0x7000, ABSENT_CODE, 0, 0, VEC_NP, ABSENT_CODE},
        {0x7000, SMALL_CODE, 0, 0, VEC_GP, 0},
        {0x7000, GDT_END, 0, 0, VEC_GP, GDT_END},
        {0x7000, U_CODE, 0x9abc, U_DATA, NO_FAULT, 0},
        {0x7000, U_CODE, 0x9abc, 0, VEC_GP, 0},
        {0x7000, U_CODE, 0x9abc, K_DATA, VEC_GP, K_DATA},
        {0x7000, U_CODE, 0x9abc, READ_ONLY | 3, VEC_GP, READ_ONLY},
        {0x7000, U_CODE, 0x9abc, ABSENT_DATA | 3, VEC_SS, ABSENT_DATA},
        {0x7000, CONFORMING | 3, 0x9abc, U_DATA, NO_FAULT, 0},
        {0x7000, CODE1 | 1, 0x9abc, DATA1 | 1, NO_FAULT, 0},
        {0x7000, CODE1 | 2, 0x9abc, DATA1 | 1, VEC_GP, CODE1},
    };
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        machine_start(m);
        push32(m, row[n].ss);
        push32(m, row[n].esp);
        push32(m, row[n].cs);
        push32(m, row[n].eip);
        uint32_t esp = v->gpr[ESP];
        int vector = attempt(m, (struct request){DO_RET, 4, 0, 0}, &error);
        cr_expect(vector == row[n].vector, "row %u: %d", n, vector);
        if (vector != NO_FAULT) {
            cr_expect(error == row[n].error && v->gpr[ESP] == esp, "row %u: 0x%x", n, error);
            continue;
        }
        cr_expect(v->next_eip == 0x7000 && v->seg[SEG_CS].sel == row[n].cs &&
                      v->cpl == (row[n].cs & 3),
                  "row %u", n);
        cr_expect(v->gpr[ESP] == (row[n].cs & 3 ? 0x9abc : esp + 8), "row %u: ESP 0x%x", n,
                  v->gpr[ESP]);
    }
    /* Ring 3 may not return inwards. */
    machine_start(m);
    go_user(m);
    push32(m, K_CODE);
    push32(m, 0x7000);
    cr_expect(attempt(m, (struct request){DO_RET, 4, 0, 0}, &error) == VEC_GP && error == K_CODE);
    free(m);
}

Test(segment, stacks)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;

    /* A 16-bit stack wraps in SP and keeps the upper half of ESP. */
    seg_load(v, SEG_SS, K_DATA16);
    v->gpr[ESP] = 0xabcd0002;
    cr_assert(attempt(m, (struct request){DO_CALL, K_CODE, 0x5000, 2}, &error) == NO_FAULT);
    cr_expect(v->gpr[ESP] == 0xabcdfffe, "ESP 0x%x", v->gpr[ESP]);
    cr_expect(get16(m, CODE16_BASE) == K_CODE && get16(m, CODE16_BASE + 0xfffe) == 0x4002);
    v->gpr[ESP] = 0xabcd0001; /* the word at 0xffff sticks out */
    cr_expect(attempt(m, (struct request){DO_CALL, K_CODE, 0x5000, 2}, &error) == VEC_SS &&
              error == 0);
    cr_expect(v->gpr[ESP] == 0xabcd0001);

    /* An expand-down stack: nothing at or below its limit. */
    machine_start(m);
    go_user(m);
    seg_load(v, SEG_SS, DOWN | 3);
    v->gpr[ESP] = 0x1008;
    cr_expect(attempt(m, (struct request){DO_CALL, U_CODE, 0x5000, 4}, &error) == NO_FAULT);
    cr_expect(attempt(m, (struct request){DO_CALL, U_CODE, 0x5000, 4}, &error) == VEC_SS &&
              error == 0);

    /* Alignment checks at ring 3 only. */
    machine_start(m);
    v->cr0 |= CR0_AM;
    v->eflags |= EFL_AC;
    v->gpr[ESP] -= 2;
    cr_expect(attempt(m, (struct request){DO_CALL, K_CODE, 0x5000, 4}, &error) == NO_FAULT);
    go_user(m);
    v->gpr[ESP] -= 2;
    cr_expect(attempt(m, (struct request){DO_CALL, U_CODE, 0x5000, 4}, &error) == VEC_AC &&
              error == 0);
    free(m);
}

Test(segment, io_permission)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;
    static const struct {
        uint16_t port;
        uint8_t size;
        bool ok;
    } row[] =
        {
            {0x10, 1, true},  {0x13, 1, false}, {0x12, 1, true},
            {0x12, 2, false}, {0x10, 4, false}, {0x14, 4, true},
            {0x07, 2, true},  {0x1f, 1, true},  {0x1f, 2, false}, /* ends in the byte of ones */
            {0x20, 1, false}, {0x28, 1, false}, {0xffff, 1, false},
        };

    v->tr.limit = 0x68 + 4; /* bitmap bytes 0..3, then ones */
    m->ram[TSS_A + 0x68 + 2] = 1 << 3;
    m->ram[TSS_A + 0x68 + 4] = 0xff;
    cr_expect(attempt(m, (struct request){DO_IO, 0xffff, 4, 0}, &error) == NO_FAULT,
              "ring 0 needs no bitmap");
    for (unsigned pass = 0; pass < 2; pass++) {
        if (pass == 0)
            go_user(m);
        else
            go_v86(m, 3); /* IOPL 3 does not help */
        for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
            int vector = attempt(m, (struct request){DO_IO, row[n].port, row[n].size, 0}, &error);
            cr_expect((vector == NO_FAULT) == row[n].ok, "pass %u port 0x%x size %u", pass,
                      row[n].port, row[n].size);
        }
    }
    machine_start(m);
    go_user(m);
    v->eflags |= EFL_IOPL;
    cr_expect(attempt(m, (struct request){DO_IO, 0x20, 1, 0}, &error) == NO_FAULT, "IOPL 3");
    free(m);
}

/* The segments of SYSENTER and SYSEXIT are those of flat descriptors, and who has to hear of them
 * does. */
Test(segment, flat)
{
    struct machine *m = machine_new(), *d = machine_new();

    for (unsigned n = 0; n < 64; n++) {
        unsigned from = n & 1 ? 3 : 0, to = n & 2 ? 3 : 0;
        struct descriptor code = {0x0000ffff, (n & 4 ? 0x008f9b00 : 0x00cf9b00) | from << 13};
        struct descriptor data = {0x0000ffff, (n & 8 ? 0x008f9300 : 0x00cf9300) | from << 13};
        struct machine *both[] = {m, d};
        code.lo = n & 16 ? code.lo : 0x1000ffff;
        code.hi &= n & 32 ? ~0u : ~0x80000u;
        for (unsigned k = 0; k < 2; k++) {
            seg_set_cs(&both[k]->v, (uint16_t)(8 | from), code, from);
            seg_set_ss(&both[k]->v, (uint16_t)(16 | from), data);
            both[k]->v.attention = 0;
        }
        seg_set_flat(&m->v, (uint16_t)(24 | to), (uint16_t)(32 | to), to);
        seg_set_cs(&d->v, 24, (struct descriptor){0x0000ffff, 0x00cf9b00 | to << 13}, to);
        seg_set_ss(&d->v, (uint16_t)(32 | to),
                   (struct descriptor){0x0000ffff, 0x00cf9300 | to << 13});
        cr_expect(!memcmp(m->v.seg, d->v.seg, sizeof m->v.seg), "case %u: segments", n);
        cr_expect(m->v.cpl == d->v.cpl && m->v.attention == d->v.attention,
                  "case %u: attention %x, not %x", n, m->v.attention, d->v.attention);
    }
    free(m);
    free(d);
}

Test(segment, sysenter_sysexit)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;

    go_user(m);
    cr_expect(attempt(m, (struct request){DO_SYSENTER, 0, 0, 0}, &error) == VEC_GP && error == 0);
    v->msr.sysenter_cs = K_CODE;
    v->msr.sysenter_eip = 0xc0001000;
    v->msr.sysenter_esp = 0xc0002000;
    v->eflags |= EFL_IF;
    cr_assert(attempt(m, (struct request){DO_SYSENTER, 0, 0, 0}, &error) == NO_FAULT);
    cr_expect(v->cpl == 0 && v->next_eip == 0xc0001000 && v->gpr[ESP] == 0xc0002000 &&
              !(v->eflags & EFL_IF));
    cr_expect(v->seg[SEG_CS].sel == K_CODE && v->seg[SEG_SS].sel == K_DATA &&
              v->seg[SEG_SS].hi == 0xffffffff);
    v->gpr[ECX] = STACK3;
    v->gpr[EDX] = 0x1234;
    cr_assert(attempt(m, (struct request){DO_SYSEXIT, 0, 0, 0}, &error) == NO_FAULT);
    cr_expect(v->cpl == 3 && v->next_eip == 0x1234 && v->gpr[ESP] == STACK3);
    cr_expect(v->seg[SEG_CS].sel == U_CODE && v->seg[SEG_SS].sel == U_DATA);
    cr_expect(attempt(m, (struct request){DO_SYSEXIT, 0, 0, 0}, &error) == VEC_GP && error == 0);
    free(m);
}
