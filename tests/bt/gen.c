/* SPDX-License-Identifier: MIT */
/*
 * gen.c - random instruction sequences. Every row of decoder/isa.def is as likely as the others of
 * its group; operands are random, with what they need to be meaningful most of the time: registers
 * that point at data, return addresses, selectors, counts.
 */
#include "tests/bt/bt_random.h"

#include "include/ring1/bytes.h"
#include "monitor/cpu/fpu_image.h"
#include "tests/bt/native.h"

enum group { G_INT, G_STACK, G_CONTROL, G_SYSTEM, G_X87, G_SSE, GROUPS };

static uint16_t members[GROUPS][ROW_COUNT];
static unsigned member_count[GROUPS];

/* Shares of the groups, in percent; a case has one of these flavours. */
static const uint8_t flavours[][GROUPS] = {
    {60, 12, 12, 4, 6, 6}, {60, 12, 12, 4, 6, 6},  {20, 50, 20, 5, 2, 3},
    {15, 5, 5, 0, 45, 30}, {25, 15, 10, 45, 3, 2}, {80, 5, 15, 0, 0, 0},
};

static enum group group_of(const struct row *r)
{
    if (r->map == 0 && r->first >= 0xd8 && r->first <= 0xdf)
        return G_X87;
    switch (r->op) {
    case OP_fwait:
    case OP_fxsave:
    case OP_fxrstor:
    case OP_emms:
        return G_X87;
    case OP_ldmxcsr:
    case OP_stmxcsr:
        return G_SSE;
    default:
        break;
    }
    if (strpbrk(r->form, "VWPQUN"))
        return G_SSE;
    switch ((enum insn_class)r->cls) {
    case CLS_STACK:
        return G_STACK;
    case CLS_CONTROL:
        return G_CONTROL;
    case CLS_PRIVILEGED:
    case CLS_IOPL:
    case CLS_SENSITIVE:
        return G_SYSTEM;
    default:
        return G_INT;
    }
}

/* Not the same twice: time, the host's random numbers. */
bool gen_excluded(unsigned op)
{
    return op == OP_rdtsc || op == OP_rdrand;
}

static void groups_make(void)
{
    if (member_count[G_INT])
        return;
    for (unsigned n = 0; n < ROW_COUNT; n++)
        if (!gen_excluded(rows[n].op)) {
            enum group g = group_of(&rows[n]);
            members[g][member_count[g]++] = (uint16_t)n;
        }
}

static const struct row *row_pick(const uint8_t *shares)
{
    unsigned at = rnd(100);

    for (unsigned g = 0; g < GROUPS; g++) {
        if (at < shares[g])
            return &rows[members[g][rnd(member_count[g])]];
        at -= shares[g];
    }
    return &rows[members[G_INT][rnd(member_count[G_INT])]];
}

/* ---- values ---- */

static uint32_t some_number(void)
{
    static const uint32_t edges[] = {0,          1,      2,      0x7f,       0x80,       0xff,
                                     0x7fff,     0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
                                     0xfffffffe, 31,     32,     33};

    switch (rnd(4)) {
    case 0:
        return PICK(edges);
    case 1:
        return rnd(256);
    default:
        return rnd32();
    }
}

static uint32_t some_address(const struct bt_case *c)
{
    static const uint32_t special[] = {
        0xfffffff0, 0xfffffffd, 0xfffffffe,    0xffffffff, 0x80000000, 0,      0xfff,
        0x80000ffe, RAM_BYTES,  RAM_BYTES - 2, 0x36ffe,    GDT_AT,     TSS_AT, 0x400000};

    switch (rnd(c->tame ? 400 : 20)) {
    case 0:
        return PICK(special) + rnd(4);
    case 1: /* the code that runs, and its alias */
        return c->at + rnd(200) + (chance(30) ? ODD_AT + 0x6000 - CODE_AT : 0);
    case 2:
    case 3: /* around the borders of odd pages */
        return ODD_AT + rnd(9) * GUEST_PAGE_SIZE - rnd(20);
    case 4:
        return ODD_AT + rnd(ODD_BYTES);
    case 5:
    case 6:
    case 7: /* page borders within data */
        return DATA_AT + (1 + rnd(7)) * GUEST_PAGE_SIZE - rnd(20);
    case 8:
        return STACK_AT + rnd(STACK_END - STACK_AT);
    case 9:
        return chance(20) ? rnd32() : POINTERS_AT + 4 * rnd(POINTERS);
    default:
        if (chance(12))
            return DATA_AT + (1 + rnd(7)) * GUEST_PAGE_SIZE - rnd(20);
        return (DATA_AT + rnd(DATA_BYTES - 16)) & ~(chance(50) ? 3u : chance(50) ? 15u : 0u);
    }
}

