/* SPDX-License-Identifier: MIT */
/*
 * sys_machine.h - a small machine for the tests of segments, far transfers, events and tasks: 1 MiB
 * of RAM, a GDT, an IDT and TSSs of which a test knows every byte, and a CPU in 32-bit protected
 * mode at ring 0, paging off.
 *
 * Promises   attempt() runs one operation as a handler would and reports the fault it raised, if
 * any.
 */
#ifndef RING1_TESTS_RIG_SYS_MACHINE_H
#define RING1_TESTS_RIG_SYS_MACHINE_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "devices/bus.h"
#include "monitor/arch/exception.h"
#include "monitor/arch/far.h"
#include "monitor/arch/segment.h"
#include "monitor/arch/task.h"
#include "monitor/cpu/vm.h"
#include "shadow-mmu/access.h"
#include "tests/rig/null_host.h"

#define RAM_SIZE    0x100000u
#define GDT         0x1000u
#define IDT         0x2000u
#define LDT         0x3600u
#define TSS_A       0x3000u /* 32-bit, the current task */
#define TSS_B       0x3200u /* 32-bit */
#define TSS16_A     0x3400u
#define TSS16_B     0x3500u
#define STACK0      0x8000u /* ring 0, as TSS_A and TSS_B have it */
#define STACK0_NOW  0x8800u /* ESP at the start */
#define STACK1      0x9000u
#define STACK3      0xa000u
#define CODE16_BASE 0x20000u

/* Selectors. */
enum {
    K_CODE = 0x08,
    K_DATA = 0x10,
    U_CODE = 0x1b,
    U_DATA = 0x23,
    S_TSS_A = 0x28,
    S_TSS_B = 0x30,
    S_TSS16_A = 0x38,
    S_TSS16_B = 0x40,
    CONFORMING = 0x48,
    K_CODE16 = 0x50,
    K_DATA16 = 0x58,
    CALL32 = 0x60,
    CALL16 = 0x68,
    TASK_GATE = 0x70,
    S_LDT = 0x78,
    ABSENT_DATA = 0x80,
    ABSENT_CODE = 0x88,
    EXEC_ONLY = 0x90,
    READ_ONLY = 0x98,
    CODE1 = 0xa0,
    DATA1 = 0xa8,
    DOWN = 0xb0,
    RESERVED = 0xb8,
    ABSENT_TSS = 0xc0,
    SHORT_TSS = 0xc8,
    U_DATA16 = 0xd3,
    ABSENT_GATE = 0xd8,
    GATE_TO_DATA = 0xe0,
    SMALL_CODE = 0xe8,
    CALL_SAME = 0xf0,
    GDT_END = 0xf8,
};

struct machine {
    struct vm vm;
    struct vcpu v;
    struct vmm_host host;
    struct null_world world;
    _Alignas(4096) uint8_t ram[RAM_SIZE];
};

static inline uint32_t get32(const struct machine *m, uint32_t at)
{
    uint32_t x;
    memcpy(&x, m->ram + at, 4);
    return x;
}
static inline uint16_t get16(const struct machine *m, uint32_t at)
{
    uint16_t x;
    memcpy(&x, m->ram + at, 2);
    return x;
}
static inline void put32(struct machine *m, uint32_t at, uint32_t x)
{
    memcpy(m->ram + at, &x, 4);
}
static inline void put16(struct machine *m, uint32_t at, uint16_t x)
{
    memcpy(m->ram + at, &x, 2);
}

/* access: descriptor bits 40-47; flags: bits 52-55. */
static inline void put_desc(struct machine *m, uint32_t at, uint32_t base, uint32_t limit,
                            unsigned access, unsigned flags)
{
    put32(m, at, (limit & 0xffff) | base << 16);
    put32(m, at + 4,
          (base >> 16 & 0xff) | access << 8 | (limit & 0xf0000) | flags << 20 |
              (base & 0xff000000u));
}
static inline void put_gate(struct machine *m, uint32_t at, unsigned access, uint16_t sel,
                            uint32_t off, unsigned count)
{
    put32(m, at, (off & 0xffff) | (uint32_t)sel << 16);
    put32(m, at + 4, (off & 0xffff0000u) | access << 8 | count);
}
static inline void idt_gate(struct machine *m, unsigned vector, unsigned access, uint16_t sel,
                            uint32_t off)
{
    put_gate(m, IDT + vector * 8, access, sel, off, 0);
}
static inline unsigned access_of(const struct machine *m, uint16_t sel)
{
    return m->ram[GDT + (sel & 0xfff8) + 5];
}

