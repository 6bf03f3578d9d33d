/* SPDX-License-Identifier: MIT */
/*
 * exception.c - events through the IVT and the IDT, IRET, virtual-8086 mode and VME, double and
 * triple faults, EFLAGS.
 * uses: monitor/arch/exception.c monitor/arch/deliver.c monitor/arch/far_ret.c
 * monitor/arch/eflags.c monitor/cpu/unwind.S
 * Source: SDM vol. 3A, chapter 6; vol. 3B, chapter 21.
 */
#include "tests/rig/sys_machine.h"

#define INTR32 0x8e
#define TRAP32 0x8f
#define INTR16 0x86
#define DPL3   0x60

static void check_dwords(const struct machine *m, uint32_t at, const uint32_t *want, unsigned count,
                         const char *what)
{
    for (unsigned n = 0; n < count; n++)
        cr_expect(get32(m, at + 4 * n) == want[n], "%s: dword %u is 0x%x, not 0x%x", what, n,
                  get32(m, at + 4 * n), want[n]);
}

static void raise_inner(struct vcpu *v, void *arg)
{
    (void)arg;
    fault_raise(v, VEC_NP, 0x1234);
}
static void raise_outer(struct vcpu *v, void *arg)
{
    struct fault f;

    cr_expect(fault_catch(v, raise_inner, arg, &f) && f.vector == VEC_NP && f.error == 0x1234);
    fault_pf(v, 0xcafe000, 7);
}
static void raise_none(struct vcpu *v, void *arg)
{
    v->gpr[EAX] = *(uint32_t *)arg;
}

Test(exception, catch_nests)
{
    struct machine *m = machine_new();
    struct fault f;
    uint32_t val = 42;

    for (unsigned n = 0; n < 3; n++) {
        cr_expect(fault_catch(&m->v, raise_outer, NULL, &f) && f.vector == VEC_PF && f.error == 7);
        cr_expect(m->v.cr2 == 0xcafe000);
        cr_expect(!fault_catch(&m->v, raise_none, &val, &f) && m->v.gpr[EAX] == 42);
    }
    free(m);
}

Test(exception, same_level)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;

    idt_gate(m, VEC_GP, INTR32, K_CODE, 0x6000);
    v->eflags = EFL_FIXED1 | EFL_IF | EFL_TF | EFL_NT | EFL_AC | EFL_CF;
    fault_deliver(v, &(struct fault){.vector = VEC_GP, .error = 0x88});
    const uint32_t frame[] = {0x88, 0x4000, K_CODE,
                              EFL_FIXED1 | EFL_IF | EFL_TF | EFL_NT | EFL_AC | EFL_CF | EFL_RF};
    cr_expect(v->gpr[ESP] == STACK0_NOW - 16 && v->eip == 0x6000 && v->next_eip == 0x6000);
    check_dwords(m, v->gpr[ESP], frame, 4, "fault");
    cr_expect(v->eflags == (EFL_FIXED1 | EFL_AC | EFL_CF));
    cr_expect(v->stats.exceptions == 1 && v->delivering == 0xff);

    /* A trap gate keeps IF; an external interrupt pushes RF as it is. */
    machine_start(m);
    idt_gate(m, 0x20, TRAP32, K_CODE, 0x6000);
    v->eflags |= EFL_IF;
    event_deliver(v, EVENT_EXTERNAL, 0x20, NO_ERROR_CODE);
    const uint32_t ext[] = {0x4000, K_CODE, EFL_FIXED1 | EFL_IF};
    check_dwords(m, v->gpr[ESP], ext, 3, "interrupt");
    cr_expect(v->eflags == (EFL_FIXED1 | EFL_IF));

    /* A 16-bit gate pushes words. */
    machine_start(m);
    idt_gate(m, 0x20, INTR16, K_CODE16, 0x77776000);
    event_deliver(v, EVENT_EXTERNAL, 0x20, NO_ERROR_CODE);
    cr_expect(v->gpr[ESP] == STACK0_NOW - 6 && v->eip == 0x6000 &&
              v->seg[SEG_CS].base == CODE16_BASE);
    cr_expect(get16(m, v->gpr[ESP]) == 0x4000 && get16(m, v->gpr[ESP] + 2) == K_CODE);

    /* #DB leaves RF alone and clears DR7.GD; NMI blocks NMIs. */
    machine_start(m);
    idt_gate(m, VEC_DB, INTR32, K_CODE, 0x6000);
    idt_gate(m, VEC_NMI, INTR32, K_CODE, 0x6000);
    v->dr[7] = 0x2400;
    fault_deliver(v, &(struct fault){.vector = VEC_DB, .error = NO_ERROR_CODE});
    cr_expect(get32(m, v->gpr[ESP] + 8) == EFL_FIXED1 && v->dr[7] == 0x400);
    event_deliver(v, EVENT_NMI, VEC_NMI, NO_ERROR_CODE);
    cr_expect(v->nmi_blocked);
    uint32_t error;
    cr_expect(attempt(m, (struct request){DO_IRET, 4, 0, 0}, &error) == NO_FAULT &&
              !v->nmi_blocked);
    free(m);
}

