/* SPDX-License-Identifier: MIT */
/*
 * fpu_stub.c - generates and finds FPU stubs. See fpu_stub.h.
 *
 * Arena      [ struct stub_table with its slots | stub | stub | ... ], all in host->code. A fresh
 *            arena is all zero, which is not a valid table, so the first caller sets it up.
 * Encoding   The guest's opcode bytes are kept. A memory operand becomes [rsi] (mod = 0, rm = 6)
 *            with rsi = io->at, a general register becomes eax, segment and address-size prefixes
 *            and those without effect are dropped. No instruction of these sets needs REX for that,
 *            and none changes its meaning in 64-bit mode without REX.W.
 * Source     SDM vol. 2A, chapter 2; vol. 2D, appendix A (opcode map).
 */
#include "monitor/interp/fpu_stub.h"

#include "include/ring1/mem.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/vm.h"

#define TABLE_MAGIC 0x62757473u
#define STUB_ALIGN  16u
#define STUB_MAX    64u /* header and code */
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

static bool is_x87(const struct insn *i)
{
    return i->map == 0 && (i->opcode & 0xf8) == 0xd8;
}

/* SSE instructions whose 16-byte memory operand need not be aligned (SDM vol. 2A, section 2.4: type
 * 4, footnotes). */
static bool is_unaligned(const struct insn *i)
{
    if (i->map == 1)
        return i->opcode == 0x10 || i->opcode == 0x11 ||      /* MOVUPS, MOVUPD */
               (i->opcode == 0xf0 && i->mandatory == 0xf2) || /* LDDQU */
               ((i->opcode == 0x6f || i->opcode == 0x7f) && i->mandatory == 0xf3); /* MOVDQU */
    return i->map == 3 && (i->opcode & 0xfc) == 0x60;                              /* PCMPxSTRx */
}

/* Register forms with the general register in ModRM.reg; in all others it is in ModRM.rm. */
static bool is_gpr_in_reg(const struct insn *i)
{
    if (i->modrm >> 6 != 3)
        return true; /* rm is the memory operand */
    if (i->map != 1)
        return false;
    return i->opcode == 0x2c || i->opcode == 0x2d || /* CVT(T)SS2SI, CVT(T)SD2SI */
           i->opcode == 0x50 || i->opcode == 0xc5 ||
           i->opcode == 0xd7; /* MOVMSKPx, PEXTRW, PMOVMSKB */
}

/* The x87 instructions that do not wait, or leave the pointers alone (SDM vol. 1, sections 8.1.8,
 * 8.3.11 and 8.3.12). */
static uint16_t x87_what(const struct insn *i)
{
    unsigned reg = i->modrm >> 3 & 7;

    if (i->modrm >> 6 != 3) {
        if (i->opcode == 0xd9 && reg == 5)
            return STUB_CONTROL; /* FLDCW */
        if ((i->opcode == 0xd9 || i->opcode == 0xdd) && reg == 7)
            return STUB_CONTROL | STUB_NOWAIT; /* FNSTCW, FNSTSW */
        return 0;
    }
    if (i->opcode == 0xdf && i->modrm == 0xe0)
        return STUB_CONTROL | STUB_NOWAIT | STUB_EAX_OUT; /* FNSTSW AX */
    if (i->opcode == 0xdb && reg == 4)
        return STUB_CONTROL |
               STUB_NOWAIT; /* FNCLEX, FNINIT, and the 8087's and 287's that do nothing */
    if ((i->opcode == 0xda || i->opcode == 0xdb) && reg < 4)
        return STUB_FLAGS_IN; /* FCMOVcc */
    if ((i->opcode == 0xdb || i->opcode == 0xdf) && (reg == 5 || reg == 6))
        return STUB_FLAGS_IN | STUB_FLAGS_OUT; /* F(U)COMI(P) */
    return 0;
}

static uint16_t simd_what(const struct insn *i)
{
    if (i->map == 1 && (i->opcode == 0x2e || i->opcode == 0x2f))
        return STUB_FLAGS_OUT; /* (U)COMISS, (U)COMISD */
    if (i->map == 2 && i->opcode == 0x17)
        return STUB_FLAGS_OUT;                     /* PTEST */
    if (i->map == 3 && (i->opcode & 0xfc) == 0x60) /* PCMPESTRM PCMPESTRI PCMPISTRM PCMPISTRI */
        return STUB_FLAGS_OUT | (i->opcode & 2 ? 0 : STUB_EAX_EDX_IN) |
               (i->opcode & 1 ? STUB_ECX_OUT : 0);
    return 0;
}

