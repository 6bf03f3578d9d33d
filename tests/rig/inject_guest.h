/* SPDX-License-Identifier: MIT */
/*
 * inject_guest.h - a program that goes through as many of the translator's stubs as one can, and
 * ends with HLT: calls out of each kind, checks of return addresses that fail, x87, strings,
 * writes beside code, faults, interrupts and system calls at CPL 0 and 3, DF set and clear.
 */
#ifndef RING1_TESTS_RIG_INJECT_GUEST_H
#define RING1_TESTS_RIG_INJECT_GUEST_H

#include "tests/rig/bt_rig.h"

#include <criterion/criterion.h>

#include "bt/run/run_priv.h"
#include "tests/rig/xorshift.h"

#define RAM     (64u << 10)
#define GDT     0x1000u
#define IDT     0x1400u
#define TSS     0x1c00u
#define CODE    0x2000u
#define COUNTER 0x2f00u /* beside code */
#define STACK   0x7000u
#define USTACK  0x7800u
#define DATA    0x8000u

/* Begins at CODE, flat, CPL 0; ends with HLT. SYM: a label's address. */
extern const uint8_t program[], down[], program_end[];
__asm__(
    ".pushsection .rodata\n"
    ".set CODE, 0x2000\n .set COUNTER, 0x2f00\n .set DATA, 0x8000\n .set ROUNDS, 0x8020\n .set "
    "USTACK, 0x7800\n"
    ".macro SYM label\n .long CODE + \\label - program\n .endm\n"
    ".code32\n"
    "program:\n"
    "mov $0x10, %eax; lar %eax, %ebp\n" /* the TLB does not know the table yet: declined */
    "mov $0x28, %dx; ltr %dx\n"
    "1: inc %esi\n"
    "push %eax; pushf; pop %edx; or %edx, %edi; push %edx; popf; pop %eax\n"
    "std; pushf; popf; down: cpuid; mov $0x10, %eax; lar %eax, %ebp; cld\n"
    "add $0x7fffffff, %eax; mov $0x10, %ax\n"
    "xor %edx, %edx; lar %edx, %ebp; lsl %eax, %edx\n"
    "mov $0x10, %eax; mov %eax, %ds; push %ds; pop %es\n"
    "mov $0x38, %edx; mov %edx, %fs; push $0x40; pop %fs\n" /* not accessed yet: declined */
    "mov $0x48, %edx; verw %dx; xor %ebx, %ebx; div %ebx\n"
    "rdtsc; mov %dr6, %edx; mov %cr0, %edx\n"
    "cli; mov %eax, DATA; incl DATA; mov DATA, %edx\n"
    "call 3f; .byte 0xbb; SYM 3f; call *%ebx\n"
    ".byte 0xbb; SYM 4f; jmp *%ebx; hlt\n"
    "4: call 2f; hlt; .byte 0x68; SYM 5f; ret; hlt\n"
    "5: mov $DATA + 64, %edi; stosl; push %ecx; mov $9, %ecx; rep; stosb\n"
    "mov $40, %ecx; mov $DATA, %esi; rep; movsb; lodsl; pop %ecx\n"
    "fninit; fld1; fstpl DATA + 8\n"
    "int $0x20; ljmp $8, $CODE + 6f - program\n"
    "6: .byte 0xe8; .long 0xffe - (. + 4 - program)\n" /* mov $imm, %edx across the page's end */
    "mov $12, %edx\n"
    "7: incl COUNTER; dec %edx; jnz 7b\n"
    "push $0x23; push $USTACK; pushf; push $0x1b; .byte 0x68; SYM 8f; iret\n"
    "2: incl (%esp); ret\n" /* to behind the HLT */
    "3: inc %edx; ret\n"
    "8: inc %esi; call 3b; mov $0x23, %eax; mov %eax, %ds; mov %eax, %es; mov $12, %edx\n"
    "7: incl COUNTER; dec %edx; jnz 7b; pushf; pop %edx; push %edx; popf; cpuid\n"
    "mov $0x23, %eax; lar %eax, %edx; rdtsc; mov %esi, DATA + 16; incl DATA + 16\n"
    "mov %esp, %ecx; .byte 0xba; SYM 8f; sysenter; hlt\n"
    "8: push %esi; pop %edi; push $0x10; pop %eax; int $0x21; hlt\n"
    "fast: inc %ebx; sysexit; hlt\n"
    "error: addl $2, (%esp)\n"
    "irq: inc %edx; iret\n"
    "back: add $20, %esp; mov $0x10, %eax; mov %eax, %ds; mov %eax, %es\n"
    "decl ROUNDS; jnz 9f; hlt; 9: .byte 0xe9; .long 1b - (. + 4)\n"
    "program_end:\n"
    ".code64\n .popsection\n");