static inline void put_tss32(struct machine *m, uint32_t at)
{
    memset(m->ram + at, 0, 0x68);
    put32(m, at + 4, STACK0);
    put16(m, at + 8, K_DATA);
    put32(m, at + 12, STACK1);
    put16(m, at + 16, DATA1 | 1);
    put32(m, at + 0x20, 0x5000);     /* EIP */
    put32(m, at + 0x24, EFL_FIXED1); /* EFLAGS */
    for (unsigned n = 0; n < 8; n++)
        put32(m, at + 0x28 + 4 * n, 0xb0000000u + n);
    put32(m, at + 0x28 + 4 * ESP, STACK0 - 0x100);
    for (unsigned n = 0; n < 6; n++)
        put16(m, at + 0x48 + 4 * n, n == SEG_CS ? K_CODE : K_DATA);
    put16(m, at + 0x66, 0x68); /* I/O map base: beyond the limit of 0x67 */
}
static inline void put_tss16(struct machine *m, uint32_t at)
{
    memset(m->ram + at, 0, 0x2c);
    put16(m, at + 2, 0x7000);
    put16(m, at + 4, K_DATA);
    put16(m, at + 0xe, 0x600);
    put16(m, at + 0x10, EFL_FIXED1);
    for (unsigned n = 0; n < 8; n++)
        put16(m, at + 0x12 + 2 * n, (uint16_t)(0x1600 + n));
    put16(m, at + 0x12 + 2 * ESP, 0x7f00);
    put16(m, at + 0x22, K_DATA);
    put16(m, at + 0x24, K_CODE16);
    put16(m, at + 0x26, K_DATA16);
    put16(m, at + 0x28, K_DATA);
}

static inline void put_tables(struct machine *m)
{
    static const struct {
        uint16_t sel;
        uint32_t base, limit;
        uint8_t access, flags;
    } row[] = {
        {K_CODE, 0, 0xfffff, 0x9b, 0xc},
        {K_DATA, 0, 0xfffff, 0x93, 0xc},
        {U_CODE, 0, 0xfffff, 0xfa, 0xc},
        {U_DATA, 0, 0xfffff, 0xf2, 0xc},
        {S_TSS_A, TSS_A, 0x67, 0x8b, 0},
        {S_TSS_B, TSS_B, 0x67, 0x89, 0},
        {S_TSS16_A, TSS16_A, 0x2b, 0x81, 0},
        {S_TSS16_B, TSS16_B, 0x2b, 0x81, 0},
        {CONFORMING, 0, 0xfffff, 0x9e, 0xc},
        {K_CODE16, CODE16_BASE, 0xffff, 0x9a, 0},
        {K_DATA16, CODE16_BASE, 0xffff, 0x92, 0},
        {S_LDT, LDT, 0xf, 0x82, 0},
        {ABSENT_DATA, 0, 0xfffff, 0x72, 0xc},
        {ABSENT_CODE, 0, 0xfffff, 0x1a, 0xc},
        {EXEC_ONLY, 0, 0xfffff, 0xf8, 0xc},
        {READ_ONLY, 0, 0xfffff, 0xf0, 0xc},
        {CODE1, 0, 0xfffff, 0xba, 0xc},
        {DATA1, 0, 0xfffff, 0xb2, 0xc},
        {DOWN, 0, 0xfff, 0xf6, 0x4},
        {RESERVED, 0, 0, 0x80, 0},
        {ABSENT_TSS, TSS_B, 0x67, 0x09, 0},
        {SHORT_TSS, TSS_B, 0x66, 0x89, 0},
        {U_DATA16, 0, 0xffff, 0xf2, 0},
        {SMALL_CODE, 0, 0x4fff, 0x9a, 0x4},
    };
    for (unsigned n = 0; n < ARRAY_LEN(row); n++)
        put_desc(m, GDT + (row[n].sel & 0xfff8), row[n].base, row[n].limit, row[n].access,
                 row[n].flags);
    put_gate(m, GDT + CALL32, 0xec, K_CODE, 0x5000, 2);
    put_gate(m, GDT + CALL16, 0xe4, K_CODE16, 0x600, 1);
    put_gate(m, GDT + TASK_GATE, 0xe5, S_TSS_B, 0, 0);
    put_gate(m, GDT + ABSENT_GATE, 0x6c, K_CODE, 0x5000, 0);
    put_gate(m, GDT + GATE_TO_DATA, 0xec, K_DATA, 0x5000, 0);
    put_gate(m, GDT + CALL_SAME, 0xec, CONFORMING, 0x5000, 3);
    put_desc(m, LDT + 8, 0x1234, 0x0fff, 0xf2, 0x4); /* selector 0x0f */
    put_tss32(m, TSS_A);
    put_tss32(m, TSS_B);
    put_tss16(m, TSS16_A);
    put_tss16(m, TSS16_B);
}