Test(exception, inner_level_and_iret)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;

    idt_gate(m, 0x80, TRAP32 | DPL3, K_CODE, 0x6000);
    go_user(m);
    v->eflags |= EFL_IF;
    cr_assert(attempt(m, (struct request){DO_INT, 0x80, 0, 0}, &error) == NO_FAULT);
    const uint32_t frame[] = {0x4002, U_CODE, EFL_FIXED1 | EFL_IF, STACK3, U_DATA};
    cr_expect(v->gpr[ESP] == STACK0 - 20 && v->cpl == 0 && v->next_eip == 0x6000);
    check_dwords(m, v->gpr[ESP], frame, 5, "int 0x80");
    cr_expect(v->seg[SEG_DS].sel == U_DATA, "DS is the program's");
    seg_load(v, SEG_FS, K_DATA);
    put32(m, v->gpr[ESP] + 8, 0xffffffff & ~EFL_VM);
    cr_assert(attempt(m, (struct request){DO_IRET, 4, 0, 0}, &error) == NO_FAULT);
    cr_expect(v->cpl == 3 && v->next_eip == 0x4002 && v->gpr[ESP] == STACK3);
    cr_expect(v->eflags == (0x3f7fd7 & ~EFL_VM), "ring 0 changes all: 0x%x", v->eflags);
    cr_expect(v->seg[SEG_FS].sel == 0 && v->seg[SEG_DS].sel == U_DATA);

    /* At ring 3 IRET leaves IF, IOPL, VIF, VIP and VM. */
    machine_start(m);
    go_user(m);
    v->eflags |= EFL_IF;
    push32(m, 0xffffffff & ~EFL_IF);
    push32(m, U_CODE);
    push32(m, 0x7000);
    cr_assert(attempt(m, (struct request){DO_IRET, 4, 0, 0}, &error) == NO_FAULT);
    cr_expect(v->eflags == (EFL_FIXED1 | EFL_IF | EFL_ARITH | EFL_TF | EFL_DF | EFL_NT | EFL_RF |
                            EFL_AC | EFL_ID),
              "0x%x", v->eflags);

    /* A conforming handler runs at the interrupted level. */
    machine_start(m);
    go_user(m);
    idt_gate(m, 0x81, INTR32 | DPL3, CONFORMING, 0x6000);
    cr_assert(attempt(m, (struct request){DO_INT, 0x81, 0, 0}, &error) == NO_FAULT);
    cr_expect(v->cpl == 3 && v->gpr[ESP] == STACK3 - 12 && v->seg[SEG_CS].sel == (CONFORMING | 3));

    /* 16-bit IRET to a 16-bit stack keeps the upper half of ESP. */
    machine_start(m);
    push16(m, U_DATA16);
    push16(m, 0x1234);
    push16(m, EFL_FIXED1);
    push16(m, U_CODE);
    push16(m, 0x7000);
    v->seg[SEG_SS].base = 0u - 0x50000u; /* so that ESP has an upper half */
    v->gpr[ESP] += 0x50000;
    cr_assert(attempt(m, (struct request){DO_IRET, 2, 0, 0}, &error) == NO_FAULT);
    cr_expect(v->gpr[ESP] == 0x51234 && v->cpl == 3, "ESP 0x%x", v->gpr[ESP]);
    free(m);
}

