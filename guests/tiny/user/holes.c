/* SPDX-License-Identifier: MIT */
/*
 * holes.c - why x86 could not be virtualized in the classical way, shown from ring 3.
 *
 * A monitor that runs a guest's kernel in a less privileged ring relies on traps: whatever reads or
 * changes the state of the machine must fault there. These instructions do not. Each tells, or
 * silently ignores, something that only the kernel should know or do; so a guest kernel that
 * executes them in ring 1 would see the monitor's tables, not its own. A monitor for x86 has to
 * find them before they run: by interpretation or binary translation.
 *
 * Source     Robin and Irvine, "Analysis of the Intel Pentium's Ability to Support a Secure Virtual
 *            Machine Monitor", 2000; SDM volume 2 for each instruction. With CR4.UMIP (2017) the
 *            first five do fault.
 */
#include "user/lib.h"

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define EFLAGS_IF   0x200u

struct table_register {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));

static const char *agree(bool same)
{
    return same ? "the kernel's own" : "NOT the kernel's";
}

static void tables_show(const struct system_info *s)
{
    struct table_register gdt, idt;
    uint32_t ldt, task, status;

    __asm__ volatile("sgdt %0" : "=m"(gdt));
    __asm__ volatile("sidt %0" : "=m"(idt));
    __asm__ volatile("sldt %0" : "=r"(ldt));
    __asm__ volatile("str %0" : "=r"(task));
    __asm__ volatile("smsw %0" : "=r"(status));
    print("sgdt    base 0x%08x, limit 0x%04x: %s\n", gdt.base, gdt.limit,
          agree(gdt.base == s->gdt_base && gdt.limit == s->gdt_limit));
    print("sidt    base 0x%08x, limit 0x%04x: %s\n", idt.base, idt.limit,
          agree(idt.base == s->idt_base && idt.limit == s->idt_limit));
    print("sldt    0x%04x: %s\n", ldt & 0xffff, agree((ldt & 0xffff) == 0));
    print("str     0x%04x: %s\n", task & 0xffff, agree((task & 0xffff) == 0x28));
    print("smsw    0x%04x, the low half of CR0: %s\n", status & 0xffff,
          agree((status ^ s->cr0) << 16 == 0));
}

static void flags_show(void)
{
    uint32_t before, after, selector;

    __asm__ volatile("pushf; pop %0" : "=r"(before));
    __asm__ volatile("push %1; popf; pushf; pop %0"
                     : "=r"(after)
                     : "r"(before & ~EFLAGS_IF)
                     : "cc");
    __asm__ volatile("mov %%cs, %0" : "=r"(selector));
    print("pushf   0x%08x: interrupts are %s, IOPL is %u\n", before,
          before & EFLAGS_IF ? "on" : "off", before >> 12 & 3);
    print("popf    wanted interrupts off, they are %s: no fault\n",
          after & EFLAGS_IF ? "still on" : "off");
    print("mov cs  0x%04x: this is ring %u\n", selector & 0xffff, selector & 3);
}

static void selectors_show(void)
{
    uint32_t rights = 0, limit = 0;
    bool lar, lsl, verr, verw;

    __asm__ volatile("lar %2, %0" : "+r"(rights), "=@ccz"(lar) : "r"(KERNEL_CODE));
    __asm__ volatile("lsl %2, %0" : "+r"(limit), "=@ccz"(lsl) : "r"(KERNEL_DATA));
    __asm__ volatile("verr %w1" : "=@ccz"(verr) : "r"(KERNEL_DATA));
    __asm__ volatile("verw %w1" : "=@ccz"(verw) : "r"(KERNEL_DATA));
    print("lar lsl verr verw on the kernel's segments: %s %s %s %s, no fault\n", lar ? "yes" : "no",
          lsl ? "yes" : "no", verr ? "yes" : "no", verw ? "yes" : "no");
}

int program_holes(const char *argument)
{
    struct system_info s;

    (void)argument;
    system_get(&s);
    tables_show(&s);
    flags_show();
    selectors_show();
    return 0;
}
