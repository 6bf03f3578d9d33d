/* SPDX-License-Identifier: MIT */
/*
 * fpu_fixture.h - a vCPU in flat 32-bit protected mode with a little RAM, and the host's CPU as the
 * oracle.
 *
 * The oracle executes the guest's bytes unchanged in 64-bit mode: the tests use only memory
 * operands at [esi] and the general registers eax, ecx, edx, edi, which mean the same there.
 */
#ifndef RING1_TESTS_FPU_FIXTURE_H
#define RING1_TESTS_FPU_FIXTURE_H

#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "host/linux/code_arena.h"
#include "host/linux/fpu_call.h"
#include "monitor/arch/exception.h"
#include "monitor/arch/segment.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/fpu_image.h"
#include "monitor/cpu/vm.h"
#include "monitor/interp/handler.h"
#include "monitor/interp/interp.h"
#include "tests/rig/null_host.h"

#define RAM_BYTES (1u << 20)
#define DATA_GPA  0x8000u /* where esi points */
#define CODE_EIP  0x00401234u
#define NO_FAULT  0xffu

struct rig {
    struct null_world world;
    struct vmm_host host;
    struct vm vm;
    struct vcpu cpu;
    struct fault fault; /* of the last rig_run() */
    struct insn insn;   /* the last one decoded */
};

extern const char host_fpu_call_return[], host_fpu_call_fault[];

static void rig_signal(int sig, siginfo_t *info, void *uc)
{
    if (host_fpu_signal(info, uc))
        return;
    /* The oracle may take #GP for a misaligned operand; stubs never do. */
    greg_t *reg = ((ucontext_t *)uc)->uc_mcontext.gregs;
    if (sig == SIGSEGV && reg[REG_TRAPNO] == VEC_GP &&
        *(uint64_t *)reg[REG_RSP] == (uint64_t)host_fpu_call_return) {
        reg[REG_RIP] = (greg_t)host_fpu_call_fault;
        reg[REG_RAX] = VEC_GP;
        return;
    }
    signal(sig, SIG_DFL);
}

static void rig_flat(struct seg *s, uint16_t sel, uint16_t attr)
{
    *s = (struct seg){.sel = sel, .attr = attr, .limit = 0xffffffffu};
    seg_derive(s, true);
}

static struct rig *rig_new(size_t arena)
{
    struct rig *r = null_zeroed(sizeof *r);
    struct vcpu *v = &r->cpu;
    struct sigaction sa = {.sa_sigaction = rig_signal, .sa_flags = SA_SIGINFO};

    sigaction(SIGFPE, &sa, NULL);
    sigaction(SIGILL, &sa, NULL);
    sigaction(SIGSEGV, &sa, NULL);
    r->host = null_host(&r->world);
    cr_assert_eq(code_arena_create(&r->world.cpu_host.stubs, arena), 0);
    null_vm(&r->vm, &r->world, &r->host, v, NULL, RAM_BYTES, NULL);
    v->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_MP;
    v->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    v->eflags = EFL_FIXED1;
    v->delivering = 0xff;
    for (unsigned n = 0; n < SEG_COUNT; n++)
        rig_flat(&v->seg[n], n == SEG_CS ? 0x08 : 0x10,
                 SEGA_P | SEGA_S | SEGA_DB | SEGA_G | SEGA_RW | SEGA_ACCESSED |
                     (n == SEG_CS ? SEGA_CODE : 0));
    mmu_flush_all(v);
    fpu_reset(v);
    v->eip = CODE_EIP;
    v->gpr[ESI] = DATA_GPA;
    return r;
}

static const char *const rig_handler_name[] = {
    [0] = "",
#define OP(name, handler, emitter, traits) #handler,
#include "decoder/op.def"
#undef OP
};

static insn_fn *rig_handler(unsigned op)
{
    static const struct {
        const char *name;
        insn_fn *fn;
    } known[] = {{"x87", i_x87},        {"mmx", i_mmx},         {"sse", i_sse},
                 {"fwait", i_fwait},    {"fxsave", i_fxsave},   {"fxrstor", i_fxrstor},
                 {"fldenv", i_fldenv},  {"fnstenv", i_fnstenv}, {"frstor", i_frstor},
                 {"fnsave", i_fnsave},  {"ldmxcsr", i_ldmxcsr}, {"stmxcsr", i_stmxcsr},
                 {"maskmov", i_maskmov}};

    for (unsigned n = 0; n < ARRAY_LEN(known); n++)
        if (!strcmp(rig_handler_name[op], known[n].name))
            return known[n].fn;
    return NULL;
}

