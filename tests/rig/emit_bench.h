/* SPDX-License-Identifier: MIT */
/*
 * emit_bench.h - one instruction in all forms that the translator gives it: what the emitter emits
 * runs on the host's CPU and is compared with the interpreter, through the software TLB (with BMI2
 * and without) and through a window (with the GS base and without), with and without a folded ESP.
 *
 * Where the host traps (no access, no write access, #DE) or the software TLB misses, nothing that
 * the guest can see may have changed: registers, flags, folded ESP, memory. What is emitted is also
 * read by Zydis: flags are written by the guest's own operation only, the stack pointer of the host
 * by none.
 *
 * Use        bench_new(), check_bytes(): from random states.
 */
#ifndef RING1_TESTS_RIG_EMIT_BENCH_H
#define RING1_TESTS_RIG_EMIT_BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <Zydis/Zydis.h>
#include <cpuid.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "bt/run/run_priv.h"
#include "monitor/cpu/tlb.h"
#include "tests/rig/interp_rig.h"
#include "tests/rig/xorshift.h"

#define MEM_BYTES  0x10000u /* guest memory that the instructions use */
#define CODE_BYTES 0x10000u
#define BODY       0x400u /* arena offset of the instruction under test */
#define FS_BASE    0x1000u
#define LIVE       (EFL_ARITH | EFL_DF)
#define BMI2       (1u << 8)
#define MOVBE      (1u << 22)
#define FSGSBASE   2u /* of AT_HWCAP2 */

enum outcome { RAN, MISSED, TRAPPED };

struct bench {
    struct rig *rig;
    struct bt bt;
    struct host_code_arena arena;
    struct bt_block block;
    struct tu tu;
    uint8_t *none, *read_only; /* windows without access, and without write access */
    uint8_t *before, *after;   /* copies of guest memory */
    uint32_t seed;
    uint32_t start_gpr[8], start_flags;
    uint32_t body_end, exit;
    bool declined;
    ZydisDecoder z64, z32;
    unsigned ran, missed, trapped, callouts;
    unsigned gs; /* host instructions with gs: operands */
};

static sigjmp_buf trap_escape;
static uint64_t trap_regs[16], trap_rip, trap_flags;

static void trap_handler(int sig, siginfo_t *info, void *context)
{
    static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                  REG_R12, REG_R13, REG_R14, REG_R15};
    const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)sig, (void)info;
    for (unsigned n = 0; n < 16; n++)
        trap_regs[n] = (uint64_t)g[order[n]];
    trap_rip = (uint64_t)g[REG_RIP];
    trap_flags = (uint64_t)g[REG_EFL];
    siglongjmp(trap_escape, 1);
}

static uint32_t rnd(struct bench *b)
{
    return xorshift(&b->seed);
}

static struct bench *bench_new(void)
{
    static const ZydisDecoderMode off[] = {ZYDIS_DECODER_MODE_LZCNT, ZYDIS_DECODER_MODE_TZCNT,
                                           ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET,
                                           ZYDIS_DECODER_MODE_CLDEMOTE};
    struct sigaction sa = {.sa_sigaction = trap_handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct bench *b = calloc(1, sizeof *b);
    int fd = memfd_create("guest", 0);