Test(exception, gate_checks)
{
    struct machine *m = machine_new();
    static const struct {
        uint8_t access;
        uint16_t sel;
        uint32_t off;
        int vector; /* of INT n at ring 3 */
        uint32_t error;
    } row[] = {
        {INTR32, K_CODE, 0, VEC_GP, 0x90 * 8 + 2}, /* DPL */
        {0, 0, 0, VEC_GP, 0x90 * 8 + 2},
        {0xec, K_CODE, 0, VEC_GP, 0x90 * 8 + 2}, /* a call gate */
        {0xfe, K_CODE, 0, VEC_GP, 0x90 * 8 + 2}, /* S = 1 */
        {0x6e, K_CODE, 0, VEC_NP, 0x90 * 8 + 2},
        {0xee, 0, 0, VEC_GP, 0},
        {0xee, K_DATA, 0, VEC_GP, K_DATA},
        {0xee, GDT_END, 0, VEC_GP, GDT_END},
        {0xee, ABSENT_CODE, 0, VEC_NP, ABSENT_CODE},
        {0xee, SMALL_CODE, 0x5000, VEC_GP, 0},
        {0xee, SMALL_CODE, 0x4fff, NO_FAULT, 0},
        {0xee, CODE1, 0, NO_FAULT, 0},
        {0xe5, K_CODE, 0, VEC_GP, K_CODE},           /* task gates */
        {0xe5, S_TSS_A, 0, VEC_GP, S_TSS_A},         /* busy */
        {0xe5, S_TSS_B | 4, 0, VEC_GP, S_TSS_B | 4}, /* in the LDT */
        {0xe5, ABSENT_TSS, 0, VEC_NP, ABSENT_TSS},
        {0xe5, SHORT_TSS, 0, VEC_TS, SHORT_TSS},
    };
    uint32_t error;

    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        machine_start(m);
        go_user(m);
        idt_gate(m, 0x90, row[n].access, row[n].sel, row[n].off);
        int vector = attempt(m, (struct request){DO_INT, 0x90, 0, 0}, &error);
        cr_expect(vector == row[n].vector, "row %u: %d", n, vector);
        if (vector != NO_FAULT)
            cr_expect(error == row[n].error && m->v.gpr[ESP] == STACK3, "row %u: 0x%x", n, error);
        if (row[n].vector == NO_FAULT || (row[n].access & 0x7f) == (INTR32 & 0x7f))
            continue;
        /* The same as an external interrupt: EXT is set in the code that #GP, #NP, #TS push. */
        machine_start(m);
        idt_gate(m, 0x90, row[n].access, row[n].sel, row[n].off);
        idt_gate(m, (unsigned)row[n].vector, INTR32, K_CODE, 0x6000);
        event_deliver(&m->v, EVENT_EXTERNAL, 0x90, NO_ERROR_CODE);
        cr_expect(m->v.eip == 0x6000 && get32(m, m->v.gpr[ESP]) == (row[n].error | 1),
                  "row %u: EXT 0x%x", n, get32(m, m->v.gpr[ESP]));
    }
    machine_start(m);
    m->v.idtr.limit = 0x90 * 8 + 6;
    cr_expect(attempt(m, (struct request){DO_INT3, 0x90, 0, 0}, &error) == VEC_GP &&
              error == 0x90 * 8 + 2);
    free(m);
}

