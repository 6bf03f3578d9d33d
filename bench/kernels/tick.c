/* SPDX-License-Identifier: MIT */
/* tick.c - an idle guest: halts, and wakes 250 times a second for five seconds. */
#include "bench.h"

#define HZ         250u
#define TICKS      (5 * HZ)
#define SEL_CODE32 0x08u

volatile uint32_t ticks;
extern uint32_t idt[];
void tick_entry(void);

static void out8(uint16_t port, uint8_t val)
{
    __asm__ volatile("outb %0, %1" : : "a"(val), "Nd"(port));
}

/* IRQ 0: counts and acknowledges. */
__asm__(".globl tick_entry\n"
        "tick_entry:\n"
        "    pushl %eax\n"
        "    incl ticks\n"
        "    movb $0x20, %al\n"
        "    outb %al, $0x20\n"
        "    popl %eax\n"
        "    iret\n");

uint32_t bench_work(void)
{
    const uint32_t divisor = 1193182u / HZ, entry = (uint32_t)(uintptr_t)tick_entry;

    idt[0x20 * 2] = SEL_CODE32 << 16 | (entry & 0xffff);
    idt[0x20 * 2 + 1] = (entry & 0xffff0000u) | 0x8e00;
    out8(0x20, 0x11); /* 8259A: edge, cascade, ICW4 */
    out8(0x21, 0x20);
    out8(0x21, 0x04);
    out8(0x21, 0x01);
    out8(0xa1, 0xff);
    out8(0x21, 0xfe); /* IRQ 0 alone */
    out8(0x43, 0x34); /* counter 0, both bytes, mode 2 */
    out8(0x40, divisor & 0xff);
    out8(0x40, divisor >> 8);
    while (ticks < TICKS)
        __asm__ volatile("sti; hlt; cli" : : : "memory");
    return TICKS;
}