    b->rig = rig_new();
    b->seed = 0x1234567;
    cr_assert(fd >= 0 && !ftruncate(fd, RIG_RAM));
    b->rig->vm.ram = mmap(NULL, RIG_RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    b->read_only = mmap(NULL, RIG_RAM, PROT_READ, MAP_SHARED, fd, 0);
    b->none = mmap(NULL, RIG_RAM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    b->before = malloc(MEM_BYTES);
    b->after = malloc(MEM_BYTES);
    b->arena.rw = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    b->arena.rx = b->arena.rw;
    b->arena.size = CODE_BYTES;
    b->bt.cache.arena = &b->arena;
    mmu_flush_all(&b->rig->cpu);
    rig_segment(b->rig, SEG_FS, FS_BASE, 0xffffffffu, 0xc093);
    ZydisDecoderInit(&b->z64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecoderInit(&b->z32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    for (unsigned n = 0; n < ARRAY_LEN(off); n++)
        ZydisDecoderEnableMode(&b->z32, off[n], ZYAN_FALSE);
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGFPE, &sa, NULL);
    sigaction(SIGILL, &sa, NULL);
    return b;
}

/* ---- the code around the instruction ---- */

static const uint8_t saved[] = {RBX, RBP, R12, R13, R14, R15};

static void push_pop(struct emit *e, uint8_t opcode, unsigned reg)
{
    if (reg >= R8)
        emit8(e, 0x41);
    emit8(e, (uint8_t)(opcode | (reg & 7)));
}

/* void (struct vcpu *, window base): registers and flags in, the instruction, registers and flags
 * out; bt.exit_arg becomes an enum outcome. */
static void emit_entry(struct bench *b, struct emit *e, int32_t delta)
{
    for (unsigned n = 0; n < ARRAY_LEN(saved); n++)
        push_pop(e, 0x50, saved[n]);
    emit_lea64(e, R15, HMEM(RDI, BT_PTR_BIAS));
    emit_mov_rr64(e, R14, RSI);
    if (b->tu.gs)
        emit_wrgsbase_r(e, RSI);
    emit_mov_mi32(e, VCPU(bt.exit_arg), RAN);
    emit_mov_rm32(e, R8, VCPU(eflags));
    push_pop(e, 0x50, R8);
    emit8(e, 0x9d); /* popfq */
    for (unsigned n = 0; n < GPR_COUNT; n++)
        emit_mov_rm32(e, host_gpr(n), VCPU(gpr[n]));
    emit_lea32(e, R12, HMEM(R12, -delta));
    emit_mov_ri64(e, R8, 0x1111111122222222);
    for (unsigned n = R9; n <= R13; n++)
        if (n != R12)
            emit_mov_rr64(e, n, R8);
    emit_jmp(e, BODY);
    b->exit = e->at;
    for (unsigned n = 0; n < GPR_COUNT; n++)
        emit_mov_mr64(e, HMEM(R15, BT_OFF(tlb.global[1]) + 8 * (int32_t)n), host_gpr(n));
    emit8(e, 0x9c); /* pushfq */
    push_pop(e, 0x58, R8);
    emit_mov_mr32(e, VCPU(eflags), R8);
    emit8(e, 0xfc); /* cld */
    for (unsigned n = ARRAY_LEN(saved); n--;)
        push_pop(e, 0x58, saved[n]);
    emit_ret(e);
    b->bt.stubs.callout = e->at;
}

/* Translates the rig's instruction between entry and exit. */
static void compile(struct bench *b, uint32_t ctx, int32_t delta)
{
    struct tu *t = &b->tu;
    static struct xinsn x;

    x.insn = b->rig->insn;
    memset(t, 0, sizeof *t);
    t->v = &b->rig->cpu;
    t->bt = &b->bt;
    t->block = &b->block;
    t->ctx = ctx;
    t->window = ctx & CTX_WINDOW;
    t->gs = b->bt.gs;
    t->x = &x;
    t->eip = RIG_EIP;
    t->next_eip = RIG_EIP + x.insn.len;
    t->esp_delta = delta;
    t->esp_before[0] = (int16_t)delta;
    t->count = 1;
    t->e = (struct emit){.rw = b->arena.rw, .at = 0, .end = CODE_BYTES};
    emit_entry(b, &t->e, delta);
    cr_assert(t->e.at < BODY);
    t->e.at = t->pos[0] = BODY;
    bt_emitter(x.insn.op)(t, &x.insn);
    b->body_end = t->e.at;
    b->declined = t->resumes_last;
    cr_expect(t->esp_delta >= -1100 && t->esp_delta <= 1100);
    emit_lea32(&t->e, R12, HMEM(R12, t->esp_delta));
    emit_jmp(&t->e, b->exit);
    for (unsigned n = 0; n < t->cold_count; n++) {
        emit_here32(&t->e, t->cold[n].site);
        if (t->cold[n].restore_rcx)
            emit_mov_rr64(&t->e, RCX, R10);
        emit_lea32(&t->e, R12, HMEM(R12, t->esp_before[0]));
        emit_mov_mi32(&t->e, VCPU(bt.exit_arg), MISSED);
        emit_jmp(&t->e, b->exit);
    }
}

static enum outcome native_run(struct bench *b, const uint8_t *window)
{
    void (*volatile fn)(struct vcpu *, const uint8_t *) =
        (void (*)(struct vcpu *, const uint8_t *))(uintptr_t)b->arena.rx;
    struct vcpu *v = &b->rig->cpu;

    if (sigsetjmp(trap_escape, 0)) {
        __asm__ volatile("cld");
        for (unsigned n = 0; n < 8; n++)
            v->gpr[n] = (uint32_t)trap_regs[host_gpr(n)];
        v->gpr[ESP] += (uint32_t)(int32_t)b->tu.esp_before[0];
        v->eflags = (uint32_t)trap_flags;
        cr_expect(trap_rip - (uintptr_t)b->arena.rx - BODY < b->body_end - BODY);
        cr_expect(trap_rip - (uintptr_t)b->arena.rx >= b->tu.pos[0]);
        return TRAPPED;
    }
    fn(v, window);
    for (unsigned n = 0; n < GPR_COUNT; n++) {
        cr_expect(v->tlb.global[1][n] >> 32 == 0, "upper half of register %u", n);
        v->gpr[n] = (uint32_t)v->tlb.global[1][n];
    }
    return (enum outcome)v->bt.exit_arg;
}

/* ---- state ---- */

static void start_again(struct bench *b)
{
    struct vcpu *v = &b->rig->cpu;

    memcpy(v->gpr, b->start_gpr, sizeof b->start_gpr);
    v->eflags = b->start_flags;
    memcpy(b->rig->vm.ram, b->before, MEM_BYTES);
    v->eip = RIG_EIP;
}

static const char *text_of(struct bench *b)
{
    static char text[200];
    unsigned n = 0;

    decoder_format(&b->rig->vm.decoder, &b->rig->insn, RIG_EIP, true, text, 100);
    n = (unsigned)strlen(text);
    n += (unsigned)snprintf(text + n, sizeof text - n, " [");
    for (unsigned k = 0; k < b->rig->insn.len; k++)
        n += (unsigned)snprintf(text + n, sizeof text - n, " %02x", b->rig->insn.bytes[k]);
    snprintf(text + n, sizeof text - n, " ] delta %d ctx %x", b->tu.esp_before[0], b->tu.ctx);
    return text;
}

/* Does the state equal gpr, flags (in mask) and the memory image? */
static void expect_state(struct bench *b, const char *what, const uint32_t *gpr, uint32_t flags,
                         uint32_t mask, const uint8_t *image)
{
    static const char *const name[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    struct vcpu *v = &b->rig->cpu;

    for (unsigned n = 0; n < GPR_COUNT; n++)
        cr_expect(v->gpr[n] == gpr[n], "%s: %s: %s is %08x, not %08x", text_of(b), what, name[n],
                  v->gpr[n], gpr[n]);
    cr_expect(((v->eflags ^ flags) & mask) == 0, "%s: %s: flags %x, not %x", text_of(b), what,
              v->eflags & mask, flags & mask);
    cr_expect(!memcmp(b->rig->vm.ram, image, MEM_BYTES), "%s: %s: memory differs", text_of(b),
              what);
}

/* ---- what Zydis says about the emitted bytes ---- */

static void expect_code(struct bench *b)
{
    ZydisDecodedInstruction zi, guest;
    ZydisDecodedOperand zo[ZYDIS_MAX_OPERAND_COUNT];
    unsigned own = 0;

    cr_assert(ZYAN_SUCCESS(
        ZydisDecoderDecodeFull(&b->z32, b->rig->insn.bytes, b->rig->insn.len, &guest, zo)));
    for (uint32_t at = BODY; at < b->body_end; at += zi.length) {
        cr_assert(ZYAN_SUCCESS(
                      ZydisDecoderDecodeFull(&b->z64, b->arena.rx + at, b->body_end - at, &zi, zo)),
                  "%s: undecodable output", text_of(b));
        const ZydisAccessedFlags *f = zi.cpu_flags;
        if (f && (f->modified | f->set_0 | f->set_1 | f->undefined)) {
            cr_expect(zi.mnemonic == guest.mnemonic, "%s: %s changes flags", text_of(b),
                      ZydisMnemonicGetString(zi.mnemonic));
            own++;
        }
        for (unsigned n = 0; n < zi.operand_count; n++) {
            if (zo[n].type == ZYDIS_OPERAND_TYPE_MEMORY && zo[n].mem.segment == ZYDIS_REGISTER_GS) {
                cr_expect(b->tu.gs && b->tu.window && zi.address_width == 32, "%s: gs", text_of(b));
                b->gs++;
            }
            if (zo[n].type != ZYDIS_OPERAND_TYPE_REGISTER ||
                !(zo[n].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
                continue;
            ZydisRegister r =
                ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, zo[n].reg.value);
            cr_expect(r != ZYDIS_REGISTER_RSP && r != ZYDIS_REGISTER_R13 &&
                          r != ZYDIS_REGISTER_R14 && r != ZYDIS_REGISTER_R15,
                      "%s: %s writes %s", text_of(b), ZydisMnemonicGetString(zi.mnemonic),
                      ZydisRegisterGetString(r));
        }
    }
    cr_expect(own <= 1, "%s: flags change %u times", text_of(b), own);
}

/* ---- one instruction in all forms ---- */

static uint32_t context(bool window, bool user)
{
    uint32_t ctx = CTX_VALID | CTX_STACK32 | (window ? CTX_WINDOW : 0) | (user ? 3 : 0);

    for (unsigned n = 0; n < SEG_COUNT; n++)
        ctx |= (uint32_t)(n == SEG_FS ? CTX_SEG_BASED : CTX_SEG_FLAT) << (CTX_SEG_SHIFT + 2 * n);
    return ctx;
}

static void expect_unchanged(struct bench *b, const char *what)
{
    expect_state(b, what, b->start_gpr, b->start_flags, LIVE, b->before);
}

/* Their 32 bytes may lie on two pages: they go through the software TLB in any case. */
static bool has_no_window(const struct bench *b)
{
    return b->rig->insn.op == OP_pusha || b->rig->insn.op == OP_popa;
}

static void run_soft(struct bench *b, uint32_t ctx, int32_t delta, unsigned vector,
                     const uint32_t *gpr, uint32_t flags, uint32_t mask)
{
    compile(b, ctx, delta);
    if (b->declined) {
        b->callouts++;
        return;
    }
    expect_code(b);
    start_again(b);
    switch (native_run(b, NULL)) {
    case RAN:
        b->ran++;
        cr_expect(vector == RIG_NO_FAULT, "%s: no fault", text_of(b));
        expect_state(b, "software TLB", gpr, flags, mask, b->after);
        break;
    case MISSED:
        b->missed++;
        expect_unchanged(b, "miss");
        break;
    case TRAPPED:
        b->trapped++;
        cr_expect(vector == VEC_DE, "%s: trap", text_of(b));
        expect_unchanged(b, "trap");
    }
    if (!b->tu.cold_count)
        return;
    mmu_flush_all(&b->rig->cpu);
    start_again(b);
    cr_expect(native_run(b, NULL) == MISSED, "%s: no miss with an empty TLB", text_of(b));
    expect_unchanged(b, "empty TLB");
}

static void run_window(struct bench *b, uint32_t ctx, int32_t delta, unsigned vector,
                       const uint32_t *gpr, uint32_t flags, uint32_t mask)
{
    if (has_no_window(b)) {
        run_soft(b, ctx, delta, vector, gpr, flags, mask);
        return;
    }
    compile(b, ctx, delta);
    if (b->declined) {
        b->callouts++;
        return;
    }
    expect_code(b);
    cr_expect(!b->tu.cold_count || b->rig->insn.seg == SEG_FS); /* an offset that straddles 4 GiB */
    start_again(b);
    if (native_run(b, b->rig->vm.ram) == RAN) {
        b->ran++;
        cr_expect(vector == RIG_NO_FAULT, "%s: no fault", text_of(b));
        expect_state(b, "window", gpr, flags, mask, b->after);
    } else {
        b->trapped++;
        cr_expect(vector == VEC_DE, "%s: trap", text_of(b));
        expect_unchanged(b, "trap");
    }
    start_again(b);
    if (native_run(b, b->none) == TRAPPED)
        expect_unchanged(b, "window without access");
    start_again(b);
    if (native_run(b, b->read_only) == TRAPPED)
        expect_unchanged(b, "window without write access");
}

/* Only what an emitter leaves to the interpreter raises anything but #DE here: memory is flat. */
static void expect_declined(struct bench *b, unsigned vector)
{
    for (unsigned window = 0; window < 2; window++) {
        compile(b, context(window, false), 0);
        cr_expect(b->declined, "%s: vector %u", text_of(b), vector);
    }
}

static bool has_gs(void)
{
    return getauxval(AT_HWCAP2) & FSGSBASE;
}

/* CPUID.1:ECX of the host; Clang 14 knows no "movbe" in __builtin_cpu_supports(). */
static uint32_t host_1_ecx(void)
{
    unsigned a, b, c = 0, d;

    __get_cpuid(1, &a, &b, &c, &d);
    return c;
}

/* The rig's instruction from the start state of *b: first the interpreter, then all forms. */
static void check_all_forms(struct bench *b)
{
    static const int32_t deltas[] = {0, -12, 20, -1000};
    struct vcpu *v = &b->rig->cpu;
    ZydisDecodedInstruction zi;
    uint32_t gpr[8], flags, mask = LIVE;
    int32_t delta = deltas[rnd(b) % ARRAY_LEN(deltas)];
    bool user = rnd(b) & 1;
    unsigned vector;

    cr_assert(ZYAN_SUCCESS(
        ZydisDecoderDecodeInstruction(&b->z32, NULL, b->rig->insn.bytes, b->rig->insn.len, &zi)));
    if (zi.cpu_flags)
        mask &= ~zi.cpu_flags->undefined;
    v->cpl = user ? 3 : 0;
    for (unsigned bmi2 = 0; bmi2 < 2; bmi2++) {
        b->rig->host.host_feat_7_ebx = bmi2 && __builtin_cpu_supports("bmi2") ? BMI2 : 0;
        b->rig->host.host_feat_1_ecx = bmi2 ? host_1_ecx() & MOVBE : 0;
        if (b->rig->insn.op == OP_movbe && !b->rig->host.host_feat_1_ecx) {
            expect_declined(b, RIG_NO_FAULT);
            continue;
        }
        start_again(b);
        vector = rig_again(b->rig); /* fills the TLB */
        memcpy(gpr, v->gpr, sizeof gpr);
        flags = v->eflags;
        memcpy(b->after, b->rig->vm.ram, MEM_BYTES);
        if (vector != RIG_NO_FAULT && vector != VEC_DE) {
            expect_declined(b, vector);
            continue;
        }
        run_soft(b, context(false, user), delta, vector, gpr, flags, mask);
        for (unsigned gs = 0; gs <= has_gs(); gs++) {
            b->bt.gs = gs;
            run_window(b, context(true, user), delta, vector, gpr, flags, mask);
        }
    }
}

/* ---- start states ---- */

/* A register names a bit of memory, perhaps far away. */
static bool is_bit_string(const struct insn *i)
{
    return (i->op == OP_bt || i->op == OP_bts || i->op == OP_btr || i->op == OP_btc) &&
           i->operand[0].kind == OPK_MEM && i->operand[1].kind == OPK_GPR;
}

/* Random registers; those that address memory lead into it. */
static void state_random(struct bench *b)
{
    const struct insn *i = &b->rig->insn;
    bool string = is_bit_string(i);

    for (unsigned n = 0; n < 8; n++)
        b->start_gpr[n] = rnd(b) & 1 ? rnd(b) : rnd(b) % 5 ? rnd(b) & 0x8000003f : 0;
    b->start_gpr[ESP] = 0x3200 + (rnd(b) & 0xbff);
    if (string)
        b->start_gpr[i->operand[1].reg] = (rnd(b) & 0x1fff) - 0x1000;
    if (i->op == OP_leave)
        b->start_gpr[EBP] = 0x2000 + (rnd(b) & 0xfff);
    if (i->base != INSN_NO_REG && i->base != ESP)
        b->start_gpr[i->base] = 0x2000 + (rnd(b) & 0xfff);
    if (i->index != INSN_NO_REG)
        b->start_gpr[i->index] = 0x80 + (rnd(b) & 0x3ff);
    if (i->op == OP_xlat && i->addr_size == 2)
        b->start_gpr[EBX] |= 0x12340000;
    if (i->disp < -0x10000000 && i->base != INSN_NO_REG && i->base != ESP)
        b->start_gpr[i->base] -= (uint32_t)i->disp & 0xf0000000; /* wraps around */
    b->start_flags = EFL_FIXED1 | (rnd(b) & LIVE);
    for (unsigned n = 0; n < MEM_BYTES; n += 4) {
        uint32_t val = rnd(b);
        memcpy(b->before + n, &val, 4);
    }
}

static void check_bytes(struct bench *b, const uint8_t *bytes, unsigned len)
{
    cr_assert(rig_decode(b->rig, bytes, len), "%02x %02x: no instruction", bytes[0], bytes[1]);
    state_random(b);
    check_all_forms(b);
}

#endif
