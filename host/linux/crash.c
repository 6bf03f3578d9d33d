/* SPDX-License-Identifier: MIT */
/* crash.c - see crash.h. The parts come in the order of their use to the reader; what could itself
 * crash (bytes at a wild address) comes last. */
#define _GNU_SOURCE
#include "host/linux/crash.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/linux/dump.h"
#include "host/linux/machine.h"
#include "monitor/cpu/engine.h"

#define TRAP_PAGE_FAULT 14
#define STACK_WORDS     16u
#define CODE_BYTES      16u

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* Labels of the linker, not objects: where our image lies. */
extern const char __executable_start[], etext[], _end[];

__attribute__((format(printf, 1, 2))) static void put(const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n > (int)sizeof text - 1)
        n = (int)sizeof text - 1;
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
        return;
}

static unsigned long long reg(const ucontext_t *uc, int n)
{
    return (unsigned long long)uc->uc_mcontext.gregs[n];
}

static bool in_image(uint64_t addr)
{
    return addr >= (uint64_t)(uintptr_t)__executable_start && addr < (uint64_t)(uintptr_t)_end;
}

/* UD2 of vmm_panic() (include/ring1/types.h): rdi file, rsi line, rdx text. The compiler's own
 * traps are UD2 too: only pointers into our image's data and a sane line are believed. */
static bool is_panic(int sig, const siginfo_t *info, const ucontext_t *uc)
{
    const uint8_t *rip = (const uint8_t *)(uintptr_t)reg(uc, REG_RIP);

    if (sig != SIGILL || info->si_code <= 0 || rip[0] != 0x0f || rip[1] != 0x0b)
        return false;
    return in_image(reg(uc, REG_RDI)) && in_image(reg(uc, REG_RDX)) && (int)reg(uc, REG_RSI) > 0;
}

static void put_cause(int sig, const siginfo_t *info, const ucontext_t *uc)
{
    const char *const tail = "; please report it with the guest's registers:\r\n";
    const char *name = sigabbrev_np(sig);

    put("\r\nring1: ");
    if (is_panic(sig, info, uc))
        put("internal error at %.200s:%d: %.300s%s", (const char *)(uintptr_t)reg(uc, REG_RDI),
            (int)reg(uc, REG_RSI), (const char *)(uintptr_t)reg(uc, REG_RDX), tail);
    else if (sig == SIGBUS && info->si_code == BUS_ADRERR)
        put("a file that the guest was started from became shorter, or the host ran out of memory "
            "(SIGBUS at %p)%s",
            info->si_addr, tail);
    else if (sig == SIGBUS && (info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO))
        put("the host's memory failed at %p%s", info->si_addr, tail);
    else if (sig == SIGSYS && info->si_code == SYS_SECCOMP)
        put("internal error: the sandbox forbids system call %d, made at host address 0x%llx%s",
            info->si_syscall, reg(uc, REG_RIP), tail);
    else if (info->si_code <= 0)
        put("signal %d (%s) came from process %d%s", sig, name, (int)info->si_pid, tail);
    else
        put("internal error: signal %d (%s) at host address 0x%llx, accessing %p%s", sig, name,
            reg(uc, REG_RIP), info->si_addr, tail);
}

static void put_guest(const struct vcpu *v)
{
    char text[4096];
    size_t len = dump_registers(v, text, sizeof text);

    if (write(STDERR_FILENO, text, len) < 0)
        return;
    put("attention 0x%03x shadow %u/%u exit reason %u delivering 0x%02x\r\n", v->attention,
        v->shadow, v->shadow_next, v->exit_reason, v->delivering);
}

/* What the engines were doing, and what of theirs lies at rip; returns where the monitor's stack
 * is. */
static uint64_t put_engines(const struct vcpu *v, const ucontext_t *uc)
{
    struct engine_report said;

    engines_report(v, reg(uc, REG_RIP), &said);
    if (write(STDERR_FILENO, said.text, said.len) < 0)
        return 0;
    return said.monitor_stack;
}