Test(exception, v86_round_trip)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;

    /* Ring 0 enters V86 mode by IRET. */
    const uint32_t in[] = {
        0x1500, 0x1400, 0x1300, 0x1000, 0x1200, 0x9fff0200, EFL_FIXED1 | EFL_VM | EFL_IF,
        0x1100, 0x100};
    for (unsigned n = 0; n < ARRAY_LEN(in); n++)
        push32(m, in[n]);
    cr_assert(attempt(m, (struct request){DO_IRET, 4, 0, 0}, &error) == NO_FAULT);
    static const uint16_t sel[SEG_COUNT] = {0x1000, 0x1100, 0x1200, 0x1300, 0x1400, 0x1500};
    for (unsigned n = 0; n < SEG_COUNT; n++)
        cr_expect(v->seg[n].sel == sel[n] && v->seg[n].base == sel[n] * 16u &&
                      v->seg[n].hi == 0xffff,
                  "segment %u", n);
    cr_expect(v->cpl == 3 && vcpu_v86(v) && v->next_eip == 0x100 && v->gpr[ESP] == 0x9fff0200);
    cr_expect(v->seg[SEG_CS].acc == (SEG_ACC_R | SEG_ACC_W | SEG_ACC_X));

    /* An interrupt takes it out, with all segments on the ring-0 stack. */
    v->eip = 0x123;
    idt_gate(m, 0x20, INTR32, K_CODE, 0x6000);
    event_deliver(v, EVENT_EXTERNAL, 0x20, NO_ERROR_CODE);
    const uint32_t out[] = {0x123,      0x1100, EFL_FIXED1 | EFL_VM | EFL_IF,
                            0x9fff0200, 0x1200, 0x1000,
                            0x1300,     0x1400, 0x1500};
    cr_expect(v->gpr[ESP] == STACK0 - 36 && v->cpl == 0 && !vcpu_v86(v));
    check_dwords(m, v->gpr[ESP], out, 9, "V86 frame");
    for (unsigned n = 0; n < SEG_COUNT; n++)
        if (n != SEG_CS && n != SEG_SS)
            cr_expect(v->seg[n].sel == 0 && v->seg[n].acc == 0, "segment %u", n);
    cr_assert(attempt(m, (struct request){DO_IRET, 4, 0, 0}, &error) == NO_FAULT);
    cr_expect(vcpu_v86(v) && v->next_eip == 0x123 && v->seg[SEG_GS].sel == 0x1500 &&
              (v->eflags & EFL_IF));

    /* A handler that is not ring 0 is refused; EIP beyond 64 KiB is refused on the way in. */
    go_v86(m, 3);
    idt_gate(m, 0x21, INTR32 | DPL3, CODE1, 0x6000);
    cr_expect(attempt(m, (struct request){DO_INT, 0x21, 0, 0}, &error) == VEC_GP && error == CODE1);
    idt_gate(m, 0x21, INTR32 | DPL3, CONFORMING, 0x6000);
    cr_expect(attempt(m, (struct request){DO_INT, 0x21, 0, 0}, &error) == VEC_GP &&
              error == CONFORMING);
    machine_start(m);
    for (unsigned n = 0; n < ARRAY_LEN(in); n++)
        push32(m, n == 8 ? 0x10000 : in[n]);
    cr_expect(attempt(m, (struct request){DO_IRET, 4, 0, 0}, &error) == VEC_GP && error == 0 &&
              !vcpu_v86(v));
    free(m);
}

Test(exception, v86_software_interrupts)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;
    static const struct {
        bool vme, bit;
        uint8_t iopl;
        bool vif;
        int vector;
        bool redirected;
    } row[] = {
        {false, false, 3, false, NO_FAULT, false}, {false, false, 0, false, VEC_GP, false},
        {true, true, 3, false, NO_FAULT, false},   {true, true, 0, false, VEC_GP, false},
        {true, false, 3, false, NO_FAULT, true},   {true, false, 0, false, NO_FAULT, true},
        {true, false, 0, true, NO_FAULT, true},
    };
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        machine_start(m);
        idt_gate(m, 0x21, INTR32 | DPL3, K_CODE, 0x6000);
        put32(m, 0x21 * 4, 0x18000444);
        put16(m, TSS_A + 0x66, 0x88); /* 32 bytes of redirection bitmap below the I/O map */
        v->tr.limit = 0x90;
        m->ram[TSS_A + 0x68 + 4] = row[n].bit ? 2 : 0;
        go_v86(m, row[n].iopl);
        v->cr4 = row[n].vme ? CR4_VME : 0;
        v->eflags |= EFL_IF | EFL_TF | (row[n].vif ? EFL_VIF : 0);
        int vector = attempt(m, (struct request){DO_INT, 0x21, 0, 0}, &error);
        cr_expect(vector == row[n].vector && (vector == NO_FAULT || error == 0), "row %u: %d 0x%x",
                  n, vector, error);
        if (vector != NO_FAULT)
            continue;
        cr_expect(vcpu_v86(v) == row[n].redirected, "row %u", n);
        if (!row[n].redirected)
            continue;
        cr_expect(v->seg[SEG_CS].sel == 0x1800 && v->next_eip == 0x444 && v->gpr[ESP] == 0x1fa,
                  "row %u", n);
        uint32_t at = v->seg[SEG_SS].base + 0x1fa;
        bool image_if = row[n].iopl == 3 || row[n].vif;
        cr_expect(get16(m, at) == 0x102 && get16(m, at + 2) == 0x1100, "row %u", n);
        cr_expect(get16(m, at + 4) == (EFL_FIXED1 | EFL_TF | EFL_IOPL | (image_if ? EFL_IF : 0)),
                  "row %u: 0x%x", n, get16(m, at + 4));
        cr_expect(!(v->eflags & (EFL_TF | EFL_VIF)) && !(v->eflags & EFL_IF) == (row[n].iopl == 3),
                  "row %u", n);
        /* and back */
        vector = attempt(m, (struct request){DO_IRET, 2, 0, 0}, &error);
        bool tf_refused = row[n].iopl != 3; /* VME: an image with TF is #GP */
        cr_expect(vector == (tf_refused ? VEC_GP : NO_FAULT), "row %u: IRET %d", n, vector);
        if (tf_refused) {
            put16(m, at + 4, get16(m, at + 4) & ~EFL_TF);
            cr_expect(attempt(m, (struct request){DO_IRET, 2, 0, 0}, &error) == NO_FAULT, "row %u",
                      n);
            cr_expect(!(v->eflags & EFL_VIF) == !row[n].vif, "row %u", n);
        }
        cr_expect(v->next_eip == 0x102 && v->gpr[ESP] == 0x200 && vcpu_iopl(v) == row[n].iopl,
                  "row %u", n);
    }
    /* INT3 asks for no IOPL and is never redirected. */
    go_v86(m, 0);
    idt_gate(m, VEC_BP, INTR32 | DPL3, K_CODE, 0x6000);
    cr_expect(attempt(m, (struct request){DO_INT3, VEC_BP, 0, 0}, &error) == NO_FAULT &&
              v->cpl == 0);
    free(m);
}