static uint16_t some_selector(const struct bt_case *c)
{
    static const uint16_t native[] = {
        NATIVE_DATA, NATIVE_BASED, NATIVE_SMALL, NATIVE_DOWN, NATIVE_CODE, 0,    3,     0x2a,
        0x28,        0x10,         0x18,         0x1b,        7,           0x87, 0x203, 0xffff};

    if (c->native)
        return PICK(native);
    if (chance(10))
        return (uint16_t)rnd(4);
    return (uint16_t)(rnd(SEL_END / 8 + 1) << 3 | (chance(60) ? 3 : chance(70) ? 0 : rnd(4)));
}

/* ---- emitting ---- */

struct gen {
    struct bt_case *c;
    const struct decoder *d;
    struct decode_mode mode;
    const uint8_t *shares;
    uint32_t guess[GPR_COUNT]; /* what the registers may hold at this point */
    unsigned logical;          /* instructions that are wanted */
    bool v86;                  /* from here on */
};

static struct case_insn *put(struct gen *g, const void *bytes, unsigned len)
{
    static struct case_insn spare;
    struct case_insn *k = g->c->count < CASE_INSNS ? &g->c->insn[g->c->count++] : &spare;

    *k = (struct case_insn){.len = (uint8_t)len, .code16 = !g->mode.code32};
    memcpy(k->bytes, bytes, len);
    return k;
}

static struct case_insn *put_op32(struct gen *g, unsigned opcode, uint32_t val)
{
    uint8_t b[6] = {0x66, (uint8_t)opcode};

    put_le32(b + 2, val);
    return g->mode.code32 ? put(g, b + 1, 5) : put(g, b, 6);
}

static void set_reg(struct gen *g, unsigned reg, uint32_t val)
{
    put_op32(g, 0xb8 | reg, val);
    g->guess[reg] = val;
}

/* Some instruction of the sequence as a jump's target: forwards mostly, so that it comes to an
 * end. */
static uint8_t some_target(const struct gen *g)
{
    unsigned here = g->c->count;

    if (chance(12))
        return (uint8_t)rnd(here + 1);
    return (uint8_t)(here + 1 + rnd(5));
}

/* An instruction with a 32-bit field that takes the address of another one. */
static void put_address_of(struct gen *g, unsigned opcode, uint8_t to)
{
    struct case_insn *k = put_op32(g, opcode, 0);

    k->fix_at = k->len - 4u;
    k->fix_size = 4;
    k->fix_absolute = true;
    k->fix_in16 = k->code16;
    k->fix_to = to;
}

static void put_with_address(struct gen *g, unsigned opcode)
{
    uint8_t to = some_target(g);

    put_address_of(g, opcode, (uint8_t)(to + 1));
}

/* ---- 16-bit stretches ---- */

/* A far jump to what follows, as code of the other size. */
static void put_far_jump(struct gen *g, uint16_t sel, bool code16)
{
    uint8_t b[8] = {0x66, 0xea, 0, 0, 0, 0, (uint8_t)sel, 0};
    struct case_insn *k = g->mode.code32 ? put(g, b + 1, 7) : put(g, b, 8);

    k->fix_at = k->len - 6u;
    k->fix_size = 4;
    k->fix_absolute = true;
    k->fix_in16 = code16;
    k->fix_to = (uint8_t)g->c->count;
    g->mode.code32 = !code16;
}

/* IRET to virtual-8086 mode: segments as in memory, IOPL 3; INT 80h-8Fh come back, everything else
 * ends the case. */
static void put_v86(struct gen *g)
{
    static const uint16_t data = DATA_AT >> 4, stack = STACK_AT >> 4, code = CODE_AT >> 4;

    for (unsigned n = 0; n < 4; n++)
        put_op32(g, 0x68, data);
    put_op32(g, 0x68, stack);
    put_op32(g, 0x68, 0x1000 + 4 * rnd(0x800));
    put_op32(g, 0x68, EFL_VM | EFL_IOPL | EFL_FIXED1 | (rnd32() & (EFL_ARITH | EFL_DF | EFL_IF)));
    put_op32(g, 0x68, code);
    put_address_of(g, 0x68, (uint8_t)(g->c->count + 2));
    if (g->c->count < CASE_INSNS)
        g->c->insn[g->c->count - 1].fix_in16 = true;
    put(g, "\xcf", 1);
    g->mode = (struct decode_mode){0};
    g->v86 = true;
}

