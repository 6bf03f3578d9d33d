/* SPDX-License-Identifier: MIT */
/*
 * bt_fpu.c - the translator's x87, MMX and SSE emitters: every encoding of every operation they
 * have a row for, against Zydis. The host code must contain the guest's instruction with the same
 * operands, and nothing else that the guest could notice.
 */
#include <Zydis/Zydis.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt/run/run_priv.h"
#include "tests/rig/null_host.h"

#define EIP      0x00401234u
#define BUF_SIZE 32768u
/* ES, CS, SS, DS flat, FS and GS as they always are. */
#define CTX_FLAT                                                                                   \
    (CTX_VALID | CTX_STACK32 | CTX_FPU | CTX_SSE | CTX_X87_NE |                                    \
     0x055u * (CTX_SEG_FLAT << CTX_SEG_SHIFT) | 0x500u * (CTX_SEG_BASED << CTX_SEG_SHIFT))

bt_emit_fn t_x87, t_simd, t_fwait;

struct rig {
    struct null_world world;
    struct vmm_host host;
    struct vm vm;
    struct vcpu cpu;
    struct bt bt;
    struct host_code_arena arena;
    struct bt_block block;
    struct bt_site sites[8];
    struct xinsn insns[8];
    struct tu t;
    ZydisDecoder guest, native;
    uint8_t code[BUF_SIZE];
    uint8_t seen[OP_COUNT]; /* 1: register form, 2: memory form */
};

static struct rig *rig_new(void)
{
    struct rig *r = aligned_alloc(64, (sizeof *r + 63) & ~(size_t)63);

    memset(r, 0, sizeof *r);
    r->host = null_host(&r->world);
    null_vm(&r->vm, &r->world, &r->host, &r->cpu, NULL, GUEST_PAGE_SIZE, NULL);
    decoder_init(&r->vm.decoder, ISA_EVERY);
    ZydisDecoderInit(&r->guest, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    ZydisDecoderInit(&r->native, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    r->arena = (struct host_code_arena){.rw = r->code, .rx = r->code, .size = BUF_SIZE};
    r->bt.cache.arena = &r->arena;
    r->bt.cache.sites = r->sites;
    r->bt.cache.site_max = ARRAY_LEN(r->sites);
    return r;
}

static void rig_start(struct rig *r, uint32_t ctx)
{
    struct tu *t = &r->t;

    memset(t, 0, sizeof *t);
    memset(&r->block, 0, sizeof r->block);
    r->bt.cache.site_count = 0;
    t->v = &r->cpu;
    t->bt = &r->bt;
    t->ctx = ctx;
    t->window = ctx & CTX_WINDOW;
    t->block = &r->block;
    t->eip = EIP;
    t->e = (struct emit){.rw = r->code, .at = 64, .end = BUF_SIZE};
    r->block.gla = EIP;
}

/* Emits bytes[0..len) as the next instruction. False: no instruction. */
static bool rig_emit(struct rig *r, const uint8_t *bytes, unsigned len, bt_emit_fn *fn)
{
    struct tu *t = &r->t;
    struct xinsn *x = &r->insns[t->count];

    memset(x, 0, sizeof *x);
    if (decoder_decode(&r->vm.decoder, (struct decode_mode){true, true}, bytes, len, &x->insn) !=
        DECODE_OK)
        return false;
    if (!fn)
        fn = bt_emitter(x->insn.op);
    if (fn != t_x87 && fn != t_simd && fn != t_fwait)
        return false;
    t->x = x;
    t->next_eip = t->eip + x->insn.len;
    t->pos[t->count] = t->e.at;
    t->esp_before[t->count] = (int16_t)t->esp_delta;
    r->sites[t->count] =
        (struct bt_site){.x = x, .host = t->e.at, .eip = t->eip, .esp_undo = (int16_t)t->esp_delta};
    r->bt.cache.site_count = ++t->count;
    fn(t, &x->insn);
    t->eip = t->next_eip;
    return true;
}

/* ---- the emitted code, decoded ---- */

struct host_code {
    unsigned count, at; /* at: the copy of the guest's instruction */
    ZydisDecodedInstruction insn[64];
    ZydisDecodedOperand op[64][ZYDIS_MAX_OPERAND_COUNT];
};

static bool host_decode(const struct rig *r, uint32_t from, struct host_code *h)
{
    h->count = 0;
    while (from < r->t.e.at) {
        if (h->count == 64 ||
            !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&r->native, r->code + from, r->t.e.at - from,
                                                 &h->insn[h->count], h->op[h->count])))
            return false;
        from += h->insn[h->count++].length;
    }
    return true;
}