Test(exception, double_and_triple_fault)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    static const struct {
        uint8_t first;  /* delivered; 0xff: external 0x20 */
        uint8_t broken; /* what its gate refers to: raises this */
        unsigned arrives;
        uint32_t error;
    } row[] = {
        {VEC_UD, VEC_NP, VEC_NP, VEC_UD * 8 + 3}, /* benign, then anything */
        {0xff, VEC_NP, VEC_NP, 0x20 * 8 + 3},
        {VEC_GP, VEC_NP, VEC_DF, 0}, /* contributory twice */
        {VEC_PF, VEC_NP, VEC_DF, 0},
        {VEC_DE, VEC_NP, VEC_DF, 0},
    };
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        unsigned vector = row[n].first == 0xff ? 0x20 : row[n].first;
        machine_start(m);
        idt_gate(m, vector, 0x0e, K_CODE, 0x6000); /* not present */
        idt_gate(m, VEC_NP, INTR32, K_CODE, 0x6100);
        if (vector == VEC_NP)
            idt_gate(m, VEC_NP, 0x0e, K_CODE, 0);
        idt_gate(m, VEC_DF, INTR32, K_CODE, 0x6200);
        event_deliver(v, row[n].first == 0xff ? EVENT_EXTERNAL : EVENT_FAULT, vector,
                      row[n].first == VEC_GP ? 0 : NO_ERROR_CODE);
        cr_expect(v->eip == (row[n].arrives == VEC_DF ? 0x6200 : 0x6100), "row %u: 0x%x", n,
                  v->eip);
        cr_expect(get32(m, v->gpr[ESP]) == row[n].error, "row %u: error 0x%x", n,
                  get32(m, v->gpr[ESP]));
        cr_expect(get32(m, v->gpr[ESP] + 4) == 0x4000 && v->exit_reason == EXIT_NONE, "row %u", n);
    }
    /* No IDT at all: shutdown, from every kind of event. */
    machine_start(m);
    v->idtr.limit = 0;
    event_deliver(v, EVENT_EXTERNAL, 0x20, NO_ERROR_CODE);
    cr_expect(v->exit_reason == EXIT_TRIPLE_FAULT && (v->attention & ATT_EXIT) &&
              v->delivering == 0xff);
    cr_expect_eq(v->exit_code, VEC_DF | 0x20 << 8, "the last of the chain, and the first");
    cr_expect(v->gpr[ESP] == STACK0_NOW && v->eip == 0x4000);
    machine_start(m);
    go_real(m);
    v->idtr.limit = 0;
    fault_deliver(v, &(struct fault){.vector = VEC_UD, .error = NO_ERROR_CODE});
    cr_expect(v->exit_reason == EXIT_TRIPLE_FAULT && v->exit_code == (VEC_DF | VEC_UD << 8));

    /* A double fault through a task gate, the classic way to survive a bad stack. */
    machine_start(m);
    idt_gate(m, VEC_GP, INTR32, K_CODE, 0x6000);
    idt_gate(m, VEC_DF, 0x85, S_TSS_B, 0);
    v->seg[SEG_SS].hi = 0x100;
    v->seg[SEG_SS].limit = 0x100;
    fault_deliver(v, &(struct fault){.vector = VEC_GP, .error = 0});
    cr_expect(v->tr.sel == S_TSS_B && v->eip == 0x5000 && get32(m, v->gpr[ESP]) == 0);
    cr_expect(get32(m, TSS_A + 0x20) == 0x4000 && (v->eflags & EFL_NT) &&
              v->exit_reason == EXIT_NONE);

    /* Benign faults without end: #AC of a ring-3 #AC handler. */
    machine_start(m);
    go_user(m);
    idt_gate(m, VEC_AC, INTR32, U_CODE, 0x6000);
    v->cr0 |= CR0_AM;
    v->eflags |= EFL_AC;
    v->gpr[ESP] -= 1;
    fault_deliver(v, &(struct fault){.vector = VEC_AC, .error = 0});
    cr_expect(v->exit_reason == EXIT_TRIPLE_FAULT && v->exit_code == (VEC_AC | VEC_AC << 8));
    v->cr0 &= ~CR0_AM;
    free(m);
}

