/* SPDX-License-Identifier: MIT */
/*
 * decode.c - bytes to instruction record.
 *
 * How        A scan of the prefixes finds the opcode; isa.def's row for it (index by map and
 *            opcode byte, then a short walk) says whether the virtual CPU has the instruction at
 *            all, its operation and its class. A row whose feature the CPU lacks does not exist:
 *            this is the only gate, so that interpreter and translator cannot disagree. Zydis then
 *            gives length, operands and flags; what it gets wrong for this CPU is put right here,
 *            each place marked "Zydis:".
 *
 * Promises   Reads bytes[0..len) only. Never answers DECODE_OK for an encoding without a row.
 *
 * Not here   The tables (isa.def, op.def, feature.def), fetching (shadow-mmu/access.h), #UD that
 *            depends on the CPU's mode (real mode, CR4, CPL): the interpreter raises it.
 *
 * Source     SDM vol. 2A chapter 2 (formats), vol. 2D appendix A (opcode map), vol. 3A 6.15 (#UD,
 *            #GP for length).
 */
#include <Zydis/Zydis.h>

#include "decoder/insn.h"
#include "include/ring1/mem.h"

#define ANY 0xff
enum row_prefix { RP_NP, RP_NF, RP_P66, RP_PF3, RP_PF2, RP_ANY };
enum row_mod { RM_ANY, RM_MEM, RM_REG };

struct isa_row {
    uint16_t op;
    uint8_t map, first, last;
    uint8_t prefix, mod, reg, rm, cls, feature;
};

