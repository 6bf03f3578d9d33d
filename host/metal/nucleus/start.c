/* SPDX-License-Identifier: MIT */
/* start.c - from boot.S to code at CPL 1. */
#include "host/metal/monitor.h"
#include "host/metal/nucleus/bootinfo.h"
#include "host/metal/nucleus/clock.h"
#include "host/metal/nucleus/console.h"
#include "host/metal/nucleus/frames.h"
#include "host/metal/nucleus/insn.h"
#include "host/metal/nucleus/pages.h"
#include "host/metal/nucleus/segments.h"
#include "host/metal/nucleus/service.h"
#include "include/ring1/x86.h"

#define CR4_FSGSBASE  (1u << 16)
#define LEAF7_FSGS    1u
#define LEAF7_UMIP    4u
#define MONITOR_STACK (256u << 10)
#define MIB           (1ull << 20)

void metal_start(uint32_t magic, uint32_t info);

static struct bootinfo bootinfo;
static uint8_t monitor_stack[MONITOR_STACK] __attribute__((aligned(16)));

const struct bootinfo *metal_bootinfo(void)
{
    return &bootinfo;
}

/* The guest's x87 and SSE instructions run on ours, without traps. */
static void fpu_init(void)
{
    uint64_t cr4 = read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT;

    if (cpuid(0, 0).a >= 7 && (cpuid(7, 0).b & LEAF7_FSGS))
        cr4 |= CR4_FSGSBASE;
    if (cpuid(0, 0).a >= 7 && (cpuid(7, 0).c & LEAF7_UMIP))
        cr4 |= CR4_UMIP;
    write_cr4(cr4);
    __asm__ volatile("fninit");
}

static void monitor_main(void)
{
    monitor_run();
}

void metal_start(uint32_t magic, uint32_t info)
{
    segments_init();
    console_init();
    console_say("a virtual machine monitor for 32-bit x86, in ring 0 of this machine");
    if (!bootinfo_read(&bootinfo, magic, info))
        panic(NULL, "the loader that started this is neither Multiboot 1 nor Multiboot 2");
    if (bootinfo.dropped)
        console_say("%u modules or ranges of memory are more than ring1 looks at",
                    bootinfo.dropped);
    frames_init(&bootinfo);
    if (!pages_init())
        panic(NULL, "this machine has not memory enough for ring1's page tables");
    clock_init();
    console_listen();
    fpu_init();
    console_say("%llu MiB of memory free, time stamp counter at %u kHz",
                (unsigned long long)(frames_left() / MIB), clock_tsc_khz());
    enter_ring1(monitor_main, (uint64_t)(monitor_stack + MONITOR_STACK) - 8);
}