static bool same_register(ZydisRegister guest, ZydisRegister host)
{
    static const ZydisRegister esp[][2] = {{ZYDIS_REGISTER_ESP, ZYDIS_REGISTER_R12D},
                                           {ZYDIS_REGISTER_SP, ZYDIS_REGISTER_R12W}};

    for (unsigned n = 0; n < ARRAY_LEN(esp); n++)
        if (guest == esp[n][0])
            return host == esp[n][1];
    return guest == host || (guest == ZYDIS_REGISTER_EFLAGS && host == ZYDIS_REGISTER_RFLAGS) ||
           (guest == ZYDIS_REGISTER_EIP && host == ZYDIS_REGISTER_RIP);
}

static bool same_operand(const ZydisDecodedOperand *g, const ZydisDecodedOperand *h)
{
    if (g->type != h->type || g->size != h->size || g->actions != h->actions)
        /* EFLAGS and RFLAGS are of different size */
        return g->type == ZYDIS_OPERAND_TYPE_REGISTER && g->type == h->type &&
               g->reg.value == ZYDIS_REGISTER_EFLAGS;
    switch (g->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        return same_register(g->reg.value, h->reg.value);
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        return g->imm.value.u == h->imm.value.u;
    case ZYDIS_OPERAND_TYPE_MEMORY:
        return h->mem.base == ZYDIS_REGISTER_R9 || h->mem.base == ZYDIS_REGISTER_R14;
    default:
        return false;
    }
}

/* MOVQ, behind the read of a probe, which MOVNTQ would make costly. */
static ZydisMnemonic copied_as(ZydisMnemonic guest, bool window)
{
    return window && guest == ZYDIS_MNEMONIC_MOVNTQ ? ZYDIS_MNEMONIC_MOVQ : guest;
}

static bool is_copy(const ZydisDecodedInstruction *gi, const ZydisDecodedOperand *go,
                    const ZydisDecodedInstruction *hi, const ZydisDecodedOperand *ho, bool window)
{
    if (copied_as(gi->mnemonic, window) != hi->mnemonic || gi->operand_count != hi->operand_count)
        return false;
    for (unsigned n = 0; n < gi->operand_count; n++)
        if (!same_operand(&go[n], &ho[n]))
            return false;
    return true;
}

static bool is_scratch(ZydisRegister reg)
{
    switch (ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg)) {
    case ZYDIS_REGISTER_R8:
    case ZYDIS_REGISTER_R9:
    case ZYDIS_REGISTER_R10:
    case ZYDIS_REGISTER_R11:
    case ZYDIS_REGISTER_R13:
        return true;
    default:
        return reg == ZYDIS_REGISTER_RIP; /* jrcxz, jmp to the cold path */
    }
}

/* Address arithmetic and stores to the vCPU: no flags, only scratch registers, RCX (which the
 * software TLB restores) and, flushing ESP, r12. */