static void change_mode(struct gen *g)
{
    const struct bt_case *c = g->c;

    if (g->v86 || c->count > CASE_INSNS - 30)
        return;
    if (!g->mode.code32)
        put_far_jump(g, c->cpl ? SEL_CODE3 : SEL_CODE0, false);
    else if (c->cpl == 0 && chance(40))
        put_v86(g);
    else
        put_far_jump(g, c->cpl ? SEL_CODE16_3 : SEL_CODE16_0, true);
}

/* ---- one instruction from a row ---- */

static unsigned prefixes(uint8_t *o, const struct row *r, bool code16)
{
    static const uint8_t segments[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    bool string = r->map == 0 && ((r->first >= 0xa4 && r->first <= 0xaf && r->first != 0xa8) ||
                                  (r->first >= 0x6c && r->first <= 0x6f));
    unsigned n = 0;

    if (string && chance(60))
        o[n++] = chance(60) ? 0xf3 : 0xf2;
    else if (r->prefix == RP_ANY && chance(2))
        o[n++] = chance(50) ? 0xf3 : 0xf2;
    if (chance(12))
        o[n++] = PICK(segments);
    if ((r->prefix == RP_ANY || r->prefix == RP_NF) && chance(code16 ? 40 : 18))
        o[n++] = 0x66;
    if (chance(code16 ? 40 : 5))
        o[n++] = 0x67;
    if (chance(6))
        o[n++] = 0xf0;
    if (r->prefix == RP_P66)
        o[n++] = 0x66;
    else if (r->prefix == RP_PF3)
        o[n++] = 0xf3;
    else if (r->prefix == RP_PF2)
        o[n++] = 0xf2;
    return n;
}

static uint8_t some_modrm(const struct row *r)
{
    unsigned mod = r->mod == RM_REG || (r->mod == RM_ANY && chance(40)) ? 3 : rnd(3);
    unsigned reg = r->reg == ROW_ANY ? rnd(8) : r->reg, rm = r->rm == ROW_ANY ? rnd(8) : r->rm;

    if (mod != 3 && r->rm == ROW_ANY && chance(15))
        mod = 0, rm = 5;
    return (uint8_t)(mod << 6 | reg << 3 | rm);
}

static bool bytes_from(const struct gen *g, const struct row *r, struct insn *i)
{
    static const uint8_t escape[] = {0, 0, 0x38, 0x3a};
    uint8_t o[32];
    unsigned n = prefixes(o, r, !g->mode.code32);

    if (r->map)
        o[n++] = 0x0f;
    if (r->map > 1)
        o[n++] = escape[r->map];
    o[n++] = (uint8_t)(r->first + rnd(r->last - r->first + 1u));
    o[n++] = some_modrm(r);
    while (n < 15)
        o[n++] = (uint8_t)rnd32();
    return decoder_decode(g->d, g->mode, o, 15, i) == DECODE_OK && !gen_excluded(i->op);
}

static bool has_memory(const struct insn *i)
{
    for (unsigned n = 0; n < i->nops && n < 4; n++)
        if (i->operand[n].kind == OPK_MEM)
            return true;
    return false;
}

static void patch(struct insn *i, unsigned at, unsigned len, uint32_t val)
{
    for (unsigned n = 0; n < len; n++)
        i->bytes[at + n] = (uint8_t)(val >> 8 * n);
}

/* A 16-bit address: an offset in a segment with a base, or the supervisor's lowest pages. */
static void aim16(struct gen *g, struct insn *i)
{
    uint32_t target = chance(10) ? 0xffff - rnd(8) : rnd(DATA_BYTES);

    if (i->index != INSN_NO_REG)
        target -= g->guess[i->index];
    if (i->disp_len == 2 && (i->base == INSN_NO_REG || chance(60)))
        patch(i, i->off_disp, 2, target - (i->base == INSN_NO_REG ? 0 : g->guess[i->base]));
    else if (i->base != INSN_NO_REG && i->base != i->index)
        set_reg(g, i->base, (target - (uint32_t)i->disp) & (chance(90) ? 0xffffu : ~0u));
}

/* Hosts stop a process that locks the bus by an access to two cache lines, for seconds. */
bool native_locks(const struct insn *i)
{
    return (i->prefixes & PFX_LOCK) || i->op == OP_xchg;
}

/* Gives the memory operand a likely address: by its displacement, or by a MOV to its base before
 * it. */
static void aim(struct gen *g, struct insn *i)
{
    uint32_t target = some_address(g->c), sum = 0;
    bool indexed = i->index != INSN_NO_REG;

    unsigned aimed = g->c->tame ? 98 : 65;
    if (g->c->native && native_locks(i))
        target &= ~7u;

    if (i->op == OP_lea && chance(70))
        return;
    if (i->addr_size == 2) {
        if (chance(aimed))
            aim16(g, i);
        return;
    }
    if (indexed && i->index != i->base && chance(aimed))
        set_reg(g, i->index, some_number() & (chance(80) ? 0xffu : ~0u));
    if (indexed)
        sum += g->guess[i->index] << i->scale;
    if (i->disp_len == 4 && (i->base == INSN_NO_REG || chance(60))) {
        if (i->base != INSN_NO_REG)
            sum += g->guess[i->base];
        patch(i, i->off_disp, 4, target - sum);
    } else if (i->base != INSN_NO_REG && i->base != i->index && chance(aimed)) {
        if (i->disp_len == 4 && chance(90)) {
            i->disp = (int32_t)rnd(512);
            patch(i, i->off_disp, 4, (uint32_t)i->disp);
        }
        if (i->base != ESP || chance(4))
            set_reg(g, i->base, target - sum - (uint32_t)i->disp);
    }
}

static void choose_immediate(struct gen *g, struct insn *i)
{
    uint32_t val = chance(15) ? some_address(g->c) : some_number();

    if (i->imm_len == 4 && i->off_imm)
        patch(i, i->off_imm, 4, val);
    else if (i->imm_len == 1 && i->off_imm && chance(50))
        patch(i, i->off_imm, 1, rnd(40));
}

/* What control transfers and strings need before them. */
static void prepare(struct gen *g, struct insn *i)
{
    const struct operand *o = &i->operand[0];

    switch (i->op) {
    case OP_ret:
        if (chance(70))
            put_with_address(g, 0x68);
        break;
    case OP_jmp:
    case OP_call:
        if (o->kind == OPK_GPR && o->size == 4 && chance(80))
            put_with_address(g, 0xb8 | o->reg);
        break;
    case OP_iret:
        if (chance(g->v86 ? 0 : 70)) {
            put(g, "\x9c\x0e", 1);
            put(g, "\x0e", 1);
            put_with_address(g, 0x68);
        }
        break;
    case OP_ret_far:
        if (chance(70)) {
            put(g, "\x0e", 1);
            put_with_address(g, 0x68);
        }
        break;
    case OP_pop_seg:
        if (chance(60))
            put_op32(g, 0x68, some_selector(g->c));
        break;
    case OP_popf:
        if (chance(40))
            put_op32(g, 0x68, rnd32() & (chance(80) ? 0x3ed7u : 0x247fd7u));
        break;
    case OP_mov_seg:
        if (i->operand[1].kind == OPK_GPR && chance(70))
            set_reg(g, i->operand[1].reg & 7, some_selector(g->c));
        break;
    case OP_lar:
    case OP_lsl:
        if (i->operand[1].kind == OPK_GPR && chance(80))
            set_reg(g, i->operand[1].reg & 7, some_selector(g->c));
        break;
    case OP_loop:
    case OP_loope:
    case OP_loopne:
        if (chance(60))
            set_reg(g, ECX, 1 + rnd(10));
        break;
    case OP_movs:
    case OP_cmps:
    case OP_stos:
    case OP_lods:
    case OP_scas:
        if (chance(60))
            set_reg(g, EDI, some_address(g->c));
        if (chance(60))
            set_reg(g, ESI, some_address(g->c));
        if ((i->prefixes & (PFX_REP | PFX_REPNE)) && chance(85))
            set_reg(g, ECX, rnd(chance(80) ? 40 : 5000));
        break;
    case OP_xlat:
        if (chance(80))
            set_reg(g, EBX, some_address(g->c));
        break;
    case OP_div:
    case OP_idiv:
        if (chance(60))
            set_reg(g, EDX, chance(80) ? rnd(100) : 0xffffffff);
        if (o->kind == OPK_GPR && o->size == 4 && o->reg != EDX && chance(70))
            set_reg(g, o->reg, 0x100 + rnd(1u << 31));
        break;
    case OP_int:
        if (chance(60))
            i->bytes[i->off_imm] = (uint8_t)(0x80 + rnd(16));
        if (g->c->native && i->bytes[i->off_imm] == 0x80)
            i->bytes[i->off_imm] = 3;
        break;
    default:
        break;
    }
}

/* Differs in principle between the virtual CPU and a process on the host's. */
static const struct {
    uint16_t op;
    const char *why;
} native_not[] = {
    {OP_cpuid, "the CPU model"},
    {OP_sysenter, "enters the host's kernel"},
    {OP_sgdt, "the host's tables; UMIP: the kernel's emulation"},
    {OP_sidt, "the host's tables; UMIP: the kernel's emulation"},
    {OP_sldt, "the host's tables; UMIP: the kernel's emulation"},
    {OP_str, "the host's tables; UMIP: the kernel's emulation"},
    {OP_smsw, "UMIP: the kernel's emulation"},
    {OP_fnstenv, "stores x87 pointers, which CPUs record differently: tests/user"},
    {OP_fnsave, "stores x87 pointers, which CPUs record differently: tests/user"},
    {OP_fxsave, "stores x87 pointers, which CPUs record differently: tests/user"},
};

bool native_able(const struct insn *i)
{
    if ((i->op == OP_bsf || i->op == OP_bsr) && (i->prefixes & PFX_REP))
        return false; /* TZCNT and LZCNT, which the CPU model does not have */
    if (i->op == OP_int && i->imm == 0x80)
        return false; /* a system call of the host */
    for (unsigned n = 0; n < ARRAY_LEN(native_not); n++)
        if (native_not[n].op == i->op)
            return false;
    return true;
}

static bool unwanted(const struct gen *g, const struct insn *i)
{
    if (g->c->native && !native_able(i))
        return true;
    if (g->c->tame && g->c->cpl && (i->cls == CLS_PRIVILEGED || i->cls == CLS_IOPL))
        return chance(95);
    switch (i->op) {
    case OP_hlt: /* ends the sequence */
        return chance(90);
    case OP_ud:
    case OP_bound:
    case OP_ret_far:
    case OP_call_far:
    case OP_jmp_far:
        return chance(g->c->tame ? 90 : 50);
    case OP_lgdt:
    case OP_lidt:
    case OP_lldt:
    case OP_ltr:
    case OP_mov_cr:
        return chance(70);
    default:
        return false;
    }
}

static void one(struct gen *g)
{
    struct case_insn *k;
    struct insn i;

    do {
        while (!bytes_from(g, row_pick(g->shares), &i))
            continue;
    } while (unwanted(g, &i));
    prepare(g, &i);
    if (has_memory(&i))
        aim(g, &i);
    if (i.operand[0].kind != OPK_REL && i.op != OP_int)
        choose_immediate(g, &i);
    if (i.operand[0].kind == OPK_FAR && chance(70)) {
        patch(&i, i.off_imm, i.imm_len > 4u ? 4u : i.imm_len, CODE_AT);
        patch(&i, i.len - 2u, 2, g->c->native ? NATIVE_CODE : g->c->cpl ? SEL_CODE3 : SEL_CODE0);
    }
    k = put(g, i.bytes, i.len);
    if (i.operand[0].kind == OPK_REL || (i.operand[0].kind == OPK_FAR && i.len >= 7)) {
        k->fix_at = i.off_imm;
        k->fix_size = i.operand[0].kind == OPK_FAR ? (i.opsize == 2 ? 2 : 4) : i.imm_len;
        k->fix_absolute = i.operand[0].kind == OPK_FAR;
        k->fix_to = some_target(g);
    }
}

/* ---- the case ---- */

static void fpu_make(uint8_t *f)
{
    bool unmasked = chance(10);

    memset(f, 0, FXSAVE_SIZE);
    image_put16(f, FX_FCW, 0x0040u | (unmasked ? rnd(64) : 0x3f) | rnd(16) << 8);
    image_put16(f, FX_FSW,
                rnd(8) << FSW_TOP_SHIFT | (rnd32() & 0x4700) |
                    (unmasked || chance(70) ? 0 : rnd(0x40)));
    f[FX_FTW] = (uint8_t)(chance(40) ? 0 : chance(30) ? 0xff : rnd32());
    image_put32(f, FX_MXCSR,
                (chance(92) ? 0x1f80u : rnd(0x40) << 7) | rnd(4) << 13 |
                    (chance(80) ? 0 : rnd(0x40)) | (chance(90) ? 0 : 0x8000u));
    for (unsigned n = 0; n < 8; n++) {
        uint8_t *st = f + FX_ST + 16 * n;
        image_put32(st, 0, rnd32());
        image_put32(st, 4, rnd32() | (chance(90) ? 0x80000000u : 0));
        image_put16(st, 8, chance(80) ? 0x3fe0u + rnd(0x50) + (rnd(2) << 15) : rnd32());
    }
    for (unsigned n = 0; n < 32; n++)
        image_put32(f, FX_XMM + 4 * n,
                    chance(50) ? (0x3f000000u + rnd(0x02000000)) | rnd(2) << 31 : rnd32());
}

/* Not behind a stretch of virtual-8086 mode. */
static void loop_around(struct gen *g)
{
    if (g->v86) {
        g->c->loops = 1;
        return;
    }
    if (!g->mode.code32)
        change_mode(g);
    uint8_t dec[6] = {0xff, 0x0d}, jnz[6] = {0x0f, 0x85};
    struct case_insn *k;

    put_le32(dec + 2, COUNTER_AT);
    put(g, dec, 6);
    k = put(g, jnz, 6);
    k->fix_at = 2;
    k->fix_size = 4;
}

void case_layout(struct bt_case *c)
{
    uint32_t at = c->at;

    for (unsigned n = 0; n < c->count; n++) {
        c->where[n] = at;
        at += c->insn[n].len;
    }
    for (unsigned n = c->count; n <= CASE_INSNS; n++)
        c->where[n] = at;
    for (unsigned n = 0; n < c->count; n++) {
        struct case_insn *k = &c->insn[n];
        uint32_t to = c->where[k->fix_to < c->count ? k->fix_to : c->count];

        if (!k->fix_absolute)
            to -= c->where[n] + k->len;
        else if (k->fix_in16)
            to -= CODE_AT;
        for (unsigned b = 0; b < k->fix_size; b++)
            k->bytes[k->fix_at + b] = (uint8_t)(to >> 8 * b);
    }
}

static void place(struct bt_case *c)
{
    uint32_t bytes = 0;

    for (unsigned n = 0; n < c->count; n++)
        bytes += c->insn[n].len;
    c->at = CODE_AT + 64 + rnd(CODE_BYTES / 2);
    if (chance(25)) /* across a page's end */
        c->at = CODE_AT + GUEST_PAGE_SIZE * (1 + rnd(2)) - 1 - rnd(bytes);
}

void case_make(struct bt_case *c, uint64_t seed, const struct decoder *d)
{
    struct gen g = {.c = c, .d = d};

    groups_make();
    *c = (struct bt_case){.seed = seed};
    fuzz_state = (seed / BATCH) * 0x9e3779b97f4a7c15ull;
    rnd64();
    c->options = (struct bt_options){
        .no_chain = chance(15),
        .no_return_stack = chance(15),
        .max_insns = (uint16_t)(chance(70) ? 0 : 1 + rnd(8)),
        .heat = (uint16_t)(chance(85) ? 0 : rnd(4)),
        .split_at_branches = chance(15),
        .count_exits = chance(15),
        .soft_only = chance(40),
        .no_bmi2 = chance(25),
        .no_gs = chance(30),
    };
    c->options.no_aliased = c->options.heat == 0;
    if (c->options.count_exits)
        c->options.no_chain = c->options.no_return_stack = true;
    fuzz_state = seed * 0xd1342543de82ef95ull;
    rnd64();
    c->at = CODE_AT + 64 + rnd(CODE_BYTES / 2); /* place() may move it */
    c->ram_seed = rnd64();
    c->tame = chance(70);
    for (unsigned n = 0; n < GPR_COUNT; n++)
        c->gpr[n] = chance(75) ? some_address(c) : some_number();
    if (chance(60))
        c->gpr[ECX] = rnd(32);
    state_mode(c);
    memcpy(g.guess, c->gpr, sizeof g.guess);
    g.mode = (struct decode_mode){.code32 = true, .stack32 = !c->stack16};
    g.shares = PICK(flavours);
    g.logical = chance(20) ? 1 + rnd(3) : 1 + rnd(24);
    bool modes = !c->native && chance(15);
    for (unsigned n = 0; n < g.logical && c->count < CASE_INSNS - 12; n++) {
        if (modes && chance(20))
            change_mode(&g);
        one(&g);
    }
    c->loops = (uint8_t)(chance(70) ? 1 : 2 + rnd(5));
    if (c->loops > 1)
        loop_around(&g);
    fpu_make(c->fpu);
    place(c);
    case_layout(c);
}