#define INSN(op, map, first, last, prefix, mod, reg, rm, form, cls, feature, note)                 \
    {OP_##op, map, first, last, RP_##prefix, RM_##mod, reg, rm, CLS_##cls, ISA_##feature},
static const struct isa_row isa_rows[] = {
#include "decoder/isa.def"
};
#undef INSN

static const uint32_t op_traits[OP_COUNT] = {
#define OP(name, handler, emitter, traits) [OP_##name] = traits,
#include "decoder/op.def"
#undef OP
};

/* What struct decoder's space holds. */
struct state {
    ZydisDecoder code32, code16;
    uint16_t first[4][256]; /* index of the opcode's first row */
    uint8_t count[4][256];  /* how many rows; 0: no such opcode */
    uint32_t features;      /* bit n: enum isa_feature n */
};
_Static_assert(sizeof(struct state) <= sizeof(struct decoder), "decoder.space is too small");
_Static_assert(ARRAY_LEN(isa_rows) <= UINT16_MAX, "row index");

/* The register numbers of the record are Zydis' enumerators minus the first of their class. */
_Static_assert(ZYDIS_REGISTER_EDI - ZYDIS_REGISTER_EAX == EDI, "gpr_id");
_Static_assert(ZYDIS_REGISTER_BH - ZYDIS_REGISTER_AL == 7, "byte registers");
_Static_assert(ZYDIS_REGISTER_GS - ZYDIS_REGISTER_ES == SEG_GS, "seg_id");
_Static_assert(ZYDIS_CPUFLAG_CF == EFL_CF && ZYDIS_CPUFLAG_OF == EFL_OF &&
                   ZYDIS_CPUFLAG_DF == EFL_DF && ZYDIS_CPUFLAG_AF == EFL_AF,
               "flag bits");

/* The part of an instruction before its operands, as the scan finds it. */
struct head {
    uint8_t prefixes; /* PFX_*; of F2 and F3 only the last */
    uint8_t seg;      /* last segment override, or SEG_COUNT */
    uint8_t map, opcode;
    uint8_t off_opcode; /* of the last opcode byte */
};

static const struct state *state_get(const struct decoder *d)
{
    return (const struct state *)(const void *)d->space;
}

static void zydis_init(ZydisDecoder *z, ZydisMachineMode mode, ZydisStackWidth stack)
{
    /* The virtual CPU reports none of these, so their encodings are what they were before. */
    static const ZydisDecoderMode off[] = {
        ZYDIS_DECODER_MODE_KNC,      ZYDIS_DECODER_MODE_MPX,   ZYDIS_DECODER_MODE_CET,
        ZYDIS_DECODER_MODE_LZCNT,    ZYDIS_DECODER_MODE_TZCNT, ZYDIS_DECODER_MODE_WBNOINVD,
        ZYDIS_DECODER_MODE_CLDEMOTE,
    };
    VMM_CHECK(ZYAN_SUCCESS(ZydisDecoderInit(z, mode, stack)));
    for (unsigned i = 0; i < ARRAY_LEN(off); i++)
        VMM_CHECK(ZYAN_SUCCESS(ZydisDecoderEnableMode(z, off[i], ZYAN_FALSE)));
}

void decoder_init(struct decoder *d, uint32_t features)
{
    struct state *s = (struct state *)(void *)d->space;
    memset(s, 0, sizeof *s);
    s->features = features;
    /* Zydis: REAL_16 refuses what real mode refuses (LAR, ARPL, ...); the interpreter raises that
     * #UD. */
    zydis_init(&s->code32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    zydis_init(&s->code16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    for (unsigned n = 0; n < ARRAY_LEN(isa_rows); n++) {
        const struct isa_row *r = &isa_rows[n];
        for (unsigned op = r->first; op <= r->last; op++) {
            uint8_t *count = &s->count[r->map][op];
            if (*count == 0)
                s->first[r->map][op] = (uint16_t)n;
            VMM_CHECK(s->first[r->map][op] + *count == n); /* rows of one opcode are adjacent */
            ++*count;
        }
    }
}

/* Reads prefix byte b into *h; false when b is no prefix. */
static bool prefix_take(struct head *h, uint8_t b)
{
    switch (b) {
    case 0x26:
        h->seg = SEG_ES;
        break;
    case 0x2e:
        h->seg = SEG_CS;
        break;
    case 0x36:
        h->seg = SEG_SS;
        break;
    case 0x3e:
        h->seg = SEG_DS;
        break;
    case 0x64:
        h->seg = SEG_FS;
        break;
    case 0x65:
        h->seg = SEG_GS;
        break;
    case 0x66:
        h->prefixes |= PFX_OPSIZE;
        return true;
    case 0x67:
        h->prefixes |= PFX_ADDRSIZE;
        return true;
    case 0xf0:
        h->prefixes |= PFX_LOCK;
        return true;
    case 0xf2:
        h->prefixes = (uint8_t)((h->prefixes & ~PFX_REP) | PFX_REPNE);
        return true;
    case 0xf3:
        h->prefixes = (uint8_t)((h->prefixes & ~PFX_REPNE) | PFX_REP);
        return true;
    default:
        return false;
    }
    h->prefixes |= PFX_SEG;
    return true;
}

/* Reads prefixes and opcode into *h; false when bytes[] ends before the opcode does. */
static bool head_scan(const uint8_t *bytes, unsigned len, struct head *h)
{
    unsigned n = 0;
    *h = (struct head){.seg = SEG_COUNT};
    while (n < len && prefix_take(h, bytes[n]))
        n++;
    if (n < len && bytes[n] == 0x0f) {
        n++;
        h->map = 1;
        if (n < len && (bytes[n] == 0x38 || bytes[n] == 0x3a)) {
            h->map = bytes[n] == 0x38 ? 2 : 3;
            n++;
        }
    }
    if (n >= len)
        return false;
    h->opcode = bytes[n];
    h->off_opcode = (uint8_t)n;
    return true;
}

static bool prefix_matches(unsigned want, unsigned have)
{
    unsigned sel = have & (PFX_OPSIZE | PFX_REP | PFX_REPNE);
    switch (want) {
    case RP_NP:
        return sel == 0;
    case RP_NF:
        return (sel & (PFX_REP | PFX_REPNE)) == 0;
    case RP_P66:
        return sel == PFX_OPSIZE;
    case RP_PF3:
        return (sel & PFX_REP) != 0;
    case RP_PF2:
        return (sel & PFX_REPNE) != 0;
    default:
        return true;
    }
}

/* Returns the row for the opcode in *h on a CPU with these features, with DECODE_OK in *status;
 * otherwise NULL, with DECODE_UD, or DECODE_MORE when the ModRM byte decides and bytes[] ends
 * before it. */
static const struct isa_row *row_find(const struct state *s, uint32_t features,
                                      const struct head *h, const uint8_t *bytes, unsigned len,
                                      enum decode_status *status)
{
    const struct isa_row *r = &isa_rows[s->first[h->map][h->opcode]];
    unsigned count = s->count[h->map][h->opcode];
    *status = DECODE_UD;
    for (unsigned n = 0; n < count; n++, r++) {
        if (!(features >> r->feature & 1) || !prefix_matches(r->prefix, h->prefixes))
            continue;
        if (r->mod == RM_ANY && r->reg == ANY) {
            *status = DECODE_OK;
            return r;
        }
        if (h->off_opcode + 1u >= len) {
            *status = DECODE_MORE;
            continue;
        }
        uint8_t modrm = bytes[h->off_opcode + 1u];
        bool is_reg = modrm >= 0xc0;
        if ((r->mod == RM_ANY || (r->mod == RM_REG) == is_reg) &&
            (r->reg == ANY || r->reg == (modrm >> 3 & 7)) &&
            (r->rm == ANY || r->rm == (modrm & 7))) {
            *status = DECODE_OK;
            return r;
        }
    }
    return NULL;
}

/* May LOCK stand before it? (SDM vol. 2A, "LOCK") */
static bool lock_is_legal(const struct insn *i)
{
    return (i->traits & T_LOCK) && i->operand[0].kind == OPK_MEM;
}

static uint8_t plain_size(unsigned bits)
{
    switch (bits / 8) {
    case 1:
    case 2:
    case 4:
    case 6:
    case 8:
    case 10:
    case 16:
        return (uint8_t)(bits / 8);
    default:
        return 0;
    }
}

static void operand_set_reg(struct operand *o, ZydisRegister r)
{
    unsigned first;
    if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BH) {
        o->kind = OPK_GPR, first = ZYDIS_REGISTER_AL, o->size = 1;
    } else if (r >= ZYDIS_REGISTER_AX && r <= ZYDIS_REGISTER_DI) {
        o->kind = OPK_GPR, first = ZYDIS_REGISTER_AX, o->size = 2;
    } else if (r >= ZYDIS_REGISTER_EAX && r <= ZYDIS_REGISTER_EDI) {
        o->kind = OPK_GPR, first = ZYDIS_REGISTER_EAX, o->size = 4;
    } else if (r >= ZYDIS_REGISTER_ES && r <= ZYDIS_REGISTER_GS) {
        o->kind = OPK_SEG, first = ZYDIS_REGISTER_ES, o->size = 2;
    } else if (r >= ZYDIS_REGISTER_CR0 && r <= ZYDIS_REGISTER_CR8) {
        o->kind = OPK_CR, first = ZYDIS_REGISTER_CR0, o->size = 4;
    } else if (r >= ZYDIS_REGISTER_DR0 && r <= ZYDIS_REGISTER_DR7) {
        o->kind = OPK_DR, first = ZYDIS_REGISTER_DR0, o->size = 4;
    } else if (r >= ZYDIS_REGISTER_ST0 && r <= ZYDIS_REGISTER_ST7) {
        o->kind = OPK_X87, first = ZYDIS_REGISTER_ST0, o->size = 10;
    } else if (r >= ZYDIS_REGISTER_MM0 && r <= ZYDIS_REGISTER_MM7) {
        o->kind = OPK_MMX, first = ZYDIS_REGISTER_MM0, o->size = 8;
    } else {
        VMM_CHECK(r >= ZYDIS_REGISTER_XMM0 && r <= ZYDIS_REGISTER_XMM7);
        o->kind = OPK_XMM, first = ZYDIS_REGISTER_XMM0, o->size = 16;
    }
    o->reg = (uint8_t)(r - first);
}

/* Base or index register of an address, 16 or 32 bits wide. */
static uint8_t address_reg(ZydisRegister r)
{
    if (r == ZYDIS_REGISTER_NONE)
        return INSN_NO_REG;
    return (uint8_t)(r - (r >= ZYDIS_REGISTER_EAX ? ZYDIS_REGISTER_EAX : ZYDIS_REGISTER_AX));
}

static void address_set(struct insn *out, const struct head *h, const ZydisDecodedOperandMem *m)
{
    out->base = address_reg(m->base);
    out->index = address_reg(m->index);
    out->scale = m->scale ? (uint8_t)__builtin_ctz(m->scale) : 0;
    out->disp = (int32_t)m->disp.value;
    if (h->seg == SEG_COUNT)
        out->seg = out->base == ESP || out->base == EBP ? SEG_SS : SEG_DS;
}

static uint32_t truncate_to(uint64_t val, unsigned size)
{
    return (uint32_t)(size >= 4 ? val : val & ((1u << size * 8) - 1));
}

/* The nth immediate operand. Only 83, 6A and 6B have a signed byte to widen (SDM vol. 2D, table
 * */
static void immediate_set(struct insn *out, struct operand *o, const ZydisDecodedInstruction *zi,
                          unsigned nth, const ZydisDecodedOperand *zo)
{
    uint32_t val;
    o->kind = OPK_IMM;
    if (zo->encoding == ZYDIS_OPERAND_ENCODING_NONE) { /* the 1 of D0 and D1 */
        o->size = 1;
        val = (uint32_t)zo->imm.value.u;
    } else {
        bool widen = zi->raw.imm[nth].is_signed && zi->raw.imm[nth].size == 8;
        o->size = widen ? out->opsize : (uint8_t)(zi->raw.imm[nth].size / 8);
        val = widen ? truncate_to((uint64_t)(int64_t)(int8_t)zi->raw.imm[nth].value.u, o->size)
                    : truncate_to(zi->raw.imm[nth].value.u, o->size);
    }
    *(nth ? &out->imm2 : &out->imm) = val;
}

static unsigned place_get(const ZydisDecodedOperand *zo)
{
    switch (zo->encoding) {
    case ZYDIS_OPERAND_ENCODING_MODRM_REG:
        return PLACE_REG;
    case ZYDIS_OPERAND_ENCODING_MODRM_RM:
        return PLACE_RM;
    case ZYDIS_OPERAND_ENCODING_OPCODE:
        return PLACE_CODE;
    default:
        return PLACE_NONE;
    }
}

static void operands_set(struct insn *out, const struct head *h, const ZydisDecodedInstruction *zi,
                         const ZydisDecodedOperand *zo)
{
    unsigned imms = 0;
    VMM_CHECK(zi->operand_count_visible <= ARRAY_LEN(out->operand));
    out->nops = zi->operand_count_visible;
    for (unsigned n = 0; n < out->nops; n++, zo++) {
        struct operand *o = &out->operand[n];
        o->act = (zo->actions & ZYDIS_OPERAND_ACTION_MASK_READ ? ACT_R : 0) |
                 (zo->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? ACT_W : 0);
        o->place = place_get(zo) & 3;
        switch (zo->type) {
        case ZYDIS_OPERAND_TYPE_REGISTER:
            operand_set_reg(o, zo->reg.value);
            break;
        case ZYDIS_OPERAND_TYPE_MEMORY:
            o->kind = OPK_MEM;
            o->size = zo->mem.type == ZYDIS_MEMOP_TYPE_AGEN ? 0 : plain_size(zo->size);
            address_set(out, h, &zo->mem);
            break;
        case ZYDIS_OPERAND_TYPE_POINTER:
            o->kind = OPK_FAR;
            o->size = (uint8_t)(out->opsize + 2);
            out->imm = zo->ptr.offset;
            out->imm2 = zo->ptr.segment;
            break;
        default:
            if (zi->raw.imm[imms].is_relative) {
                o->kind = OPK_REL;
                o->size = (uint8_t)(zi->raw.imm[imms].size / 8);
                out->imm = (uint32_t)zi->raw.imm[imms].value.s;
            } else {
                immediate_set(out, o, zi, imms, zo);
            }
            imms++;
        }
    }
}

/* Implicit memory operands that the record shows: the segment of [e]si, [e]bx, [e]di. */
static void implicit_address_set(struct insn *out, const struct head *h)
{
    if (out->traits & T_AT_EBX)
        out->base = EBX;
    else if (out->traits & T_AT_EDI)
        out->base = EDI;
    out->seg = h->seg == SEG_COUNT ? SEG_DS : h->seg;
}

/* Returns opsize where it is not Zydis' operand width: vectors, x87 (whose 66 prefix shapes
 * FNSTENV's image), system registers. */
static uint8_t opsize_get(const struct insn *out, const ZydisDecodedInstruction *zi,
                          const ZydisDecodedOperand *zo, bool code32)
{
    bool mmx = false;
    for (unsigned n = 0; n < zi->operand_count_visible; n++) {
        if (zo[n].type != ZYDIS_OPERAND_TYPE_REGISTER)
            continue;
        ZydisRegister r = zo[n].reg.value;
        if (r >= ZYDIS_REGISTER_XMM0 && r <= ZYDIS_REGISTER_XMM7)
            return 16;
        mmx |= r >= ZYDIS_REGISTER_MM0 && r <= ZYDIS_REGISTER_MM7;
    }
    if (mmx || out->traits & T_SIZE_8)
        return 8;
    if (out->traits & T_SIZE_4)
        return 4;
    if (zi->operand_width == 8 || out->traits & T_SIZE_1)
        return 1;
    return code32 != ((out->prefixes & PFX_OPSIZE) != 0) ? 4 : 2;
}

/* May the instruction leave the flags that it writes as they are? With a count of 0, or ECX = 0. */
static bool flags_may_stay(const struct insn *i)
{
    return (i->traits & T_SHIFT && i->operand[i->nops - 1].kind != OPK_IMM) || insn_repeats(i);
}

/* Takes the flags from Zydis, but counts a conditional write as a read too: what may not be written
 * must stay live. */
static void flags_set(struct insn *out, const ZydisDecodedInstruction *zi)
{
    const ZydisAccessedFlags *f = zi->cpu_flags;
    const uint32_t mask = EFL_ARITH | EFL_DF;

    if (f) {
        out->flags_read = (uint16_t)(f->tested & mask);
        out->flags_written = (uint16_t)((f->modified | f->set_0 | f->set_1 | f->undefined) & mask);
    }
    if (flags_may_stay(out))
        out->flags_read |= out->flags_written;
    else if (out->traits & T_SHIFT && (out->imm & 31) == 0)
        out->flags_read = out->flags_written = 0;
    if (out->traits & T_EVENT)
        out->flags_read = (uint16_t)mask;
}

/* Zydis: says "written" where the old value may survive: CMOVcc, BSF and BSR of 0, LAR and LSL that
 * clear ZF. Zydis: says "read" where INVLPG and NOP only name a page. */
static void actions_correct(struct insn *out)
{
    if (out->traits & T_DEST_STAYS)
        out->operand[0].act = ACT_R | ACT_W;
    if (!(out->traits & T_NO_ACCESS))
        return;
    for (unsigned n = 0; n < out->nops; n++) {
        if (out->operand[n].kind != OPK_MEM)
            continue;
        out->operand[n].size = 0;
        out->operand[n].act = 0;
    }
}

static void class_correct(struct insn *out)
{
    if (out->cls == CLS_IDENTICAL && !(out->traits & T_NO_ACCESS) && insn_memory(out))
        out->cls = CLS_MEMORY;
}

static void raw_set(struct insn *out, const ZydisDecodedInstruction *zi, const uint8_t *bytes)
{
    memcpy(out->bytes, bytes, zi->length);
    out->len = zi->length;
    if (zi->attributes & ZYDIS_ATTRIB_HAS_MODRM) {
        out->off_modrm = zi->raw.modrm.offset;
        out->modrm = bytes[out->off_modrm];
    }
    if (zi->raw.disp.size) {
        out->off_disp = zi->raw.disp.offset;
        out->disp_len = zi->raw.disp.size / 8;
    }
    if (zi->raw.imm[0].size) {
        out->off_imm = zi->raw.imm[0].offset;
        out->imm_len = (uint8_t)((zi->raw.imm[0].size + zi->raw.imm[1].size) / 8);
    }
}

static uint8_t mandatory_get(const struct isa_row *r)
{
    return r->prefix == RP_P66 ? 0x66 : r->prefix == RP_PF3 ? 0xf3 : r->prefix == RP_PF2 ? 0xf2 : 0;
}

static void head_set(struct insn *out, const struct head *h, const struct isa_row *r,
                     struct decode_mode mode)
{
    memset(out, 0, sizeof *out);
    out->op = r->op;
    out->traits = op_traits[r->op];
    out->cls = r->cls;
    out->prefixes = h->prefixes;
    out->map = h->map;
    out->opcode = h->opcode;
    out->off_opcode = h->off_opcode;
    out->mandatory = mandatory_get(r);
    out->addr_size = mode.code32 != ((h->prefixes & PFX_ADDRSIZE) != 0) ? 4 : 2;
    out->stack_size = mode.stack32 ? 4 : 2;
    out->base = out->index = INSN_NO_REG;
}

enum decode_status decoder_decode(const struct decoder *d, struct decode_mode mode,
                                  const uint8_t *bytes, unsigned len, struct insn *out)
{
    const struct state *s = state_get(d);
    enum decode_status more = len >= INSN_MAX_LEN ? DECODE_GP : DECODE_MORE;
    enum decode_status status;
    struct head h;
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand zo[ZYDIS_MAX_OPERAND_COUNT];

    if (!head_scan(bytes, len, &h))
        return more;
    const struct isa_row *row = row_find(s, s->features, &h, bytes, len, &status);
    if (!row)
        return status == DECODE_MORE ? more : DECODE_UD;
    ZyanStatus zs =
        ZydisDecoderDecodeFull(mode.code32 ? &s->code32 : &s->code16, bytes, len, &zi, zo);
    if (zs == ZYDIS_STATUS_NO_MORE_DATA)
        return more;
    if (zs == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
        return DECODE_GP;
    if (!ZYAN_SUCCESS(zs))
        return DECODE_UD;

    head_set(out, &h, row, mode);
    raw_set(out, &zi, bytes);
    out->opsize = opsize_get(out, &zi, zo, mode.code32);
    implicit_address_set(out, &h);
    operands_set(out, &h, &zi, zo);
    if (h.prefixes & PFX_LOCK && !lock_is_legal(out))
        return DECODE_UD;
    if (out->traits & T_COND)
        out->cond = h.opcode & 15;
    actions_correct(out);
    class_correct(out);
    flags_set(out, &zi);
    return DECODE_OK;
}

/* Returns the enum insn_op that the bytes would be if the CPU had every feature. */
static unsigned lacking(const struct decoder *d, const uint8_t *bytes, unsigned len)
{
    const struct state *s = state_get(d);
    enum decode_status status;
    struct head h;

    if (!head_scan(bytes, len, &h) || row_find(s, s->features, &h, bytes, len, &status))
        return OP_INVALID;
    const struct isa_row *row = row_find(s, ISA_EVERY, &h, bytes, len, &status);
    return row ? row->op : OP_INVALID;
}

void decoder_undefined(const struct decoder *d, const uint8_t *bytes, unsigned len,
                       struct insn *out)
{
    VMM_CHECK(len <= sizeof out->bytes);
    memset(out, 0, sizeof *out);
    out->op = OP_ud;
    out->len = 1;
    out->cls = CLS_CONTROL;
    out->base = out->index = INSN_NO_REG;
    memcpy(out->bytes, bytes, len);
    out->imm = lacking(d, bytes, len);
}

void decoder_format(const struct decoder *d, const struct insn *i, gla_t eip, bool code32,
                    char *out, size_t cap)
{
    const struct state *s = state_get(d);
    ZydisFormatter f;
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand zo[ZYDIS_MAX_OPERAND_COUNT];
    if (cap == 0)
        return;
    out[0] = '\0';
    if (!ZYAN_SUCCESS(ZydisFormatterInit(&f, ZYDIS_FORMATTER_STYLE_INTEL)) ||
        !ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(code32 ? &s->code32 : &s->code16, i->bytes, i->len, &zi, zo)) ||
        !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&f, &zi, zo, zi.operand_count_visible, out,
                                                      cap, eip, NULL)))
        out[0] = '\0';
    out[cap - 1] = '\0';
}

unsigned decoder_format_host(const uint8_t *bytes, unsigned len, uint64_t address, char *out,
                             size_t cap)
{
    static const char bad[] = "(bad)";
    ZydisDecoder z;
    ZydisFormatter f;
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand zo[ZYDIS_MAX_OPERAND_COUNT];

    VMM_CHECK(cap >= sizeof bad);
    memcpy(out, bad, sizeof bad);
    if (!ZYAN_SUCCESS(ZydisDecoderInit(&z, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
        !ZYAN_SUCCESS(ZydisFormatterInit(&f, ZYDIS_FORMATTER_STYLE_INTEL)) ||
        !ZYAN_SUCCESS(
            ZydisFormatterSetProperty(&f, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE)) ||
        !ZYAN_SUCCESS(
            ZydisFormatterSetProperty(&f, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE, 8)) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&z, bytes, len, &zi, zo)) ||
        !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&f, &zi, zo, zi.operand_count_visible, out,
                                                      cap, address, NULL)))
        return 0;
    out[cap - 1] = '\0';
    return zi.length;
}