Test(exception, real_mode)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;

    go_real(m);
    put32(m, 0x10 * 4, 0xf0001234);
    v->eflags |= EFL_IF | EFL_TF | EFL_CF;
    cr_assert(attempt(m, (struct request){DO_INT, 0x10, 0, 0}, &error) == NO_FAULT);
    cr_expect(v->next_eip == 0x1234 && v->seg[SEG_CS].sel == 0xf000 &&
              v->seg[SEG_CS].base == 0xf0000);
    cr_expect(v->gpr[ESP] == 0x6ffa && get16(m, 0x6ffa) == 0x4002 && get16(m, 0x6ffc) == 0);
    cr_expect(get16(m, 0x6ffe) == (EFL_FIXED1 | EFL_IF | EFL_TF | EFL_CF) &&
              v->eflags == (EFL_FIXED1 | EFL_CF));
    cr_assert(attempt(m, (struct request){DO_IRET, 2, 0, 0}, &error) == NO_FAULT);
    cr_expect(v->next_eip == 0x4002 && v->seg[SEG_CS].sel == 0 && v->gpr[ESP] == 0x7000);
    cr_expect(v->eflags == (EFL_FIXED1 | EFL_IF | EFL_TF | EFL_CF));

    /* Big real mode: limits survive loads, far jumps too; no error code is pushed. */
    v->seg[SEG_DS].limit = v->seg[SEG_DS].hi = 0xffffffff;
    seg_load(v, SEG_DS, 0x2000);
    cr_expect(v->seg[SEG_DS].base == 0x20000 && v->seg[SEG_DS].hi == 0xffffffff);
    put32(m, VEC_GP * 4, 0x00005678);
    v->eip = 0x4000;
    fault_deliver(v, &(struct fault){.vector = VEC_GP, .error = 0});
    cr_expect(v->eip == 0x5678 && v->gpr[ESP] == 0x6ffa && get16(m, 0x6ffa) == 0x4000);
    cr_expect(attempt(m, (struct request){DO_JMP, 0x1000, 0x12345, 2}, &error) == NO_FAULT &&
              v->next_eip == 0x2345);
    cr_expect(attempt(m, (struct request){DO_JMP, 0x1000, 0x10000, 4}, &error) == VEC_GP &&
              error == 0);
    cr_expect(attempt(m, (struct request){DO_CALL, 0x1000, 0x20, 2}, &error) == NO_FAULT &&
              v->gpr[ESP] == 0x6ff6);
    cr_expect(attempt(m, (struct request){DO_RET, 2, 4, 0}, &error) == NO_FAULT &&
              v->gpr[ESP] == 0x6ffe);
    v->gpr[ESP] = 1;
    cr_expect(attempt(m, (struct request){DO_INT, 0x10, 0, 0}, &error) == VEC_SS &&
              v->gpr[ESP] == 1);
    cr_expect(attempt(m, (struct request){DO_LLDT, 0, 0, 0}, &error) == VEC_UD);
    free(m);
}

/* Identity page tables for the first 4 MiB at 0x50000, user and writable, but for what a test takes
 * away. */
static void paging_on(struct machine *m)
{
    put32(m, 0x50000, 0x51000 | 7);
    for (unsigned n = 0; n < 1024; n++)
        put32(m, 0x51000 + 4 * n, n << 12 | 7);
    m->v.cr3 = 0x50000;
    m->v.cr0 |= CR0_PG | CR0_WP;
    mmu_flush_all(&m->v);
}

