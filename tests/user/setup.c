/* SPDX-License-Identifier: MIT */
/*
 * setup.c - the two worlds made alike: page tables and the IDT of the bare kernel, mappings and
 * signal handlers of the Linux process.
 *
 * Source     SDM vol. 3A, 4.3 and 6.11; Linux' i386 ABI (sigcontext of <asm/sigcontext.h>, system
 *            call numbers).
 */
#include "user.h"

char cmdline[4096];

/* ---- bare ---- */

extern uint32_t page_directory[1024], page_table[1024];
extern uint64_t gdt[], idt[256];
extern const char stubs[], bare_syscall[], image_start[], image_end[];
extern uint8_t tss[];
void bare_setup(const uint32_t *multiboot);

#define PTE_US 0x7u /* present, writable, user */
#define PTE_RO 0x5u

static void map(uint32_t from, uint32_t end, uint32_t bits)
{
    for (uint32_t at = from; at < end; at += 4096)
        page_table[at >> 12 & 1023] = at | bits;
}

static void gate(unsigned vector, uint32_t handler, unsigned dpl)
{
    idt[vector] = (uint64_t)(handler & 0xffff0000u) << 32 | (uint64_t)(0x8e00u | dpl << 13) << 32 |
                  0x10u << 16 | (handler & 0xffff);
}

/* Runs at CPL 0 without paging. Maps exactly what native_setup() does. */
void bare_setup(const uint32_t *multiboot)
{
    const char *text = multiboot[0] & 4 ? (const char *)multiboot[4] : "";

    for (unsigned i = 0; i + 1 < sizeof cmdline && text[i]; i++)
        cmdline[i] = text[i];
    page_directory[CODE >> 22] = (uint32_t)page_table | PTE_US;
    map(CODE, CODE + CODE_LEN, PTE_US);
    map(DATA, DATA_END, PTE_US);
    map(DATA_END, RO_END, PTE_RO);
    map((uint32_t)image_start, (uint32_t)image_end, PTE_US);
    for (unsigned v = 0; v < 32; v++)
        gate(v, (uint32_t)stubs + 16 * v, v == 3 || v == 4 ? 3 : 0);
    gate(0x80, (uint32_t)bare_syscall, 3);
    uint32_t at = (uint32_t)tss;
    gdt[8] |= (uint64_t)(at & 0xffffff) << 16 | (uint64_t)(at >> 24) << 56;
}

/* ---- Linux ---- */

void native_setup(uint32_t *stack);
extern const char sig_return[];
extern uint8_t signal_stack[];

enum { SYS_munmap = 91, SYS_mprotect = 125, SYS_rt_sigaction = 174, SYS_sigaltstack = 186 };
enum { SYS_mmap = 90, SYS_set_thread_area = 243 };
#define SIGNAL_FLAGS                                                                               \
    (0x4u | 0x08000000u | 0x04000000u | 0x40000000u) /* SIGINFO ONSTACK RESTORER NODEFER */

struct context { /* ucontext with the sigcontext of i386 */
    uint32_t flags, link, stack[3];
    uint32_t gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint32_t trap, error, eip, cs, eflags, esp_at_signal, ss, fpstate, mask, cr2;
};

static void on_signal(int number, const void *info, struct context *c)
{
    (void)number;
    (void)info;
    if (c->eip >= (uint32_t)image_start && c->eip != (uint32_t)exit_next) {
        print("FAIL fault in the test itself at ");
        print_hex(c->eip, 8);
        print("\n");
        print_flush();
        syscall3(1, 2, 0, 0);
    }
    fault.vector = c->trap;
    fault.error = c->error;
    fault.cr2 = c->cr2;
    fault.eip = c->eip;
    c->eip = (uint32_t)exit_fault;
    c->eflags &= ~EFL_TF;
}

static void map_fixed(uint32_t at, uint32_t len, uint32_t prot)
{
    uint32_t args[6] = {at,     len,        prot,
                        0x8032, 0xffffffff, 0}; /* PRIVATE FIXED ANONYMOUS POPULATE */

    syscall3(SYS_mmap, (uint32_t)args, 0, 0);
}

static void segment_set(uint32_t sel, uint32_t base, uint32_t limit, bool pages)
{
    uint32_t desc[4] = {sel >> 3, base, limit, 1u | (pages ? 1u << 4 : 0) | 1u << 6};

    syscall3(SYS_set_thread_area, (uint32_t)desc, 0, 0);
}

void native_setup(uint32_t *stack)
{
    unsigned at = 0;

    for (uint32_t i = 1; i < stack[0]; i++) {
        const char *arg = (const char *)stack[1 + i];
        while (*arg && at + 2 < sizeof cmdline)
            cmdline[at++] = *arg++;
        cmdline[at++] = ' ';
    }
    map_fixed(CODE, CODE_LEN, 7);
    map_fixed(DATA, RO_END - DATA, 3);
    syscall3(SYS_mprotect, DATA_END, RO_END - DATA_END, 1);
    if (!option_word("qemu")) /* whose descriptor tables are there */
        syscall3(SYS_munmap, 0x01000000, 0xffffe000u - 0x01000000, 0); /* the stack, the vDSO */
    if (option_word("qemu")) { /* its thread segments are entries 6 to 8 */
        sel_fs = 6 << 3 | 3;
        sel_gs = 7 << 3 | 3;
    }
    segment_set(sel_fs, FS_BASE, 0xfffff, true);
    segment_set(sel_gs, DATA, 0xffff, false);
    __asm__ volatile("mov %0, %%fs\n\tmov %1, %%gs" : : "r"(sel_fs), "r"(sel_gs));
    uint32_t alt[3] = {(uint32_t)signal_stack, 0, 65536};
    syscall3(SYS_sigaltstack, (uint32_t)alt, 0, 0);
    static const uint8_t numbers[] = {4, 5, 7, 8, 11};
    uint32_t act[5] = {(uint32_t)on_signal, SIGNAL_FLAGS, (uint32_t)sig_return, 0, 0};
    for (unsigned i = 0; i < sizeof numbers; i++)
        syscall6(SYS_rt_sigaction, numbers[i], (uint32_t)act, 0, 8, 0);
}