/* Ring 0, 32-bit, flat; EIP 0x4000 of a two-byte instruction. */
static inline void machine_start(struct machine *m)
{
    struct vcpu *v = &m->v;

    v->cr0 = CR0_PE | CR0_ET;
    v->eflags = EFL_FIXED1;
    v->cpl = 0;
    v->eip = 0x4000;
    v->next_eip = 0x4002;
    v->attention = 0;
    v->cr4 = 0;
    v->exit_reason = 0;
    v->nmi_blocked = false;
    v->dr6_pending = 0;
    v->delivering = 0xff;
    for (unsigned n = 0; n < GPR_COUNT; n++)
        v->gpr[n] = 0xa0000000u + n;
    v->gpr[ESP] = STACK0_NOW;
    v->gdtr = (struct table_reg){GDT, GDT_END - 1};
    v->idtr = (struct table_reg){IDT, 0x7ff};
    memset(m->ram, 0, RAM_SIZE);
    put_tables(m);
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        struct descriptor d = {get32(m, GDT + (n == SEG_CS ? K_CODE : K_DATA)),
                               get32(m, GDT + (n == SEG_CS ? K_CODE : K_DATA) + 4)};
        seg_from_descriptor(&v->seg[n], n == SEG_CS ? K_CODE : K_DATA, d);
    }
    struct descriptor tss = {get32(m, GDT + S_TSS_A), get32(m, GDT + S_TSS_A + 4)};
    seg_from_descriptor(&v->tr, S_TSS_A, tss);
    seg_set_null(&v->ldtr, 0);
}

static inline struct machine *machine_new(void)
{
    struct machine *m = aligned_alloc(4096, (sizeof *m + 4095) & ~4095ul);

    memset(m, 0, sizeof *m);
    m->host = null_host(&m->world);
    null_vm(&m->vm, &m->world, &m->host, &m->v, m->ram, RAM_SIZE, NULL);
    mmu_flush_all(&m->v);
    machine_start(m);
    return m;
}

/* Moves the CPU to ring 3 with U_CODE, U_DATA and ESP = STACK3, as an IRET would. */
static inline void go_user(struct machine *m)
{
    struct vcpu *v = &m->v;
    struct descriptor c = {get32(m, GDT + 0x18), get32(m, GDT + 0x1c)};
    struct descriptor d = {get32(m, GDT + 0x20), get32(m, GDT + 0x24)};

    seg_set_cs(v, U_CODE, c, 3);
    for (unsigned n = 0; n < SEG_COUNT; n++)
        if (n != SEG_CS)
            seg_from_descriptor(&v->seg[n], U_DATA, d);
    v->gpr[ESP] = STACK3;
}