Test(exception, page_faults_in_delivery)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;

    /* The frame straddles two pages and the lower one is absent: CR2 is the first push that
     * fails. */
    idt_gate(m, 0x80, TRAP32 | DPL3, K_CODE, 0x6000);
    put32(m, TSS_A + 4, 0x8008);
    paging_on(m);
    put32(m, 0x51000 + 4 * 7, 0);
    go_user(m);
    cr_expect(attempt(m, (struct request){DO_INT, 0x80, 0, 0}, &error) == VEC_PF);
    cr_expect(v->cr2 == 0x7ffc && error == 2, "CR2 0x%x error %u", v->cr2, error);
    cr_expect(v->cpl == 3 && v->gpr[ESP] == STACK3 && get32(m, 0x8004) == 0, "nothing was pushed");
    cr_expect(access_of(m, K_CODE) == 0x9b && access_of(m, U_DATA) == 0xf2);

    /* A read-only GDT: setting the accessed bit faults, as a supervisor access although at ring
     * 3. */
    put32(m, 0x51000 + 4 * (GDT >> 12), GDT | 5);
    mmu_flush_all(v);
    cr_expect(attempt(m, (struct request){DO_SEG_LOAD, U_DATA, SEG_DS, 0}, &error) == VEC_PF);
    cr_expect(error == 3 && v->cr2 == GDT + 0x25, "CR2 0x%x error %u", v->cr2, error);
    cr_expect(access_of(m, U_DATA) == 0xf2);

    /* #PF with no stack to take it: double fault by a task gate; the double-fault task sees the
     * last CR2. */
    machine_start(m);
    idt_gate(m, VEC_PF, INTR32, K_CODE, 0x6000);
    idt_gate(m, VEC_DF, 0x85, S_TSS_B, 0);
    paging_on(m);
    put32(m, TSS_B + 0x1c, 0x50000);
    put32(m, 0x51000 + 4 * 9, 0);
    mmu_flush_all(v);
    v->gpr[ESP] = 0x9800;
    v->cr2 = 0x1234;
    fault_deliver(v, &(struct fault){.vector = VEC_PF, .error = 0});
    cr_expect(v->tr.sel == S_TSS_B && v->cr2 == 0x97fc && v->exit_reason == EXIT_NONE);
    cr_expect(v->stats.page_faults == 1 && v->stats.exceptions == 2 &&
              get32(m, TSS_A + 0x20) == 0x4000);

    /* A task switch loads CR3: here tables in which the task's code is elsewhere. */
    machine_start(m);
    paging_on(m);
    memcpy(m->ram + 0x52000, m->ram + 0x50000, 0x2000);
    put32(m, 0x52000, 0x53000 | 7);
    put32(m, 0x53000 + 4 * 0x30, 0x31000 | 7);
    put32(m, 0x31000, 0xfeedface);
    put32(m, TSS_B + 0x1c, 0x52000);
    cr_expect(attempt(m, (struct request){DO_JMP, S_TSS_B, 0, 4}, &error) == NO_FAULT);
    cr_expect(v->cr3 == 0x52000 && lin_read32(v, 0x30000, 0) == 0xfeedface);
    /* A new TSS that is not mapped faults in the old task, which is unchanged. */
    put32(m, 0x53000 + 4 * (TSS_A >> 12), 0);
    mmu_flush_all(v);
    v->next_eip = 0x5002;
    put32(m, GDT + S_TSS16_A, 0x0000002b | 0x0000u << 16);
    put32(m, GDT + S_TSS16_A + 4, 0x8104); /* TSS at 0x40000 */
    put32(m, 0x53000 + 4 * (TSS_A >> 12), TSS_A | 7);
    put32(m, 0x53000 + 4 * 0x40, 0);
    cr_expect(attempt(m, (struct request){DO_JMP, S_TSS16_A, 0, 4}, &error) == VEC_PF);
    cr_expect(v->tr.sel == S_TSS_B && v->cr2 == 0x40000 && access_of(m, S_TSS_B) == 0x8b);
    free(m);
}

struct flag_row {
    struct request r;
    char mode; /* r real, 0 ring 0, 3 ring 3, v V86 */
    uint8_t iopl;
    uint32_t cr4, before, after; /* EFLAGS besides bit 1, IOPL and VM */
    int vector;
};