static bool is_harmless(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
    if (i->cpu_flags->modified | i->cpu_flags->set_0 | i->cpu_flags->set_1 |
        i->cpu_flags->undefined)
        return false;
    for (unsigned n = 0; n < i->operand_count; n++) {
        if (!(o[n].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            continue;
        if (o[n].type == ZYDIS_OPERAND_TYPE_MEMORY && o[n].mem.base != ZYDIS_REGISTER_R15)
            return false;
        if (o[n].type == ZYDIS_OPERAND_TYPE_REGISTER && !is_scratch(o[n].reg.value) &&
            ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, o[n].reg.value) !=
                ZYDIS_REGISTER_RCX &&
            !(i->mnemonic == ZYDIS_MNEMONIC_LEA && o[n].reg.value == ZYDIS_REGISTER_R12D))
            return false;
    }
    return true;
}

/* MMX operands in a window are tried first: a byte is read to r11 and put back. */
static bool is_probe(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
    return (i->mnemonic == ZYDIS_MNEMONIC_MOVZX && o[0].reg.value == ZYDIS_REGISTER_R11D) ||
           (i->mnemonic == ZYDIS_MNEMONIC_MOV && o[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            o[1].reg.value == ZYDIS_REGISTER_R11B);
}

static void text_of(const uint8_t *bytes, unsigned len, char *out)
{
    for (unsigned n = 0; n < len; n++)
        sprintf(out + 3 * n, "%02x ", bytes[n]);
}

/* Through the software TLB also where there is a window. */
static bool stores_ten_bytes(const struct insn *i)
{
    unsigned reg = i->modrm >> 3 & 7;

    return i->map == 0 && ((i->opcode == 0xdb && reg == 7) || (i->opcode == 0xdf && reg == 6));
}

/* The copy is there once, all else is harmless. */
static void check_code(struct rig *r, const uint8_t *bytes, uint32_t from, struct host_code *h,
                       bool window)
{
    const struct insn *i = &r->insns[r->t.count - 1].insn;
    ZydisDecodedInstruction gi;
    ZydisDecodedOperand go[ZYDIS_MAX_OPERAND_COUNT];
    unsigned copies = 0;
    char text[64];

    text_of(bytes, i->len, text);
    cr_assert(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&r->guest, bytes, i->len, &gi, go)), "%s", text);
    cr_assert(host_decode(r, from, h), "%s", text);
    for (unsigned n = 0; n < h->count; n++) {
        if (is_copy(&gi, go, &h->insn[n], h->op[n], window)) {
            h->at = n;
            copies++;
            cr_expect_eq(gi.cpu_flags->modified, h->insn[n].cpu_flags->modified, "%s", text);
            continue;
        }
        cr_expect((window && is_probe(&h->insn[n], h->op[n])) || is_harmless(&h->insn[n], h->op[n]),
                  "%s: %s at %u", text, ZydisMnemonicGetString(h->insn[n].mnemonic), n);
    }
    cr_assert_eq(copies, 1, "%s: %u copies", text, copies);
    for (unsigned n = 0; n < i->nops; n++)
        if (i->operand[n].kind == OPK_GPR && i->operand[n].reg == ESP)
            cr_expect_eq(r->t.esp_delta, 0, "%s: ESP not flushed", text);
    bool x87 = i->op != OP_fwait && i->map == 0;
    bool control = i->op == OP_fldcw || i->op == OP_fnstcw || i->op == OP_fnstsw ||
                   (i->opcode == 0xdb && (i->modrm & 0xf8) == 0xe0);
    bool mem = i->off_modrm && i->modrm >> 6 != 3;
    cr_expect_eq(h->at, h->count - 1, "%s", text); /* pointers are stored later */
    cr_expect_eq(r->t.x87_last, x87 && !control, "%s", text);
    cr_expect_eq(r->t.x87_mem, x87 && !control && mem, "%s", text);
    /* FS and GS have their limits looked at, and offsets that may straddle 4 GiB. */
    unsigned looks = mem && i->seg >= SEG_FS ? 1 : 0;
    unsigned misses = mem && (!window || stores_ten_bytes(i)) ? 1 : 0;
    cr_expect(r->t.cold_count >= looks + misses && r->t.cold_count <= 2 * looks + misses, "%s",
              text);
    r->seen[i->op] |= mem ? 2 : 1;
}

/* An x87 instruction whose data pointer x87_pointers.c cannot follow. */
static bool has_odd_address(const struct insn *i)
{
    return i->map == 0 && (i->opcode & 0xf8) == 0xd8 && i->addr_size == 2 && i->modrm >> 6 != 3 &&
           i->op != OP_fldcw && i->op != OP_fnstcw && i->op != OP_fnstsw;
}

static void try_encoding(struct rig *r, uint32_t ctx, const uint8_t *bytes, int32_t esp_delta)
{
    struct host_code h;

    rig_start(r, ctx);
    r->t.esp_delta = esp_delta;
    if (rig_emit(r, bytes, INSN_MAX_LEN, NULL) && !has_odd_address(&r->insns[0].insn))
        check_code(r, bytes, 64, &h, ctx & CTX_WINDOW);
}

