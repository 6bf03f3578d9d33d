/* SPDX-License-Identifier: MIT */
/*
 * cpu.c - segments, gates and the task state segment; and where every trap arrives.
 *
 * Source     SDM volume 3, sections 3.4 (segment descriptors), 6.11 (gates), 8.2.1 (the TSS).
 */
#include "kernel/kernel.h"

#define GATE_PRESENT_INTERRUPT 0x8e00u
#define GATE_USER              0x6000u /* DPL 3: int from ring 3 is allowed */
#define ERROR_PRESENT          1u
#define ERROR_WRITE            2u
#define ERROR_USER             4u

struct descriptor {
    uint32_t low, high;
};

struct tss {
    uint32_t link, esp0, ss0, unused[22];
    uint16_t trap, io_map;
};

struct system_info system;

static struct tss tss = {.ss0 = SELECTOR_DATA,
                         .io_map = sizeof(struct tss)}; /* no port for ring 3 */
static struct descriptor idt[256];
static struct descriptor gdt[6] = {
    {0, 0},
    {0x0000ffff, 0x00cf9a00}, /* ring 0 code, flat */
    {0x0000ffff, 0x00cf9200}, /* ring 0 data */
    {0x0000ffff, 0x00cffa00}, /* ring 3 code */
    {0x0000ffff, 0x00cff200}, /* ring 3 data */
    {0, 0},                   /* TSS, see cpu_init() */
};

static const char *const trap_names[32] = {
    "division error",
    "debug exception",
    "NMI",
    "breakpoint",
    "overflow",
    "bound exceeded",
    "invalid opcode",
    "no FPU",
    "double fault",
    "coprocessor overrun",
    "invalid TSS",
    "segment not present",
    "stack fault",
    "general protection",
    "page fault",
    "reserved",
    "FPU error",
    "alignment check",
    "machine check",
    "SIMD error",
};

static void gate_set(unsigned vector, const uint8_t *stub, uint32_t extra)
{
    uint32_t at = (uint32_t)stub;

    idt[vector].low = SELECTOR_CODE << 16 | (at & 0xffff);
    idt[vector].high = (at & 0xffff0000) | GATE_PRESENT_INTERRUPT | extra;
}

static void table_load(bool is_gdt, const void *table, uint16_t limit)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) pointer = {limit, (uint32_t)table};

    if (is_gdt)
        __asm__ volatile("lgdt %0" : : "m"(pointer));
    else
        __asm__ volatile("lidt %0" : : "m"(pointer));
}

void cpu_init(void)
{
    uint32_t at = (uint32_t)&tss;

    gdt[5].low = at << 16 | (sizeof tss - 1);
    gdt[5].high = (at & 0xff000000) | 0x8900 | (at >> 16 & 0xff);
    table_load(true, gdt, sizeof gdt - 1);
    __asm__ volatile("ljmp %0, $1f\n"
                     "1: mov %1, %%ds; mov %1, %%es; mov %1, %%ss; mov %2, %%fs; mov %2, %%gs"
                     :
                     : "i"(SELECTOR_CODE), "r"(SELECTOR_DATA), "r"(0)
                     : "memory");
    for (unsigned i = 0; i < VECTOR_IRQ + 16; i++)
        gate_set(i, trap_stubs + i * 16, 0);
    gate_set(3, trap_stubs + 3 * 16, GATE_USER);
    gate_set(VECTOR_SYSCALL, syscall_stub, GATE_USER);
    table_load(false, idt, sizeof idt - 1);
    __asm__ volatile("lldt %w0; ltr %w1" : : "r"(0), "r"(SELECTOR_TSS));

    system.gdt_base = (uint32_t)gdt;
    system.gdt_limit = sizeof gdt - 1;
    system.idt_base = (uint32_t)idt;
    system.idt_limit = sizeof idt - 1;
}

void cpu_set_kernel_stack(uint32_t end)
{
    tss.esp0 = end;
}

static void interrupt(unsigned irq)
{
    if (!board_interrupt_begin(irq))
        return;
    system.interrupts++;
    if (irq == 0)
        process_tick();
    else if (irq == 4)
        serial_interrupt();
}

/* A page may only be missing yet; every other exception ends the process, or the kernel when it is
 * its own. */
static void exception(struct frame *f)
{
    uint32_t address = 0;

    if (f->vector == VECTOR_PAGE_FAULT) {
        __asm__ volatile("mov %%cr2, %0" : "=r"(address));
        system.page_faults++;
        if (current && memory_fault(address, f->error & ERROR_PRESENT))
            return;
    }
    const char *name = trap_names[f->vector] ? trap_names[f->vector] : "reserved exception";
    if (!(f->cs & 3))
        panic(name, f);
    print("tiny: pid %d (%s) killed: %s at 0x%08x", current->pid, current->name, name, f->eip);
    if (f->vector == VECTOR_PAGE_FAULT)
        print(", %s of 0x%08x, %s\n", f->error & ERROR_WRITE ? "write" : "read", address,
              f->error & ERROR_PRESENT ? "not allowed" : "not mapped");
    else
        print(", error code 0x%x\n", f->error);
    process_exit(ENDED_BY_TRAP + (int)f->vector);
}

void trap(struct frame *f)
{
    if (f->vector == VECTOR_SYSCALL)
        syscall(f);
    else if (f->vector >= VECTOR_IRQ)
        interrupt(f->vector - VECTOR_IRQ);
    else
        exception(f);
    if (!(f->cs & 3))
        return;
    if (want_switch && !current->killed)
        process_yield();
    if (current->killed)
        process_exit(ENDED_BY_KILL);
}