static const struct flag_row flag_rows[] = {
    {{DO_CLI, 0, 0, 0}, 'r', 0, 0, EFL_IF, 0, NO_FAULT},
    {{DO_CLI, 0, 0, 0}, '0', 0, 0, EFL_IF, 0, NO_FAULT},
    {{DO_CLI, 0, 0, 0}, '3', 0, 0, EFL_IF, EFL_IF, VEC_GP},
    {{DO_CLI, 0, 0, 0}, '3', 3, 0, EFL_IF, 0, NO_FAULT},
    {{DO_CLI, 0, 0, 0}, '3', 0, CR4_PVI, EFL_IF | EFL_VIF, EFL_IF, NO_FAULT},
    {{DO_CLI, 0, 0, 0}, 'v', 0, CR4_VME, EFL_IF | EFL_VIF, EFL_IF, NO_FAULT},
    {{DO_CLI, 0, 0, 0}, 'v', 0, 0, EFL_IF, EFL_IF, VEC_GP},
    {{DO_STI, 0, 0, 0}, '3', 0, CR4_PVI, 0, EFL_VIF, NO_FAULT},
    {{DO_STI, 0, 0, 0}, '3', 0, CR4_PVI, EFL_VIP, EFL_VIP, VEC_GP},
    {{DO_STI, 0, 0, 0}, 'v', 0, CR4_VME, 0, EFL_VIF, NO_FAULT},
    {{DO_STI, 0, 0, 0}, 'v', 3, CR4_VME, EFL_VIP, EFL_VIP | EFL_IF, NO_FAULT},
    {{DO_STI, 0, 0, 0}, 'v', 2, 0, 0, 0, VEC_GP},
    {{DO_POPF, EFL_IF | EFL_CF, 4, 0}, '3', 0, 0, EFL_RF, EFL_CF, NO_FAULT},
    {{DO_POPF, EFL_CF, 4, 0}, '3', 3, 0, EFL_IF, EFL_CF, NO_FAULT},
    {{DO_POPF, EFL_AC | EFL_ID | EFL_VIF | EFL_VM, 4, 0}, '0', 0, 0, 0, EFL_AC | EFL_ID, NO_FAULT},
    {{DO_POPF, EFL_AC | EFL_CF, 2, 0}, '0', 0, 0, EFL_ID, EFL_CF | EFL_ID, NO_FAULT},
    {{DO_POPF, EFL_IF | EFL_CF, 2, 0}, 'v', 0, CR4_VME, 0, EFL_VIF | EFL_CF, NO_FAULT},
    {{DO_POPF, EFL_IF, 2, 0}, 'v', 0, CR4_VME, EFL_VIP, EFL_VIP, VEC_GP},
    {{DO_POPF, EFL_TF, 2, 0}, 'v', 0, CR4_VME, 0, 0, VEC_GP},
    {{DO_POPF, EFL_IF, 4, 0}, 'v', 0, CR4_VME, 0, 0, VEC_GP},
    {{DO_POPF, EFL_IF, 2, 0}, 'v', 0, 0, 0, 0, VEC_GP},
    {{DO_POPF, EFL_IF | EFL_AC, 4, 0}, 'v', 3, 0, 0, EFL_IF | EFL_AC, NO_FAULT},
    {{DO_PUSHF, 2, 0, 0}, 'v', 0, 0, 0, 0, VEC_GP},
};

Test(exception, flag_rules)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;

    for (unsigned n = 0; n < ARRAY_LEN(flag_rows); n++) {
        const struct flag_row *r = &flag_rows[n];
        machine_start(m);
        if (r->mode == 'r')
            go_real(m);
        else if (r->mode == '3')
            go_user(m);
        else if (r->mode == 'v')
            go_v86(m, r->iopl);
        uint32_t other =
            EFL_FIXED1 | (uint32_t)r->iopl << EFL_IOPL_SHIFT | (r->mode == 'v' ? EFL_VM : 0);
        v->eflags = other | r->before;
        v->cr4 = r->cr4;
        v->attention = v->shadow_next = 0;
        int vector = attempt(m, r->r, &error);
        cr_expect(vector == r->vector && v->eflags == (other | r->after), "row %u: %d 0x%x", n,
                  vector, v->eflags);
        bool rose = (v->eflags & ~r->before) & EFL_IF;
        cr_expect(!rose || (v->attention & ATT_MODE), "row %u: the run loop must know", n);
        cr_expect(v->shadow_next == (r->r.op == DO_STI && rose ? SHADOW_STI : 0), "row %u: shadow",
                  n);
    }
    go_v86(m, 0);
    v->cr4 = CR4_VME;
    v->eflags |= EFL_VIF | EFL_ID;
    cr_expect(attempt(m, (struct request){DO_PUSHF, 2, 0, 0}, &error) == NO_FAULT);
    cr_expect(v->gpr[EAX] == (EFL_FIXED1 | EFL_IF | EFL_IOPL), "VME image 0x%x", v->gpr[EAX]);
    free(m);
}