/* ModRM (and what follows) with every ModRM.reg, registers 1 and 4, and address forms. */
static void try_modrms(struct rig *r, uint8_t *bytes, unsigned len)
{
    static const uint32_t contexts[] = {CTX_FLAT, CTX_FLAT | 3, CTX_FLAT | CTX_WINDOW};
    static const uint8_t rest[][6] = {{0xc1},
                                      {0xc4},
                                      {0x01},
                                      {0x44, 0x24, 0x10},
                                      {0x84, 0x8b, 0x78, 0x56, 0x34, 0x12},
                                      {0x05, 0x00, 0x80, 0xff, 0xff}};

    for (unsigned k = 0; k < ARRAY_LEN(rest); k++)
        for (unsigned reg = 0; reg < 8; reg++) {
            memset(bytes + len, 0x01, INSN_MAX_LEN + 1 - len); /* immediates */
            memcpy(bytes + len, rest[k], sizeof rest[k]);
            bytes[len] |= (uint8_t)(reg << 3);
            unsigned imm = k == 3 ? 3 : k == 4 ? 6 : k == 5 ? 5 : 1;
            memset(bytes + len + imm, 0x01, INSN_MAX_LEN + 1 - len - imm);
            for (unsigned c = 0; c < ARRAY_LEN(contexts); c++) {
                try_encoding(r, contexts[c], bytes, 0);
                try_encoding(r, contexts[c], bytes, -8);
            }
        }
}

static void try_x87(struct rig *r, uint8_t prefix)
{
    uint8_t bytes[INSN_MAX_LEN + 1] = {prefix};
    unsigned at = prefix != 0;

    for (unsigned op = 0xd8; op <= 0xdf; op++) {
        bytes[at] = (uint8_t)op;
        try_modrms(r, bytes, at + 1);
        for (unsigned modrm = 0xc0; modrm < 0x100; modrm++) {
            bytes[at + 1] = (uint8_t)modrm;
            try_encoding(r, CTX_FLAT, bytes, 0);
        }
    }
}

static void try_simd(struct rig *r, const uint8_t *prefixes, unsigned count)
{
    for (unsigned map = 1; map <= 3; map++)
        for (unsigned op = 0; op < 256; op++) {
            uint8_t bytes[INSN_MAX_LEN + 1] = {0};
            unsigned n = count;
            memcpy(bytes, prefixes, count);
            bytes[n++] = 0x0f;
            if (map > 1)
                bytes[n++] = map == 2 ? 0x38 : 0x3a;
            bytes[n++] = (uint8_t)op;
            try_modrms(r, bytes, n);
        }
}

/* Operations that exist with a register or a memory operand only are right with one. */
Test(bt_fpu, every_encoding)
{
    static const uint8_t prefixes[][2] = {{0},          {0x66},       {0xf3},       {0xf2},
                                          {0x64, 0x66}, {0x64, 0xf3}, {0x66, 0xf2}, {0x64, 0x67}};
    struct rig *r = rig_new();

    try_x87(r, 0);
    try_x87(r, 0x66);
    try_x87(r, 0x64);
    try_x87(r, 0x67);
    for (unsigned k = 0; k < ARRAY_LEN(prefixes); k++)
        try_simd(r, prefixes[k], !prefixes[k][0] ? 0 : !prefixes[k][1] ? 1 : 2);
    try_encoding(r, CTX_FLAT, (const uint8_t[INSN_MAX_LEN + 1]){0x9b}, 0);
    for (unsigned op = 1; op < OP_COUNT; op++) {
        bt_emit_fn *fn = bt_emitter(op);
        if (fn == t_x87 || fn == t_simd || fn == t_fwait)
            cr_expect(r->seen[op], "%s was not seen", insn_op_name(op));
    }
}

/* ---- x87 pointers ---- */

