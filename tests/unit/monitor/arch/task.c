/* SPDX-License-Identifier: MIT */
/*
 * task.c - hardware task switches: all four reasons, 16- and 32-bit TSSs, faults before and after
 * the commit point.
 * uses: monitor/arch/task.c monitor/arch/far_jmp_call.c monitor/arch/far_ret.c
 * monitor/arch/deliver.c
 * Source: SDM vol. 3A, chapter 8 (tables 8-1 and 8-2).
 */
#include "tests/rig/sys_machine.h"

static void expect_task_b(const struct machine *m, const char *what)
{
    const struct vcpu *v = &m->v;

    cr_expect(v->tr.sel == S_TSS_B && v->tr.base == TSS_B && (v->tr.attr & 0xf) == 0xb, "%s: TR",
              what);
    cr_expect(v->next_eip == 0x5000 && v->eip == 0x5000 && v->gpr[EAX] == 0xb0000000 &&
                  v->gpr[EDI] == 0xb0000007,
              "%s: registers", what);
    cr_expect(v->seg[SEG_CS].sel == K_CODE && v->seg[SEG_SS].sel == K_DATA && v->seg[SEG_GS].acc,
              "%s: segments", what);
    cr_expect((v->cr0 & CR0_TS) && (v->attention & ATT_MODE), "%s: TS", what);
}

static void expect_saved_a(const struct machine *m, uint32_t eip, uint32_t eflags, const char *what)
{
    cr_expect(get32(m, TSS_A + 0x20) == eip, "%s: EIP 0x%x", what, get32(m, TSS_A + 0x20));
    cr_expect(get32(m, TSS_A + 0x24) == eflags, "%s: EFLAGS 0x%x", what, get32(m, TSS_A + 0x24));
    cr_expect(get32(m, TSS_A + 0x28) == 0xa0000000 && get32(m, TSS_A + 0x44) == 0xa0000007,
              "%s: registers", what);
    cr_expect(get16(m, TSS_A + 0x48) == K_DATA && get16(m, TSS_A + 0x4c) == K_CODE &&
                  get16(m, TSS_A + 0x5c) == K_DATA,
              "%s: selectors", what);
}

Test(task, reasons_32)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;

    /* JMP: old not busy, no link. */
    v->dr[7] = 0x7ff;
    cr_assert(attempt(m, (struct request){DO_JMP, S_TSS_B, 0x1234, 4}, &error) == NO_FAULT);
    expect_task_b(m, "JMP");
    expect_saved_a(m, 0x4002, EFL_FIXED1, "JMP");
    cr_expect(access_of(m, S_TSS_A) == 0x89 && access_of(m, S_TSS_B) == 0x8b);
    cr_expect(get16(m, TSS_B) == 0 && !(v->eflags & EFL_NT) && v->dr[7] == 0x6aa &&
              v->stats.task_switches == 1);

    /* CALL through the task gate, and IRET back. */
    machine_start(m);
    cr_assert(attempt(m, (struct request){DO_CALL, TASK_GATE, 0, 4}, &error) == NO_FAULT);
    expect_task_b(m, "CALL");
    expect_saved_a(m, 0x4002, EFL_FIXED1, "CALL");
    cr_expect(access_of(m, S_TSS_A) == 0x8b && access_of(m, S_TSS_B) == 0x8b);
    cr_expect(get16(m, TSS_B) == S_TSS_A && (v->eflags & EFL_NT));
    v->next_eip = 0x5008;
    cr_assert(attempt(m, (struct request){DO_IRET, 4, 0, 0}, &error) == NO_FAULT);
    cr_expect(v->tr.sel == S_TSS_A && v->next_eip == 0x4002 && v->gpr[EAX] == 0xa0000000);
    cr_expect(access_of(m, S_TSS_A) == 0x8b && access_of(m, S_TSS_B) == 0x89);
    cr_expect(get32(m, TSS_B + 0x20) == 0x5008 && !(get32(m, TSS_B + 0x24) & EFL_NT) &&
              !(v->eflags & EFL_NT));

    /* An exception with an error code through a task gate: restart address, RF in the saved
     * image. */
    machine_start(m);
    idt_gate(m, VEC_GP, 0x85, S_TSS_B, 0);
    fault_deliver(v, &(struct fault){.vector = VEC_GP, .error = 0xabc0});
    expect_task_b(m, "gate");
    expect_saved_a(m, 0x4000, EFL_FIXED1 | EFL_RF, "gate");
    cr_expect(v->gpr[ESP] == STACK0 - 0x104 && get32(m, v->gpr[ESP]) == 0xabc0 &&
              get16(m, TSS_B) == S_TSS_A);

    /* INT n returns to the next instruction. */
    machine_start(m);
    idt_gate(m, 0x90, 0xe5, S_TSS_B, 0);
    cr_assert(attempt(m, (struct request){DO_INT, 0x90, 0, 0}, &error) == NO_FAULT);
    expect_saved_a(m, 0x4002, EFL_FIXED1, "INT");

    /* The T flag: a debug trap before the first instruction. */
    machine_start(m);
    put16(m, TSS_B + 0x64, 1);
    cr_assert(attempt(m, (struct request){DO_JMP, S_TSS_B, 0, 4}, &error) == NO_FAULT);
    cr_expect(v->dr6_pending == 1u << 15 && (v->attention & ATT_TRAP));

    /* Out to ring 3 and to virtual-8086 mode. */
    machine_start(m);
    put16(m, TSS_B + 0x4c, U_CODE);
    put16(m, TSS_B + 0x50, U_DATA);
    put16(m, TSS_B + 0x48, U_DATA);
    put16(m, TSS_B + 0x54, 0);
    put16(m, TSS_B + 0x58, U_DATA);
    put16(m, TSS_B + 0x5c, U_DATA);
    cr_assert(attempt(m, (struct request){DO_JMP, S_TSS_B, 0, 4}, &error) == NO_FAULT);
    cr_expect(v->cpl == 3 && v->seg[SEG_SS].sel == U_DATA && v->seg[SEG_DS].acc == 0 &&
              access_of(m, U_DATA) == 0xf3);
    machine_start(m);
    put32(m, TSS_B + 0x24, EFL_FIXED1 | EFL_VM);
    put16(m, TSS_B + 0x4c, 0x1100);
    cr_assert(attempt(m, (struct request){DO_CALL, S_TSS_B, 0, 4}, &error) == NO_FAULT);
    cr_expect(vcpu_v86(v) && v->cpl == 3 && v->seg[SEG_CS].base == 0x11000 && (v->eflags & EFL_NT));
    free(m);
}