/* What the kernel and the CPU say of the cause. The trap number is this signal's when the code is
 * above 0 (trap_context.c). */
static void put_signal(int sig, const siginfo_t *info, const ucontext_t *uc)
{
    put("signal %d code %d (0x%x) trap %lld error 0x%llx rflags 0x%llx%s\r\n", sig, info->si_code,
        (unsigned)info->si_code, reg(uc, REG_TRAPNO), reg(uc, REG_ERR), reg(uc, REG_EFL),
        reg(uc, REG_EFL) & EFL_TF ? ": stepping" : "");
}

static void put_host(const ucontext_t *uc)
{
    static const struct {
        const char *name;
        int number;
    } regs[] = {
        {"rax", REG_RAX}, {"rcx", REG_RCX}, {"rdx", REG_RDX}, {"rbx", REG_RBX},
        {"rsp", REG_RSP}, {"rbp", REG_RBP}, {"rsi", REG_RSI}, {"rdi", REG_RDI},
        {"r8", REG_R8},   {"r9", REG_R9},   {"r10", REG_R10}, {"r11", REG_R11},
        {"r12", REG_R12}, {"r13", REG_R13}, {"r14", REG_R14}, {"r15", REG_R15},
    };

    put("host registers:\r\n");
    for (unsigned i = 0; i < ARRAY_LEN(regs); i++)
        put("%-3s 0x%016llx%s", regs[i].name, reg(uc, regs[i].number), i % 4 == 3 ? "\r\n" : " ");
    put("rip 0x%016llx rflags 0x%llx trap %lld error 0x%llx cr2 0x%llx\r\n", reg(uc, REG_RIP),
        reg(uc, REG_EFL), reg(uc, REG_TRAPNO), reg(uc, REG_ERR), reg(uc, REG_CR2));
    if (in_image(reg(uc, REG_RIP)))
        put("rip is ring1+0x%llx\r\n",
            reg(uc, REG_RIP) - (unsigned long long)(uintptr_t)__executable_start);
}

/* Any word of the stack, whatever a sanitizer thinks of reading it. */
static uint64_t stack_word(uint64_t at)
{
    uint64_t word;

    __asm__("mov (%1), %0" : "=r"(word) : "r"(at) : "memory");
    return word;
}

/* Return addresses, for addr2line; anything on the stack at `sp` that points into our code. */
static void put_stack(uint64_t sp)
{
    unsigned found = 0;

    if (!sp || sp % 8)
        return;
    put("stack:");
    for (unsigned i = 0; i < 256 && found < STACK_WORDS; i++) {
        uint64_t word = stack_word(sp + 8 * (uint64_t)i);
        if (!in_image(word) || word >= (uint64_t)(uintptr_t)etext)
            continue;
        put(" ring1+0x%llx", (unsigned long long)(word - (uint64_t)(uintptr_t)__executable_start));
        found++;
    }
    put("\r\n");
}

static void put_code(const ucontext_t *uc, const siginfo_t *info)
{
    const uint8_t *rip = (const uint8_t *)(uintptr_t)reg(uc, REG_RIP);
    char text[4 * CODE_BYTES];

    /* Nothing can be read where nothing can be executed. */
    if (reg(uc, REG_TRAPNO) == TRAP_PAGE_FAULT && info->si_addr == (const void *)rip)
        return;
    dump_bytes(rip, CODE_BYTES, text, sizeof text);
    put("code at rip: %s\r\n", text);
}

void crash_report(const struct machine *m, int sig, const siginfo_t *info, const ucontext_t *uc)
{
    uint64_t monitor_stack = 0;

    put_cause(sig, info, uc);
    if (m && m->vcpu) {
        put_guest(m->vcpu);
        monitor_stack = put_engines(m->vcpu, uc);
    }
    put_signal(sig, info, uc);
    put_host(uc);
    put_stack(monitor_stack ? monitor_stack : reg(uc, REG_RSP));
    put_code(uc, info);
}
