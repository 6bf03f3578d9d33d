/* SPDX-License-Identifier: MIT */
/*
 * fpu_stub.c - generates and finds FPU stubs. See fpu_stub.h.
 *
 * Arena      [ struct stub_table with its slots | stub | stub | ... ], all in host->code. A fresh
 *            arena is all zero, which is not a valid table, so the first caller sets it up.
 * Encoding   bt/emit writes it. The guest's opcode bytes are kept. A memory operand becomes [rsi],
 *            with rsi = io->at, a general register becomes eax, segment and address-size prefixes
 *            and those without effect are dropped. No instruction of these sets needs REX for that,
 *            and none changes its meaning in 64-bit mode without REX.W.
 * Source     SDM vol. 2A, chapter 2; vol. 2D, appendix A (opcode map).
 */
#include "monitor/interp/fpu_stub.h"

#include "bt/emit/emit.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/vm.h"

#define TABLE_MAGIC 0x62757473u
#define STUB_ALIGN  16u
#define STUB_MAX    96u /* header and code, and what the encoder wants to have left */
#define SLOTS_MIN   64u

struct stub_slot {
    uint64_t key; /* 0: free */
    uint32_t off; /* of the stub in the arena */
    uint32_t pad;
};

struct stub_table {
    uint32_t magic;
    uint32_t slots; /* a power of two */
    uint32_t used;
    uint32_t next; /* offset of the first free byte */
    struct stub_slot slot[];
};

/* ---- what the instruction is ---- */

/* By the instruction's traits and flags. */
static uint16_t what_of(const struct insn *i)
{
    static const struct {
        uint32_t trait;
        uint16_t what;
    } of[] = {{T_X87_CONTROL, STUB_CONTROL},
              {T_X87_NOWAIT, STUB_NOWAIT},
              {T_EAX_EDX_IN, STUB_EAX_EDX_IN},
              {T_ECX_OUT, STUB_ECX_OUT}};
    uint16_t what = 0;

    for (unsigned n = 0; n < ARRAY_LEN(of); n++)
        what |= i->traits & of[n].trait ? of[n].what : 0;
    if (i->flags_written)
        what |= STUB_FLAGS_OUT;
    /* The host's CPU decides whether FCOMI and its like clear OF, SF and AF: they go in, too. */
    if (i->flags_read || (i->flags_written && i->traits & T_X87))
        what |= STUB_FLAGS_IN;
    return what;
}

static uint16_t what_of_operand(const struct operand *o, bool x87)
{
    uint16_t in = o->act & ACT_R, out = o->act & ACT_W;

    switch (o->kind) {
    case OPK_XMM:
        return STUB_XMM;
    case OPK_MMX:
        return STUB_MMX;
    case OPK_MEM:
        return (in ? STUB_LOAD : 0) | (out ? STUB_STORE : 0);
    case OPK_GPR: /* x87: FNSTSW AX */
        return x87 ? STUB_EAX_OUT : (in ? STUB_GPR_IN : 0) | (out ? STUB_GPR_OUT : 0);
    default:
        return 0;
    }
}

static void describe(const struct insn *i, struct fpu_stub *s)
{
    bool x87 = i->traits & T_X87;

    s->what = what_of(i);
    s->mem_size = 0;
    s->gpr_shift = 0;
    for (unsigned n = 0; n < i->nops; n++) {
        const struct operand *o = &i->operand[n];

        s->what |= what_of_operand(o, x87);
        if (o->kind == OPK_MEM)
            s->mem_size = o->size;
        if (o->kind == OPK_GPR && o->place == PLACE_REG)
            s->gpr_shift = 3;
    }
    /* Without vector operands: EMMS, and CVTSS2SI and its like with a memory source. */
    if (!x87 && !(s->what & (STUB_MMX | STUB_XMM)))
        s->what |= insn_needs_sse(i) ? STUB_XMM : STUB_MMX;
    if (insn_wants_alignment(i))
        s->what |= STUB_ALIGN16;
}

/* ModRM as the stub has it. */
static uint8_t modrm_normal(const struct insn *i, const struct fpu_stub *s)
{
    uint8_t m = i->modrm;

    if (i->off_modrm && m >> 6 != 3)
        m = (uint8_t)((m & 0x38) | RSI);
    if (s->what & (STUB_GPR_IN | STUB_GPR_OUT))
        m = (uint8_t)(m & ~(7u << s->gpr_shift));
    return m;
}

/* ---- code ---- */

#define IO(field) HMEM(RDI, offsetof(struct fpu_io, field))

static void emit_before(struct emit *e, uint16_t what)
{
    if (what & (STUB_LOAD | STUB_STORE))
        emit_mov_rm64(e, RSI, IO(at));
    if (what & (STUB_GPR_IN | STUB_GPR_OUT | STUB_EAX_EDX_IN | STUB_EAX_OUT))
        emit_mov_rm32(e, RAX, IO(eax));
    if (what & STUB_EAX_EDX_IN)
        emit_mov_rm32(e, RDX, IO(edx));
    if (!(what & STUB_FLAGS_IN))
        return;
    /* Only the arithmetic flags may change: the rest of RFLAGS belongs to the host. */
    emit_pushfq(e);
    emit_mov_rm32(e, RAX, IO(flags));
    emit_alu_mi32(e, ALU_AND, HMEM(RSP, 0), ~EFL_ARITH);
    emit_alu_mr32(e, ALU_OR, HMEM(RSP, 0), RAX);
    emit_popfq(e);
}

