/* SPDX-License-Identifier: MIT */
/*
 * cpu.c - hostile guests: a whole machine (CPU, board, 4 MiB of RAM) runs random code on random
 * tables in random modes, while time passes in jumps and the outside interferes. Nothing may crash,
 * hang or trip VMM_CHECK, and the state between slices must be one that vcpu.h allows.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <ucontext.h>

#include "host/linux/code_arena.h"
#include "host/linux/fpu_call.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/trace.h"
#include "monitor/memory/page.h"
#include "tests/fuzz/cpu_fuzz.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rig/null_host.h"

#define SLICES    40u
#define SLICE_NS  300000ull
#define CLOCK_NS  100000u /* each look at the clock; a slice is three of them */
#define INSNS_MAX 200000u
#define VGA_HOLE  0xa0000u

static struct machine {
    struct null_world world;
    struct vm vm;
    struct vcpu *cpu;
    struct vmm_host host;
    struct pc *pc;
    uint64_t sent;
} m;

/* ---- the world around the machine ---- */

static bool world_random(void *opaque, uint32_t *out)
{
    (void)opaque;
    *out = rnd32();
    return chance(90);
}

static void world_trace(void *opaque, unsigned stage, const char *text)
{
    (void)opaque;
    FUZZ_CHECK(stage < TRACE_COUNT && strlen(text) < TRACE_LINE_MAX);
    m.world.traced++;
}

static void send(void *opaque, const uint8_t *bytes, size_t len)
{
    (void)opaque;
    for (size_t i = 0; i < len; i++)
        m.sent += bytes[i];
}

/* ---- signals ---- */

/* The guest's own FPU faults, and UD2 of VMM_CHECK (include/ring1/types.h). */
static void on_signal(int sig, siginfo_t *info, void *context)
{
    const greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    char line[300];

    if (host_fpu_signal(info, context))
        return;
    if (sig == SIGILL && *(const uint16_t *)r[REG_RIP] == 0x0b0f)
        fuzz_write(line,
                   snprintf(line, sizeof line, "internal error at %s:%d: %s",
                            (const char *)r[REG_RDI], (int)r[REG_RSI], (const char *)r[REG_RDX]));
    else
        fuzz_write(line, snprintf(line, sizeof line, "signal %d at %p, address %p", sig,
                                  (void *)r[REG_RIP], info->si_addr));
    fuzz_say_seed();
    signal(SIGABRT, SIG_DFL);
    abort();
}

/* ---- one guest ---- */

static void build_once(void)
{
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER};

    sigaction(SIGFPE, &sa, NULL);
    sigaction(SIGILL, &sa, NULL);
    if (!__sanitizer_set_death_callback) {
        sigaction(SIGSEGV, &sa, NULL);
        sigaction(SIGBUS, &sa, NULL);
    }
    m.world.step = CLOCK_NS;
    m.host = null_host(&m.world);
    m.host.random32 = world_random;
    m.host.trace = world_trace;
    if (code_arena_create(&m.world.cpu_host.stubs, 1u << 18))
        fuzz_fail("no code arena");
    m.cpu = null_zeroed(sizeof *m.cpu);
    m.pc = null_zeroed(pc_size());
    null_vm(&m.vm, &m.world, &m.host, m.cpu, NULL, RAM_BYTES, NULL);
}

/* A new board, with chips as a booted system leaves them or as they come. */
static void build_board(void)
{
    static char cmdline[] = "fuzz";
    static uint8_t vga_memory[256 << 10];
    struct pc_config cfg = {
        .cmdline = cmdline,
        .acpi = chance(80),
        .debug_exit_base = 0xf4,
        .debug_exit_size = 4,
        .testdev = chance(50),
        .vga_memory = chance(50) ? memset(vga_memory, 0, sizeof vga_memory) : NULL,
        .vga_memory_size = sizeof vga_memory,
        .debugcon = {.send = chance(50) ? send : NULL},
    };

    for (unsigned n = 0; n < 4; n++) {
        cfg.serial[n].send = send;
        cfg.serial_present[n] = chance(70);
    }
    if (cfg.testdev)
        cfg.debugcon.send = NULL;
    const char *why = null_pc(&m.vm, m.pc, &cfg);
    if (why)
        fuzz_fail(why);
    pc_reset(m.pc, m.world.now);
    if (chance(80)) { /* both 8259A at vectors 0x20 and 0x28, a fast timer */
        static const uint16_t script[][2] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 4},    {0x21, 1},
                                             {0xa0, 0x11}, {0xa1, 0x28}, {0xa1, 2},    {0xa1, 1},
                                             {0x21, 0},    {0xa1, 0},    {0x43, 0x34}, {0x40, 0x80},
                                             {0x40, 1}};
        for (unsigned i = 0; i < ARRAY_LEN(script); i++)
            bus_write(&m.vm.port, script[i][0], 1, script[i][1], m.world.now);
    }
}