static void rig_call(struct vcpu *v, void *arg)
{
    struct insn *i = arg;
    rig_handler(i->op)(v, i);
}

/* Decodes into r->insn. False: no instruction of ours. */
static bool rig_decode(struct rig *r, const uint8_t *bytes, unsigned len, bool code32)
{
    uint8_t buf[INSN_MAX_LEN] = {0};

    fpu_park(&r->cpu);
    memcpy(buf, bytes, len);
    return decoder_decode(&r->vm.decoder, (struct decode_mode){code32, code32}, buf, sizeof buf,
                          &r->insn) == DECODE_OK &&
           rig_handler(r->insn.op);
}

/* Runs r->insn at CODE_EIP. Returns the vector or NO_FAULT; the guest's registers are parked. */
static unsigned rig_exec(struct rig *r)
{
    struct vcpu *v = &r->cpu;

    v->eip = CODE_EIP;
    v->next_eip = v->eip + r->insn.len;
    bool faulted = fault_catch(v, rig_call, &r->insn, &r->fault);
    fpu_park(v);
    return faulted ? r->fault.vector : NO_FAULT;
}

static inline unsigned rig_run(struct rig *r, const uint8_t *bytes, unsigned len)
{
    cr_assert(rig_decode(r, bytes, len, r->cpu.seg[SEG_CS].attr & SEGA_DB), "%u bytes from %02x on",
              len, bytes[0]);
    return rig_exec(r);
}
#define RUN(r, ...)                                                                                \
    rig_run((r), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* ---- the oracle ---- */

struct oracle {
    uint32_t gpr[8]; /* in and out; EAX, ECX, EDX, EDI are used */
    uint64_t flags;
    void *esi;
    void *image; /* FXSAVE image, in and out */
    uint8_t *code;
};

static inline void oracle_init(struct oracle *o)
{
    memset(o, 0, sizeof *o);
    o->image = aligned_alloc(64, FXSAVE_SIZE);
    o->code =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Runs the bytes natively; returns the vector or NO_FAULT. */
static inline unsigned oracle_run(struct oracle *o, const uint8_t *bytes, unsigned len)
{
    static const uint8_t before[] = {
        0x49, 0x89, 0xfb,       /* mov r11, rdi */
        0x4d, 0x8b, 0x53, 48,   /* mov r10, [r11+image] */
        0x41, 0x0f, 0xae, 0x0a, /* fxrstor [r10] */
        0x41, 0xff, 0x73, 32,   /* push qword [r11+flags] */
        0x9d,                   /* popfq */
        0x41, 0x8b, 0x43, 0,    /* mov eax, [r11] ... */
        0x41, 0x8b, 0x4b, 4,    0x41, 0x8b, 0x53, 8,
        0x41, 0x8b, 0x7b, 28,   0x49, 0x8b, 0x73, 40, /* mov rsi, [r11+esi] */
    };
    static const uint8_t after[] = {
        0x9c, 0x41, 0x8f, 0x43, 32, /* pushfq; pop qword [r11+flags] */
        0x41, 0x89, 0x43, 0,    0x41, 0x89, 0x4b, 4,    0x41,
        0x89, 0x53, 8,    0x41, 0x89, 0x7b, 28,   0xc3,
    };
    uint32_t mxcsr = 0x1f80;
    unsigned vec;

    memcpy(o->code, before, sizeof before);
    memcpy(o->code + sizeof before, bytes, len);
    memcpy(o->code + sizeof before + len, after, sizeof after);
    vec = host_fpu_call(NULL, o->code, (struct fpu_io *)(void *)o);
    __asm__ volatile("fxsave (%0)\n\tfninit\n\tldmxcsr %1"
                     :
                     : "r"(o->image), "m"(mxcsr)
                     : "memory");
    return vec ? vec : NO_FAULT;
}

/* ---- random state ---- */

static uint64_t rng_state = 88172645463325252ull;
static uint32_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 16);
}
static bool chance(unsigned one_in)
{
    return rng() % one_in == 0;
}

static void random_bytes(uint8_t *p, unsigned len)
{
    for (unsigned n = 0; n < len; n++)
        p[n] = (uint8_t)rng();
}