/* Moves the CPU to virtual-8086 mode, every segment at n * 0x100 + 0x1000, SP = 0x200. */
static inline void go_v86(struct machine *m, unsigned iopl)
{
    struct vcpu *v = &m->v;

    v->eflags = EFL_FIXED1 | EFL_VM | iopl << EFL_IOPL_SHIFT;
    v->cpl = 3;
    for (unsigned n = 0; n < SEG_COUNT; n++)
        seg_load_v86(v, n, (uint16_t)(0x1000 + n * 0x100));
    v->gpr[ESP] = 0x200;
    v->eip = 0x100;
    v->next_eip = 0x102;
}

/* Real mode, all segments 0, SP = 0x1000 (where no table lies), IVT at 0. */
static inline void go_real(struct machine *m)
{
    struct vcpu *v = &m->v;

    v->cr0 &= ~CR0_PE;
    v->idtr = (struct table_reg){0, 0x3ff};
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        seg_load_real(v, n, 0);
        v->seg[n].limit = 0xffff;
        v->seg[n].attr &= (uint16_t) ~(SEGA_DB | SEGA_G);
        seg_derive(&v->seg[n], true);
    }
    v->gpr[ESP] = 0x7000;
}

enum operation {
    DO_SEG_LOAD,
    DO_JMP,
    DO_CALL,
    DO_RET,
    DO_IRET,
    DO_INT,
    DO_INT3,
    DO_LLDT,
    DO_LTR,
    DO_IO,
    DO_SYSENTER,
    DO_SYSEXIT,
    DO_POPF,
    DO_CLI,
    DO_STI,
    DO_TASK,
    DO_PUSHF,
};
struct request {
    enum operation op;
    uint32_t a, b, c;
};

static inline void perform(struct vcpu *v, void *arg)
{
    const struct request *r = arg;

    switch (r->op) {
    case DO_SEG_LOAD:
        seg_load(v, r->b, (uint16_t)r->a);
        break;
    case DO_JMP:
        far_jmp(v, (uint16_t)r->a, r->b, r->c);
        break;
    case DO_CALL:
        far_call(v, (uint16_t)r->a, r->b, r->c);
        break;
    case DO_RET:
        far_ret(v, r->a, (uint16_t)r->b);
        break;
    case DO_IRET:
        far_iret(v, r->a);
        break;
    case DO_INT:
        event_deliver(v, EVENT_SOFT, r->a, NO_ERROR_CODE);
        break;
    case DO_INT3:
        event_deliver(v, EVENT_SOFT_TRAP, r->a, NO_ERROR_CODE);
        break;
    case DO_LLDT:
        seg_lldt(v, (uint16_t)r->a);
        break;
    case DO_LTR:
        seg_ltr(v, (uint16_t)r->a);
        break;
    case DO_IO:
        io_check(v, (uint16_t)r->a, r->b);
        break;
    case DO_SYSENTER:
        far_sysenter(v);
        break;
    case DO_SYSEXIT:
        far_sysexit(v);
        break;
    case DO_POPF:
        eflags_popf(v, r->a, r->b);
        break;
    case DO_CLI:
        eflags_cli(v);
        break;
    case DO_STI:
        eflags_sti(v);
        break;
    case DO_PUSHF:
        v->gpr[EAX] = eflags_pushf(v, r->a);
        break;
    case DO_TASK:
        task_switch(v, (uint16_t)r->a, (enum task_reason)r->b, false, 0);
        break;
    }
}

#define NO_FAULT (-1)
/* Vector of the fault that the operation raised, or NO_FAULT; *error as in struct fault. */
static inline int attempt(struct machine *m, struct request r, uint32_t *error)
{
    struct fault f;

    *error = NO_ERROR_CODE;
    if (!fault_catch(&m->v, perform, &r, &f))
        return NO_FAULT;
    *error = f.error;
    return f.vector;
}

/* Pushes dwords (words) on the current stack, as a program would. */
static inline void push32(struct machine *m, uint32_t x)
{
    m->v.gpr[ESP] -= 4;
    put32(m, m->v.seg[SEG_SS].base + m->v.gpr[ESP], x);
}
static inline void push16(struct machine *m, uint16_t x)
{
    m->v.gpr[ESP] -= 2;
    put16(m, m->v.seg[SEG_SS].base + m->v.gpr[ESP], x);
}

#endif