extern const uint8_t error[], irq[], back[], fast[];
static uint8_t rounds = 2;

static const uint8_t across[] = {0xba, 0x78, 0x56, 0x34, 0x12, 0xc3}; /* at CODE + 0xffe */

/* ---- the machine ---- */

static struct {
    struct bt_rig *interpreted, *translated;
} t;

static void gate(uint8_t *ram, unsigned vector, const uint8_t *handler, unsigned dpl)
{
    uint32_t to = CODE + (uint32_t)(handler - program);
    uint32_t raw[] = {0x00080000 | (to & 0xffff), (to & 0xffff0000) | 0x8e00 | dpl << 13};

    memcpy(ram + IDT + 8 * vector, raw, sizeof raw);
}

/* Set: reset() leaves what the translator learned as it is, and some time passes. */
static bool adaptive;
static uint32_t adaptive_seed = 0x2545f491;
#define RESET_NS 16384u /* at most */

/* What repeats in each run is not to become rare: no instruction gets another form for its traps,
 * no exception gives the run to the interpreter. */
static void forget_traps(struct adapt *a)
{
    memset(a->site, 0, sizeof a->site);
    memset(a->page, 0, sizeof a->page);
    a->windowless = a->general = (struct adapt_back_off){.on = false};
    a->dense = (struct adapt_dense){.until = NS_NEVER, .seen = a->dense.seen};
}

/* All but the code, which stays translated. */
static void reset(struct bt_rig *r)
{
    static const uint32_t gdt[][2] = {
        {0, 0},
        {0x0000ffff, 0x00cf9b00},
        {0x0000ffff, 0x00cf9300},
        {0x0000ffff, 0x00cffb00},
        {0x0000ffff, 0x00cff300},
        {TSS << 16 | 0x67, 0x00008900},
        {0, 0},
        {0x0000ffff, 0x00cf9200}, /* data, not accessed */
        {0x0000ffff, 0x00cf9200},
        {0x0000ffff, 0x00409300}, /* a limit of 64 KiB */
    };
    static const uint32_t stack0[] = {STACK, 0x10};
    struct vcpu *v = r->cpu;
    uint8_t *ram = r->vm.ram;

    if (v->translator && adaptive)
        r->world.now += xorshift(&adaptive_seed) % RESET_NS;
    else if (v->translator)
        forget_traps(&v->translator->adapt);
    bt_rig_flat(r, 0);
    memset(ram, 0, CODE);
    memset(ram + COUNTER, 0, 4);
    memset(ram + STACK - 0x1000, 0, RAM - STACK + 0x1000);
    ram[DATA + 0x20] = rounds;
    memcpy(ram + GDT, gdt, sizeof gdt);
    memcpy(ram + TSS + 4, stack0, sizeof stack0);
    gate(ram, VEC_DE, error, 0);
    gate(ram, 0x20, irq, 0);
    gate(ram, 0x21, back, 3);
    v->gdtr = (struct table_reg){.base = GDT, .limit = sizeof gdt - 1};
    v->idtr = (struct table_reg){.base = IDT, .limit = 0x7ff};
    v->msr.sysenter_cs = 8;
    v->msr.sysenter_esp = STACK;
    v->msr.sysenter_eip = CODE + (uint32_t)(fast - program);
    v->eip = v->next_eip = CODE;
    v->gpr[ESP] = STACK;
}

/* Runs to HLT. False: it did not get there. */
static bool run(struct bt_rig *r)
{
    for (unsigned n = 0; n < 9; n++) {
        unsigned why = bt_rig_run(r);
        if (why != EXIT_SLICE)
            return why == EXIT_SHUTDOWN_HALT || why == EXIT_HALT;
    }
    return false;
}

static void load(struct bt_rig *r)
{
    memset(r->vm.ram, 0, RAM);
    memcpy(r->vm.ram + CODE, program, (size_t)(program_end - program));
    memcpy(r->vm.ram + CODE + 0xffe, across, sizeof across);
    bt_rig_wrote(r, 0, RAM);
    reset(r);
    cr_assert(run(r), "eip %x", r->cpu->eip);
}

/* Before a run of the translated guest. The interpreter's, which it is compared with, sees the same
 * time. */
static void restart(void)
{
    reset(t.translated);
    if (!adaptive)
        return;
    reset(t.interpreted);
    t.interpreted->world.now = t.translated->world.now;
    cr_assert(run(t.interpreted));
}

static bool same(void)
{
    const struct vcpu *a = t.interpreted->cpu, *b = t.translated->cpu;

    return a->eip == b->eip && a->eflags == b->eflags && !memcmp(a->gpr, b->gpr, sizeof a->gpr) &&
           !b->bt.in_cache && !b->bt.stepping &&
           !memcmp(t.interpreted->vm.ram, t.translated->vm.ram, RAM);
}

#endif