static void emit_guest_insn(struct emit *e, const struct insn *i, uint8_t modrm)
{
    unsigned flags = i->mandatory == 0x66   ? EMIT_66
                     : i->mandatory == 0xf2 ? EMIT_F2
                     : i->mandatory == 0xf3 ? EMIT_F3
                                            : 0;
    enum emit_map map = (enum emit_map)i->map;
    unsigned reg = modrm >> 3 & 7;

    if (!i->off_modrm)
        emit_insn(e, flags, map, i->opcode);
    else if (modrm >> 6 == 3)
        emit_insn_r(e, flags, map, i->opcode, reg, modrm & 7);
    else
        emit_insn_m(e, flags, map, i->opcode, reg, HMEM(RSI, 0));
    emit_bytes(e, i->bytes + i->off_imm, i->imm_len);
}

static void emit_after(struct emit *e, uint16_t what)
{
    if (what & STUB_FLAGS_OUT) {
        emit_pushfq(e);
        emit_pop_m64(e, IO(flags));
    }
    if (what & (STUB_GPR_OUT | STUB_EAX_OUT))
        emit_mov_mr32(e, IO(eax), RAX);
    if (what & STUB_ECX_OUT)
        emit_mov_mr32(e, IO(ecx), RCX);
    emit_ret(e);
}

/* ---- table ---- */

static void table_reset(struct stub_table *t, size_t size)
{
    uint32_t slots = SLOTS_MIN;

    while (slots * 2 * sizeof(struct stub_slot) <= size / 4)
        slots *= 2;
    memset(t->slot, 0, slots * sizeof(struct stub_slot));
    t->slots = slots;
    t->used = 0;
    t->next = (uint32_t)(sizeof *t + slots * sizeof(struct stub_slot) + STUB_ALIGN - 1) &
              ~(STUB_ALIGN - 1);
    t->magic = TABLE_MAGIC;
}

static struct stub_slot *slot_find(struct stub_table *t, uint64_t key)
{
    uint32_t n = (uint32_t)(key * 0x9e3779b97f4a7c15u >> 40);

    for (;; n++) {
        struct stub_slot *s = &t->slot[n & (t->slots - 1)];
        if (s->key == key || s->key == 0)
            return s;
    }
}

/* Everything that the stub's code and description depend on. The operands' kinds and sizes follow
 * from these bytes. */
static uint64_t stub_key(const struct insn *i, uint8_t modrm)
{
    return 1ull << 63 | (uint64_t)i->map << 32 | (uint64_t)i->mandatory << 24 |
           (i->imm_len ? (uint64_t)i->bytes[i->off_imm] << 16 : 0) |
           (i->off_modrm ? (uint64_t)modrm << 8 : 0) | i->opcode;
}

const struct fpu_stub *fpu_stub_make(struct vcpu *v, const struct insn *i)
{
    const struct host_code_arena *a = &v->host->stubs;
    struct stub_table *t = (struct stub_table *)(void *)a->rw;
    struct fpu_stub head = {0};

    fpu_park(v); /* memset below */
    describe(i, &head);
    VMM_CHECK(head.mem_size <= 16 && i->imm_len <= 1);
    if (t->magic != TABLE_MAGIC) {
        VMM_CHECK(a->size >= 8192 && a->size <= UINT32_MAX);
        table_reset(t, a->size);
    }
    uint8_t modrm = modrm_normal(i, &head);
    uint64_t key = stub_key(i, modrm);
    struct stub_slot *slot = slot_find(t, key);
    if (!slot->key) {
        if (t->next + STUB_MAX > a->size || t->used >= t->slots / 4 * 3) {
            /* Decoded instructions point into the arena: they go too, before the next of them
             * runs. */
            table_reset(t, a->size);
            v->fpu.stubs_lost(v);
            vcpu_attend(v, ATT_SMC);
            slot = slot_find(t, key);
        }
        struct fpu_stub *s = (struct fpu_stub *)(void *)(a->rw + t->next);
        struct emit e = {.rw = a->rw,
                         .at = t->next + (uint32_t)offsetof(struct fpu_stub, code),
                         .end = t->next + STUB_MAX};
        *s = head;
        emit_before(&e, head.what);
        emit_guest_insn(&e, i, modrm);
        emit_after(&e, head.what);
        *slot = (struct stub_slot){.key = key, .off = t->next};
        t->next = (e.at + STUB_ALIGN - 1) & ~(STUB_ALIGN - 1);
        t->used++;
    }
    /* The record belongs to the decode cache, which hands it out read-only; this member is ours. */
    ((struct insn *)(uintptr_t)i)->stub = a->rx + slot->off;
    return (const struct fpu_stub *)(const void *)(a->rx + slot->off);
}