static void unit_add(struct rig *r, const char *bytes, unsigned len)
{
    struct tu *t = &r->t;
    uint8_t code[INSN_MAX_LEN] = {0};
    struct xinsn *x = &t->decoded[t->count];

    memcpy(code, bytes, len);
    cr_assert_eq(decoder_decode(&r->vm.decoder, (struct decode_mode){true, true}, code, sizeof code,
                                &x->insn),
                 DECODE_OK);
    tu_x87_before(t, &x->insn);
    r->sites[t->count] = (struct bt_site){.x = x, .host = t->e.at, .eip = t->eip};
    tu_x87_mark(t, &r->sites[t->count]);
    t->next_eip = t->eip + x->insn.len;
    t->pos[t->count] = t->e.at;
    r->bt.cache.site_count = ++t->count;
    if ((code[0] & 0xf8) == 0xd8)
        t_x87(t, &x->insn);
    tu_x87_after(t, &x->insn);
    t->eip = t->next_eip;
}
#define ADD(r, bytes) unit_add((r), bytes, sizeof(bytes) - 1)

#define OLD 0x55u

static void settle_at(struct rig *r, unsigned site)
{
    struct vcpu_fpu *f = &r->cpu.fpu;

    f->fip = f->fdp = f->fop = f->fcs = f->fds = OLD;
    bt_x87_settle(&r->cpu, &r->sites[site]);
}

static void expect_pointers(const struct rig *r, uint32_t ip, uint32_t op, uint32_t dp, uint32_t ds)
{
    const struct vcpu_fpu *f = &r->cpu.fpu;

    cr_expect_eq(f->fip, ip, "fip %x", f->fip);
    cr_expect_eq(f->fop, op, "fop %x", f->fop);
    cr_expect_eq(f->fcs, ip == OLD ? OLD : 0x11, "fcs %x", f->fcs);
    cr_expect_eq(f->fdp, dp, "fdp %x", f->fdp);
    cr_expect_eq(f->fds, ds, "fds %x", f->fds);
}

static struct rig *pointer_rig(void)
{
    struct rig *r = rig_new();

    rig_start(r, CTX_FLAT | CTX_WINDOW);
    r->cpu.translator = &r->bt;
    r->cpu.seg[SEG_CS].sel = 0x11;
    r->cpu.seg[SEG_DS].sel = 0x22;
    r->cpu.seg[SEG_SS].sel = 0x33;
    r->cpu.gpr[EAX] = 0x1000;
    r->cpu.gpr[ECX] = 0x20;
    r->cpu.gpr[ESP] = 0x8000;
    return r;
}

/* Where the unit is left in the middle. */
Test(bt_fpu, pointers_at_sites)
{
    struct rig *r = pointer_rig();

    ADD(r, "\x8b\x03");         /* mov eax, [ebx] */
    ADD(r, "\xdd\x44\x88\x08"); /* fld [eax+ecx*4+8] */
    ADD(r, "\x83\xc0\x10");     /* add eax, 16 */
    ADD(r, "\x49");             /* dec ecx */
    ADD(r, "\xde\xc1");         /* faddp */
    ADD(r, "\xd9\x3b");         /* fnstcw */
    ADD(r, "\xdd\x1c\x24");     /* fstp [esp] */
    ADD(r, "\xd9\xe8");         /* fld1 */
    settle_at(r, 1);
    expect_pointers(r, OLD, OLD, OLD, OLD);
    settle_at(r, 2);
    expect_pointers(r, EIP + 2, 0x544, 0x1088, 0x22);
    r->cpu.gpr[EAX] += 16;
    settle_at(r, 3);
    expect_pointers(r, EIP + 2, 0x544, 0x1088, 0x22);
    r->cpu.gpr[ECX]--;
    settle_at(r, 4);
    expect_pointers(r, EIP + 2, 0x544, 0x1088, 0x22);
    settle_at(r, 5);
    expect_pointers(r, EIP + 10, 0x6c1, 0x1088, 0x22);
    settle_at(r, 6);
    expect_pointers(r, EIP + 10, 0x6c1, 0x1088, 0x22);
    settle_at(r, 7);
    expect_pointers(r, EIP + 14, 0x51c, 0x8000, 0x33);
    cr_expect_eq(r->t.x87_last, 8);
    cr_expect_eq(r->t.x87_mem, 7);
}