Test(task, sixteen_bit)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;

    /* 32 to 16 by CALL, back by IRET. */
    cr_assert(attempt(m, (struct request){DO_CALL, S_TSS16_B, 0, 4}, &error) == NO_FAULT);
    cr_expect(v->tr.sel == S_TSS16_B && access_of(m, S_TSS16_B) == 0x83 &&
              get16(m, TSS16_B) == S_TSS_A);
    cr_expect(v->next_eip == 0x600 && v->seg[SEG_CS].base == CODE16_BASE &&
              v->gpr[EAX] == 0xffff1600);
    cr_expect((v->gpr[ESP] & 0xffff) == 0x7f00 && v->seg[SEG_FS].acc == 0 && (v->eflags & EFL_NT));
    v->gpr[EBX] = 0x12345678;
    v->next_eip = 0x60a;
    cr_assert(attempt(m, (struct request){DO_IRET, 2, 0, 0}, &error) == NO_FAULT);
    cr_expect(v->tr.sel == S_TSS_A && v->next_eip == 0x4002 && v->gpr[EBX] == 0xa0000003);
    cr_expect(get16(m, TSS16_B + 0xe) == 0x60a && get16(m, TSS16_B + 0x18) == 0x5678 &&
              access_of(m, S_TSS16_B) == 0x81);
    cr_expect(get16(m, TSS16_B + 0x24) == K_CODE16 && !(get16(m, TSS16_B + 0x10) & EFL_NT));

    /* 16 to 16, 16 to 32; a 16-bit task gets its error code as a word. */
    cr_assert(attempt(m, (struct request){DO_JMP, S_TSS16_A, 0, 4}, &error) == NO_FAULT);
    cr_assert(attempt(m, (struct request){DO_JMP, S_TSS16_B, 0, 4}, &error) == NO_FAULT);
    cr_expect(v->tr.sel == S_TSS16_B && v->next_eip == 0x60a && access_of(m, S_TSS16_A) == 0x81);
    cr_assert(attempt(m, (struct request){DO_JMP, S_TSS_B, 0, 4}, &error) == NO_FAULT);
    expect_task_b(m, "16 to 32");
    idt_gate(m, VEC_NP, 0x85, S_TSS16_A, 0);
    fault_deliver(v, &(struct fault){.vector = VEC_NP, .error = 0x5550});
    cr_expect(v->tr.sel == S_TSS16_A && (v->gpr[ESP] & 0xffff) == 0x7efe);
    cr_expect(get16(m, CODE16_BASE + 0x7efe) == 0x5550);
    free(m);
}

