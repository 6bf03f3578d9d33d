/* SPDX-License-Identifier: MIT */
/*
 * interp_rig.h - one CPU with RAM, decoder and flat segments, that executes an instruction given
 * as bytes; and the host's CPU executing the same bytes as the oracle.
 *
 * The oracle runs in 64-bit mode with upper register halves zero and its data at the same linear
 * address as the guest's, so bytes without REX-range opcodes mean the same in both. ESP is never
 * an operand.
 */
#ifndef RING1_TESTS_RIG_INTERP_RIG_H
#define RING1_TESTS_RIG_INTERP_RIG_H

#include <criterion/criterion.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "monitor/arch/exception.h"
#include "monitor/arch/segment.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/vm.h"
#include "monitor/interp/handler.h"
#include "monitor/interp/interp.h"
#include "tests/rig/null_host.h"

#define RIG_RAM        (16u << 20)
#define RIG_DATA       0x800000u /* also mapped at this host address for the oracle */
#define RIG_DATA_BYTES 0x3000u
#define RIG_EIP        0x1000u
#define RIG_STACK      0x7000u
#define RIG_NO_FAULT   0xffu

struct rig {
    struct null_world world;
    struct vmm_host host;
    struct vm vm;
    struct vcpu cpu;
    struct insn insn; /* the last one decoded */
    struct fault fault;
    enum decode_status status;
};

/* `attr` of 0xc093 is a flat 32-bit data segment; the code segment differs in its type bits. */
static void rig_segment(struct rig *r, unsigned seg, uint32_t base, uint32_t limit, uint16_t attr)
{
    struct seg *s = &r->cpu.seg[seg];

    *s = (struct seg){.sel = 8, .attr = attr, .base = base, .limit = limit};
    seg_derive(s, true);
}

static void rig_start(struct rig *r)
{
    struct vcpu *v = &r->cpu;
    unsigned n;

    for (n = 0; n < SEG_COUNT; n++)
        rig_segment(r, n, 0, 0xffffffffu, n == SEG_CS ? 0xc09b : 0xc093);
    memset(v->gpr, 0, sizeof v->gpr);
    v->gpr[ESP] = RIG_STACK;
    v->cr0 = CR0_PE | CR0_ET;
    v->cpl = 0;
    v->eflags = EFL_FIXED1;
    v->attention = 0;
    v->shadow = v->shadow_next = 0;
    v->halted = false;
    v->eip = RIG_EIP;
}

static struct rig *rig_new(void)
{
    struct rig *r = null_zeroed(sizeof *r);

    r->host = null_host(&r->world);
    null_vm(&r->vm, &r->world, &r->host, &r->cpu, NULL, RIG_RAM, NULL);
    r->cpu.delivering = 0xff;
    rig_start(r);
    mmu_flush_all(&r->cpu);
    return r;
}

static void rig_execute(struct vcpu *v, void *arg)
{
    struct rig *r = arg;

    interp_select (&r->insn)(v, &r->insn);
    v->eip = v->next_eip;
}

/* Decodes for the current CS.D and SS.B, and makes EIP and the following address right. */
static bool rig_decode(struct rig *r, const uint8_t *bytes, unsigned len)
{
    struct decode_mode mode = {.code32 = r->cpu.seg[SEG_CS].attr & SEGA_DB,
                               .stack32 = r->cpu.seg[SEG_SS].attr & SEGA_DB};

    r->status = decoder_decode(&r->vm.decoder, mode, bytes, len, &r->insn);
    return r->status == DECODE_OK;
}

/* Runs the decoded instruction; returns the vector it raised or RIG_NO_FAULT. */
static unsigned rig_again(struct rig *r)
{
    r->cpu.next_eip = r->cpu.eip + r->insn.len;
    return fault_catch(&r->cpu, rig_execute, r, &r->fault) ? r->fault.vector : RIG_NO_FAULT;
}

static inline unsigned rig_run(struct rig *r, const uint8_t *bytes, unsigned len)
{
    cr_assert(rig_decode(r, bytes, len), "%u bytes from %02x on do not decode", len, bytes[0]);
    return rig_again(r);
}
#define RIG_RUN(r, ...)                                                                            \
    rig_run((r), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static inline uint32_t rig_get32(const struct rig *r, uint32_t at)
{
    uint32_t val;

    memcpy(&val, r->vm.ram + at, 4);
    return val;
}
static inline void rig_put32(struct rig *r, uint32_t at, uint32_t val)
{
    memcpy(r->vm.ram + at, &val, 4);
}

/* ---- the oracle ---- */

struct native_regs {
    uint64_t gpr[8]; /* [ESP] is not used */
    uint64_t flags;
};

static uint8_t *host_code;
static sigjmp_buf host_escape;

static void host_signal(int sig)
{
    siglongjmp(host_escape, sig);
}

static inline void host_open(void)
{
    struct sigaction sa = {.sa_handler = host_signal, .sa_flags = SA_NODEFER};
    void *data = mmap((void *)(uintptr_t)RIG_DATA, RIG_DATA_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    cr_assert(data == (void *)(uintptr_t)RIG_DATA);
    host_code =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(host_code != MAP_FAILED);
    sigaction(SIGFPE, &sa, NULL);
}

static unsigned emit(unsigned at, const uint8_t *bytes, unsigned len)
{
    memcpy(host_code + at, bytes, len);
    return at + len;
}
#define EMIT(at, ...)                                                                              \
    emit((at), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Makes a function of (struct native_regs *) around the instruction: registers and flags in, out.
 * */
static inline void host_compile(const uint8_t *bytes, unsigned len)
{
    unsigned at = 0, n;

    at = EMIT(at, 0x53, 0x55, 0x41, 0x57, 0x49, 0x89, 0xff); /* push rbx, rbp, r15; mov r15, rdi */
    at = EMIT(at, 0x41, 0xff, 0x77, 0x40, 0x9d);             /* push [r15+64]; popfq */
    for (n = 0; n < 8; n++)
        if (n != ESP)
            at = EMIT(at, 0x49, 0x8b, (uint8_t)(0x47 | n << 3),
                      (uint8_t)(n * 8)); /* mov reg, [r15+n*8] */
    at = emit(at, bytes, len);
    for (n = 0; n < 8; n++)
        if (n != ESP)
            at = EMIT(at, 0x49, 0x89, (uint8_t)(0x47 | n << 3), (uint8_t)(n * 8));
    at = EMIT(at, 0x9c, 0x41, 0x8f, 0x47, 0x40, 0xfc); /* pushfq; pop [r15+64]; cld */
    at = EMIT(at, 0x41, 0x5f, 0x5d, 0x5b, 0xc3);
}

/* Returns 0 or the signal. */
static inline int host_run(struct native_regs *regs)
{
    void (*volatile fn)(struct native_regs *) =
        (void (*)(struct native_regs *))(uintptr_t)host_code;
    int sig = sigsetjmp(host_escape, 0);

    if (sig) {
        __asm__ volatile("cld");
        return sig;
    }
    fn(regs);
    return 0;
}

#endif
