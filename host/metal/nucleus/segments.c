/* SPDX-License-Identifier: MIT */
/* segments.c - see segments.h. */
#include "host/metal/nucleus/segments.h"

#include "host/metal/nucleus/insn.h"
#include "host/metal/nucleus/layout.h"

#define STACK     16384u
#define GATE_DPL0 0x8e00u /* present, 64-bit interrupt gate: IF is cleared */
#define GATE_DPL1 0xae00u
#define TSS_TYPE  0x89ull
#define LDT_TYPE  0x82ull
#define NO_IO_MAP sizeof(struct tss)

#define CODE1 0x00afbb000000ffff /* DPL 1, 64-bit */
#define DATA1 0x00cfb3000000ffff

#define MSR_SYSENTER_CS 0x174u
#define MSR_EFER        0xc0000080u
#define EFER_SCE        1ull

enum ist { IST_NONE, IST_NMI, IST_DF, IST_MC, IST_COUNT };

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7]; /* IST1 first */
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));

struct pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/* entry.S */
extern const uint64_t vector_entries[256];

static uint8_t trap_stack[STACK] __attribute__((aligned(16)));
static uint8_t ist_stack[IST_COUNT][STACK] __attribute__((aligned(16)));
static struct tss tss;
static uint64_t gdt[8192] = {
    [SEL_CODE0 >> 3] = 0x00af9b000000ffff,
    [SEL_DATA0 >> 3] = 0x00cf93000000ffff,
    [SEL_CODE1 >> 3] = CODE1,
    [SEL_DATA1 >> 3] = DATA1,
};
static uint64_t ldt[8192];
static struct {
    uint16_t word[8];
} idt[256] __attribute__((aligned(16)));

static void set_gate(unsigned vector, unsigned flags, enum ist ist)
{
    uint64_t at = vector_entries[vector];
    uint16_t *w = idt[vector].word;

    w[0] = (uint16_t)at;
    w[1] = SEL_CODE0;
    w[2] = (uint16_t)(flags | ist);
    w[3] = (uint16_t)(at >> 16);
    w[4] = (uint16_t)(at >> 32);
    w[5] = (uint16_t)(at >> 48);
    w[6] = w[7] = 0;
}

/* A system descriptor of 16 bytes. */
static void set_system(unsigned sel, uint64_t base, uint64_t limit, uint64_t type)
{
    gdt[sel >> 3] = limit | (base & 0xffffff) << 16 | type << 40 | (base >> 24 & 0xff) << 56;
    gdt[(sel >> 3) + 1] = base >> 32;
}

static void set_tss(void)
{
    uint64_t base = (uint64_t)&tss, limit = sizeof tss - 1;

    tss.rsp[0] = (uint64_t)(trap_stack + STACK);
    for (unsigned n = 1; n < IST_COUNT; n++)
        tss.ist[n - 1] = (uint64_t)(ist_stack[n] + STACK);
    tss.io_map = NO_IO_MAP; /* no port may be accessed at CPL > 0 */
    set_system(SEL_TSS, base, limit, TSS_TYPE);
    set_system(SEL_LDT, (uint64_t)ldt, sizeof ldt - 1, LDT_TYPE);
}

/* SYSENTER raises #GP, SYSCALL #UD, whatever the loader left. */
static void close_fast_doors(void)
{
    write_msr(MSR_SYSENTER_CS, 0);
    write_msr(MSR_EFER, read_msr(MSR_EFER) & ~EFER_SCE);
}

void segments_init(void)
{
    for (unsigned n = 0; n < 256; n++)
        set_gate(n, n == VECTOR_SERVICE ? GATE_DPL1 : GATE_DPL0,
                 n == 2    ? IST_NMI
                 : n == 8  ? IST_DF
                 : n == 18 ? IST_MC
                           : IST_NONE);
    set_tss();
    close_fast_doors();
    struct pointer g = {sizeof gdt - 1, (uint64_t)gdt}, i = {sizeof idt - 1, (uint64_t)idt};
    __asm__ volatile("lgdt %0; lidt %1; ltr %w2; lldt %w3"
                     :
                     : "m"(g), "m"(i), "r"(SEL_TSS), "r"(SEL_LDT)
                     : "memory");
    /* The segment registers are reloaded from this table; CS through a far return. */
    __asm__ volatile("mov %0, %%ss; mov %0, %%ds; mov %0, %%es\n\t"
                     "pushq %1; lea 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
                     :
                     : "r"(SEL_DATA0), "i"(SEL_CODE0)
                     : "rax", "memory");
}

void segments_guest(uint16_t sel, uint64_t descriptor)
{
    uint64_t *table = sel & 4 ? ldt : gdt;

    table[sel >> 3] = descriptor;
}

void segments_hide_ring1(bool hide)
{
    gdt[SEL_CODE1 >> 3] = hide ? 0 : CODE1;
    gdt[SEL_DATA1 >> 3] = hide ? 0 : DATA1;
    set_gate(VECTOR_SERVICE, hide ? GATE_DPL0 : GATE_DPL1, IST_NONE);
}