/* 16 bytes that as floats, doubles or integers are often special. */
static void random_vector(uint8_t *p)
{
    static const uint32_t f32[] = {0,          0x80000000, 0x3f800000, 0x7f800000,
                                   0xff800000, 0x7fc00000, 0x7f800001, 1,
                                   0x007fffff, 0x7f7fffff, 0x4b000001, 0xcf000000};
    static const uint64_t f64[] = {0,
                                   1ull << 63,
                                   0x3ff0000000000000,
                                   0x7ff0000000000000,
                                   0x7ff8000000000000,
                                   0x7ff0000000000001,
                                   1,
                                   0x000fffffffffffff,
                                   0x7fefffffffffffff,
                                   0x41dfffffffc00000,
                                   0xc1e0000000000000,
                                   0x36a0000000000000};
    random_bytes(p, 16);
    unsigned kind = rng() % 4;
    for (unsigned n = 0; kind == 0 && n < 4; n++)
        memcpy(p + 4 * n, &f32[rng() % ARRAY_LEN(f32)], 4);
    for (unsigned n = 0; kind == 1 && n < 2; n++)
        memcpy(p + 8 * n, &f64[rng() % ARRAY_LEN(f64)], 8);
    for (unsigned n = 0; kind == 2 && n < 4; n++) /* floats near 1 */
        p[4 * n + 3] = (uint8_t)((p[4 * n + 3] & 0x80) | 0x3f);
}

static void random_st(uint8_t *p)
{
    static const uint16_t exponent[] = {0,      1,      0x3fff, 0x3ffe, 0x4000,
                                        0x403e, 0x7ffe, 0x7fff, 0x3c00, 0x43ff};
    static const uint64_t fraction[] = {0, 1ull << 63,        ~0ull, 3ull << 62, (1ull << 63) | 1,
                                        1, 0x7fffffffffffffff};

    memset(p, 0, 16);
    random_bytes(p, 10);
    if (chance(2))
        p[7] |= 0x80; /* normal rather than unsupported */
    if (chance(2)) {
        image_put16(p, 8, exponent[rng() % ARRAY_LEN(exponent)] | (rng() & 0x8000));
        if (chance(2))
            memcpy(p, &fraction[rng() % ARRAY_LEN(fraction)], 8);
    } else if (chance(2)) {
        image_put16(p, 8, (0x3ff0 + rng() % 32) | (rng() & 0x8000));
    }
}

/* Fills an FXSAVE image that FXRSTOR accepts. `wild`: exceptions may be unmasked or pending. */
static inline void random_image(uint8_t *image, bool wild)
{
    memset(image, 0, FXSAVE_SIZE);
    uint32_t fcw = 0x37f, fsw = (rng() & 0x7) << 11, mxcsr = 0x1f80;
    if (chance(2))
        fcw = (fcw & ~0xf00u) | (rng() & 0xf00);
    if (chance(2))
        fsw |= rng() & 0x4700;
    if (chance(3))
        fsw |= rng() & 0x7f;
    if (chance(2))
        mxcsr |= rng() & 0xe07f; /* RC, FTZ, DAZ, flags */
    if (wild && chance(2))
        fcw &= ~(rng() & 0x3fu);
    if (wild && chance(2))
        fsw &= ~0x7fu;
    if (wild && chance(2))
        mxcsr &= ~(rng() & 0x1f80u);
    image_put16(image, FX_FCW, fcw);
    image_put16(image, FX_FSW, fsw);
    image[FX_FTW] = chance(2) ? 0xff : (uint8_t)rng();
    image_put32(image, FX_MXCSR, mxcsr);
    for (unsigned n = 0; n < 8; n++) {
        random_st(image + FX_ST + 16 * n);
        random_vector(image + FX_XMM + 16 * n);
    }
}

/* Loads `image` as the guest's parked state. */
static inline void rig_load(struct rig *r, const uint8_t *image)
{
    uint32_t mask = image_get32(r->cpu.fpu.area, FX_MXCSR_MASK);

    fpu_park(&r->cpu);
    memcpy(r->cpu.fpu.area, image, FX_LEGACY_END);
    image_put32(r->cpu.fpu.area, FX_MXCSR_MASK, mask);
}

/* Everything but the pointers and what a 32-bit CPU does not have. -1: equal; else the first offset
 * that differs. */
static inline int image_differs(const uint8_t *a, const uint8_t *b)
{
    for (unsigned n = 0; n < FX_LEGACY_END; n++) {
        bool pointers = n >= FX_FOP && n < FX_MXCSR;
        bool mask = n >= FX_MXCSR_MASK && n < FX_ST;
        if (!pointers && !mask && a[n] != b[n])
            return (int)n;
    }
    return -1;
}

#endif