static void describe(const struct insn *i, struct fpu_stub *s)
{
    bool x87 = is_x87(i);

    s->what = x87 ? x87_what(i) : simd_what(i);
    s->mem_size = 0;
    s->gpr_shift = is_gpr_in_reg(i) ? 3 : 0;
    for (unsigned n = 0; n < i->nops; n++) {
        const struct operand *o = &i->operand[n];
        if (o->kind == OPK_XMM) {
            s->what |= STUB_XMM;
        } else if (o->kind == OPK_MMX) {
            s->what |= STUB_MMX;
        } else if (o->kind == OPK_MEM) {
            s->mem_size = o->size;
            s->what |= (o->act & ACT_R ? STUB_LOAD : 0) | (o->act & ACT_W ? STUB_STORE : 0);
        } else if (o->kind == OPK_GPR && !x87) {
            s->what |= (o->act & ACT_R ? STUB_GPR_IN : 0) | (o->act & ACT_W ? STUB_GPR_OUT : 0);
        }
    }
    /* Without vector operands: EMMS, and CVTSS2SI and its like with a memory source. */
    if (!x87 && !(s->what & (STUB_MMX | STUB_XMM)))
        s->what |= i->nops ? STUB_XMM : STUB_MMX;
    if (!x87 && s->mem_size == 16 && !is_unaligned(i))
        s->what |= STUB_ALIGN16;
}

/* ModRM as the stub has it. */
static uint8_t modrm_normal(const struct insn *i, const struct fpu_stub *s)
{
    uint8_t m = i->modrm;

    if (i->off_modrm && m >> 6 != 3)
        m = (uint8_t)((m & 0x38) | 6);
    if (s->what & (STUB_GPR_IN | STUB_GPR_OUT))
        m = (uint8_t)(m & ~(7u << s->gpr_shift));
    return m;
}

/* ---- code ---- */

struct emitter {
    uint8_t *p;
};

static void emit8(struct emitter *e, unsigned byte)
{
    *e->p++ = (uint8_t)byte;
}

static void emit32(struct emitter *e, uint32_t val)
{
    for (unsigned n = 0; n < 4; n++)
        emit8(e, val >> 8 * n & 0xff);
}

/* opcode reg, [rdi + off] */
static void emit_io(struct emitter *e, unsigned opcode, unsigned reg, size_t off)
{
    emit8(e, opcode);
    emit8(e, 0x47 | reg << 3);
    emit8(e, (unsigned)off);
}
_Static_assert(sizeof(struct fpu_io) < 128, "stubs reach struct fpu_io with 8-bit displacements");

#define MOV_LOAD  0x8bu
#define MOV_STORE 0x89u

static void emit_before(struct emitter *e, uint16_t what)
{
    if (what & (STUB_LOAD | STUB_STORE)) {
        emit8(e, 0x48); /* mov rsi, [rdi + at] */
        emit_io(e, MOV_LOAD, ESI, offsetof(struct fpu_io, at));
    }
    if (what & (STUB_GPR_IN | STUB_GPR_OUT | STUB_EAX_EDX_IN | STUB_EAX_OUT))
        emit_io(e, MOV_LOAD, EAX, offsetof(struct fpu_io, eax));
    if (what & STUB_EAX_EDX_IN)
        emit_io(e, MOV_LOAD, EDX, offsetof(struct fpu_io, edx));
    if (!(what & STUB_FLAGS_IN))
        return;
    /* Only the arithmetic flags may change: the rest of RFLAGS is the host's. */
    emit8(e, 0x9c); /* pushfq */
    emit_io(e, MOV_LOAD, EAX, offsetof(struct fpu_io, flags));
    emit8(e, 0x81); /* and dword [rsp], ~EFL_ARITH */
    emit8(e, 0x24);
    emit8(e, 0x24);
    emit32(e, ~EFL_ARITH);
    emit8(e, 0x09); /* or [rsp], eax */
    emit8(e, 0x04);
    emit8(e, 0x24);
    emit8(e, 0x9d); /* popfq */
}

static void emit_insn(struct emitter *e, const struct insn *i, uint8_t modrm)
{
    if (i->mandatory)
        emit8(e, i->mandatory);
    if (i->map != 0)
        emit8(e, 0x0f);
    if (i->map == 2)
        emit8(e, 0x38);
    if (i->map == 3)
        emit8(e, 0x3a);
    emit8(e, i->opcode);
    if (i->off_modrm)
        emit8(e, modrm);
    if (i->imm_len)
        emit8(e, i->bytes[i->off_imm]);
}

static void emit_after(struct emitter *e, uint16_t what)
{
    if (what & STUB_FLAGS_OUT) {
        emit8(e, 0x9c); /* pushfq; pop qword [rdi + flags] */
        emit_io(e, 0x8f, 0, offsetof(struct fpu_io, flags));
    }
    if (what & (STUB_GPR_OUT | STUB_EAX_OUT))
        emit_io(e, MOV_STORE, EAX, offsetof(struct fpu_io, eax));
    if (what & STUB_ECX_OUT)
        emit_io(e, MOV_STORE, ECX, offsetof(struct fpu_io, ecx));
    emit8(e, 0xc3);
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
        struct emitter e = {s->code};
        *s = head;
        emit_before(&e, head.what);
        emit_insn(&e, i, modrm);
        emit_after(&e, head.what);
        VMM_CHECK((size_t)(e.p - (uint8_t *)s) <= STUB_MAX);
        *slot = (struct stub_slot){.key = key, .off = t->next};
        t->next = (uint32_t)(e.p - a->rw + STUB_ALIGN - 1) & ~(STUB_ALIGN - 1);
        t->used++;
    }
    /* The record belongs to the decode cache, which hands it out read-only; this member is ours. */
    ((struct insn *)(uintptr_t)i)->stub = a->rx + slot->off;
    return (const struct fpu_stub *)(const void *)(a->rx + slot->off);
}