Test(task, faults_of_the_old_task)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;
    static const struct {
        uint16_t link;
        int vector;
        uint32_t error;
    } row[] = {
        {S_TSS_B, VEC_TS, S_TSS_B}, /* not busy */
        {0, VEC_TS, 0},
        {K_CODE, VEC_TS, K_CODE},
        {GDT_END, VEC_TS, GDT_END},
        {S_TSS_A | 4, VEC_TS, S_TSS_A | 4},
        {ABSENT_TSS, VEC_TS, ABSENT_TSS}, /* not busy comes first */
    };
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        machine_start(m);
        v->eflags |= EFL_NT;
        put16(m, TSS_A, row[n].link);
        int vector = attempt(m, (struct request){DO_IRET, 4, 0, 0}, &error);
        cr_expect(vector == row[n].vector && error == row[n].error, "row %u: %d 0x%x", n, vector,
                  error);
        cr_expect(v->tr.sel == S_TSS_A && (v->eflags & EFL_NT) && get32(m, TSS_A + 0x20) == 0x5000,
                  "row %u", n);
    }
    machine_start(m);
    v->tr.limit = 0x50; /* nowhere to save the state */
    cr_expect(attempt(m, (struct request){DO_JMP, S_TSS_B, 0, 4}, &error) == VEC_TS &&
              error == S_TSS_A);
    cr_expect(access_of(m, S_TSS_A) == 0x8b && access_of(m, S_TSS_B) == 0x89);
    free(m);
}

Test(task, faults_of_the_new_task)
{
    struct machine *m = machine_new();
    struct vcpu *v = &m->v;
    uint32_t error;
    static const struct {
        uint8_t offset; /* in TSS_B */
        uint32_t val;
        int vector;
        uint32_t error;
    } row[] = {
        {0x60, S_LDT, NO_FAULT, 0},
        {0x60, S_TSS_A, VEC_TS, S_TSS_A}, /* LDT */
        {0x60, S_LDT | 4, VEC_TS, S_LDT | 4},
        {0x4c, 0, VEC_TS, 0}, /* CS */
        {0x4c, K_DATA, VEC_TS, K_DATA},
        {0x4c, K_CODE | 3, VEC_TS, K_CODE},
        {0x4c, ABSENT_CODE, VEC_NP, ABSENT_CODE},
        {0x50, 0, VEC_TS, 0}, /* SS */
        {0x50, U_DATA, VEC_TS, U_DATA & ~3},
        {0x50, K_CODE, VEC_TS, K_CODE},
        {0x54, GDT_END, VEC_TS, GDT_END}, /* DS */
        {0x54, EXEC_ONLY, VEC_TS, EXEC_ONLY},
        {0x54, ABSENT_DATA, VEC_NP, ABSENT_DATA},
        {0x5c, K_DATA | 3, VEC_TS, K_DATA}, /* GS */
        {0x4c, SMALL_CODE, VEC_GP, 0},      /* EIP 0x5000 is beyond it */
    };
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        machine_start(m);
        put32(m, TSS_B + row[n].offset, row[n].val);
        int vector = attempt(m, (struct request){DO_CALL, S_TSS_B, 0, 4}, &error);
        cr_expect(vector == row[n].vector, "row %u: %d", n, vector);
        cr_expect(vector == NO_FAULT || error == row[n].error, "row %u: 0x%x", n, error);
        cr_expect(v->tr.sel == S_TSS_B && v->eip == 0x5000 && v->gpr[EAX] == 0xb0000000,
                  "row %u: not committed", n);
        cr_expect(get32(m, TSS_A + 0x20) == 0x4002 && access_of(m, S_TSS_B) == 0x8b, "row %u", n);
        cr_expect(v->seg[SEG_GS].sel == get16(m, TSS_B + 0x5c),
                  "row %u: selectors are loaded anyway", n);
    }
    /* As an event: EXT = 1, and the new task's own #TS handler gets it. */
    machine_start(m);
    put32(m, TSS_B + 0x54, GDT_END);
    idt_gate(m, 0x20, 0x85, S_TSS_B, 0);
    idt_gate(m, VEC_TS, 0x8e, K_CODE, 0x6000);
    event_deliver(v, EVENT_EXTERNAL, 0x20, NO_ERROR_CODE);
    cr_expect(v->eip == 0x6000 && v->tr.sel == S_TSS_B && get32(m, v->gpr[ESP]) == (GDT_END | 1));
    cr_expect(get32(m, v->gpr[ESP] + 4) == 0x5000);
    free(m);
}