/* What the stores say. */
Test(bt_fpu, pointers_flushed)
{
    struct rig *r = pointer_rig();

    ADD(r, "\xdd\x00");     /* fld [eax] */
    ADD(r, "\x5b");         /* pop ebx: a flush */
    ADD(r, "\xde\xc1");     /* faddp */
    ADD(r, "\x74\x00");     /* jz: another */
    ADD(r, "\xdd\x04\x24"); /* fld [esp] */
    ADD(r, "\x90");
    cr_expect_eq(r->sites[1].x87_back, 0);
    cr_expect_eq(r->sites[3].x87_back, 0);
    cr_expect_eq(r->sites[5].x87_back, 1);
    r->cpu.bt.x87_full = 1; /* the fld's */
    settle_at(r, 1);
    expect_pointers(r, EIP, 0x500, OLD, 0x22);
    r->cpu.bt.x87_full = 1;
    r->cpu.bt.x87_bare = 3;
    settle_at(r, 3);
    expect_pointers(r, EIP + 3, 0x6c1, OLD, 0x22);
    r->cpu.bt.x87_bare = 3;
    settle_at(r, 5);
    expect_pointers(r, EIP + 7, 0x504, 0x8000, 0x33);
    cr_expect_eq(r->cpu.bt.x87_full | r->cpu.bt.x87_bare, 0);
}

static bool is_callout(const struct rig *r)
{
    return memchr(r->code + 64, 0xe8, r->t.e.at - 64) != NULL;
}

static bool calls_out(struct rig *r, uint32_t ctx, const uint8_t *bytes)
{
    rig_start(r, ctx);
    cr_assert(rig_emit(r, bytes, INSN_MAX_LEN, NULL));
    return is_callout(r);
}
#define CALLS_OUT(r, ctx, ...) calls_out((r), (ctx), (const uint8_t[INSN_MAX_LEN]){__VA_ARGS__})

/* What the context forbids goes to the interpreter, which raises #NM or #UD. */
Test(bt_fpu, unavailable)
{
    struct rig *r = rig_new();
    uint32_t x87 = CTX_FLAT & ~CTX_SSE, none = x87 & ~CTX_FPU;

    cr_expect(CALLS_OUT(r, none, 0xd9, 0xc9));
    cr_expect(CALLS_OUT(r, none, 0x9b));
    cr_expect(CALLS_OUT(r, none, 0x0f, 0x77));            /* emms */
    cr_expect(CALLS_OUT(r, none, 0x0f, 0xfc, 0xc1));      /* paddb mm */
    cr_expect(CALLS_OUT(r, x87, 0x66, 0x0f, 0xfc, 0xc1)); /* paddb xmm */
    cr_expect(CALLS_OUT(r, x87, 0xf3, 0x0f, 0x2d, 0x01)); /* cvtss2si r, m: no vector */
    cr_expect(CALLS_OUT(r, x87, 0x0f, 0x2a, 0xc1));       /* cvtpi2ps: both */
    cr_expect(CALLS_OUT(r, x87, 0x0f, 0xae, 0x19));       /* stmxcsr */
    cr_expect_not(CALLS_OUT(r, x87, 0x0f, 0xfc, 0xc1));
    cr_expect_not(CALLS_OUT(r, x87, 0x0f, 0x77));
    cr_expect_not(CALLS_OUT(r, x87, 0xd9, 0xc9));
    cr_expect_not(CALLS_OUT(r, x87, 0x9b));
    cr_expect_not(CALLS_OUT(r, CTX_FLAT, 0x0f, 0xae, 0x19));
    uint32_t other = CTX_FLAT & ~(3u << (CTX_SEG_SHIFT + 2 * SEG_FS));
    cr_expect(CALLS_OUT(r, other, 0x64, 0xd8, 0x01));
    cr_expect(CALLS_OUT(r, other, 0x64, 0x0f, 0xfc, 0x01));
    cr_expect(bt_emitter(OP_fninit) == t_callout);
    cr_expect(bt_emitter(OP_fnclex) == t_callout);
    cr_expect(bt_emitter(OP_ldmxcsr) == t_callout);
    cr_expect(bt_emitter(OP_maskmovq) == t_callout);
}