static void build(void)
{
    struct vcpu *v = m.cpu;
    const struct cpu_model *model;
    unsigned models = 0;

    while (cpu_model_at(models))
        models++;
    model = cpu_model_at(rnd(models));
    memset(m.vm.page, 0, RAM_BYTES >> GUEST_PAGE_SHIFT);
    memset(m.vm.ram, 0, chance(10) ? 0 : RAM_BYTES); /* or what the last guest left */
    vm_set_model(&m.vm, model);
    m.host.trace_mask = chance(5) ? rnd32() & (TRACE_BIT(TRACE_COUNT) - 1) : 0;
    m.world.now = 0;
    vcpu_reset(v);
    m.vm.a20 = true;
    m.vm.next_deadline = 0;
    build_board();
    vm_set_page_kind(&m.vm, VGA_HOLE, 0x20000, PAGE_MMIO);
    if (chance(50))
        pc_build_tables(m.pc);
    if (chance(50))
        for (unsigned i = DATA_AT; i < DATA_AT + 0x10000; i += 8)
            memcpy(m.vm.ram + i, &(uint64_t){rnd64()}, 8);
    tables_make(m.vm.ram);
    code_make(m.vm.ram);
    vm_ram_written(&m.vm, 0, RAM_BYTES);
    vcpu_reset(v);
    state_make(v);
}

/* What devices, users and hosts do between two slices. */
static void interfere(void)
{
    struct vcpu *v = m.cpu;
    uint8_t bytes[16];
    unsigned len;

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)rnd32();
    switch (rnd(10)) {
    case 0:
        vm_raise_nmi(&m.vm, 0);
        break;
    case 1:
        pc_power_button(m.pc, m.world.now);
        break;
    case 2: /* DMA, into code too */
        for (unsigned n = rnd(50); n; n--) {
            uint32_t at = chance(70) ? some_code() : rnd(RAM_BYTES);
            m.vm.ram[at] = (uint8_t)rnd32();
            vm_ram_written(&m.vm, at, 1);
        }
        break;
    case 3:
        len = pc_serial_room(m.pc, 0);
        pc_serial_receive(m.pc, 0, bytes, len < sizeof bytes ? len : sizeof bytes, m.world.now);
        break;
    case 4:
        m.world.now += (ns_t)rnd32() << rnd(20);
        break;
    case 5:
        if (chance(20))
            vm_set_a20(&m.vm, chance(50));
        break;
    case 6: /* the guest lost its way: new code, a new place */
        code_make(m.vm.ram);
        vm_ram_written(&m.vm, CODE_AT, CODE_LEN);
        v->eip = some_code() - (chance(50) ? v->seg[SEG_CS].base : 0);
        break;
    case 7:
        v->gpr[ESP] = STACK_AT;
        v->halted = false;
        break;
    default:
        break;
    }
}

static bool step_over(unsigned reason)
{
    struct vcpu *v = m.cpu;

    switch (reason) {
    case EXIT_SLICE:
        return true;
    case EXIT_HALT:
        if (m.vm.next_deadline != NS_NEVER && m.vm.next_deadline > m.world.now)
            m.world.now = m.vm.next_deadline;
        else
            v->halted = false;
        return true;
    case EXIT_SHUTDOWN_HALT:
        v->halted = false;
        return true;
    case EXIT_RESET:
    case EXIT_TRIPLE_FAULT:
    case EXIT_POWEROFF:
    case EXIT_DEBUG_EXIT:
        pc_reset(m.pc, m.world.now);
        vcpu_reset(v);
        vm_set_a20(&m.vm, true);
        m.vm.next_deadline = 0;
        tables_make(m.vm.ram);
        vm_ram_written(&m.vm, 0, RAM_BYTES);
        state_make(v);
        return true;
    default:
        fuzz_fail("vcpu_run() came back with an impossible reason");
    }
}

static void one(void)
{
    struct vcpu *v = m.cpu;

    build();
    uint64_t end = v->stats.insns + INSNS_MAX;
    for (unsigned n = 0; n < SLICES && v->stats.insns < end; n++) {
        unsigned reason = vcpu_run(v, SLICE_NS);
        fpu_park(v);
        const char *wrong = state_wrong(v);
        if (wrong)
            fuzz_fail(wrong);
        step_over(reason);
        interfere();
    }
    pc_flush(m.pc);
}

int main(int argc, char **argv)
{
    fuzz_name = argv[0];
    build_once();
    int status = fuzz_main(argc, argv, one);
    printf("%llu instructions, %llu exceptions, %llu interrupts, %llu task switches\n",
           (unsigned long long)m.cpu->stats.insns, (unsigned long long)m.cpu->stats.exceptions,
           (unsigned long long)m.cpu->stats.interrupts,
           (unsigned long long)m.cpu->stats.task_switches);
    return status;
}
