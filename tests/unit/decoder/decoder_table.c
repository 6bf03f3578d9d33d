/* SPDX-License-Identifier: MIT */
/* uses: decoder/ zydis capstone */
/*
 * decoder_table.c - isa.def and op.def against Zydis and Capstone: every encoding, not samples of
 * them.
 */
#include <criterion/criterion.h>

#include "tests/unit/decoder/decoder_oracle.h"

#define ANY 0xff
enum { PFX_ANY, PFX_NP, PFX_NF, PFX_P66, PFX_PF3, PFX_PF2 };
enum { MOD_ANY, MOD_MEM, MOD_REG };

struct row {
    unsigned op, map, first, last, prefix, mod, reg, rm, cls;
    unsigned feature;
    const char *form, *note, *name;
};

#define INSN(op, map, first, last, prefix, mod, reg, rm, form, cls, feature, note)                 \
    {OP_##op, map,       first,         last, PFX_##prefix, MOD_##mod, reg,                        \
     rm,      CLS_##cls, ISA_##feature, form, note,         #op},
static const struct row rows[] = {
#include "decoder/isa.def"
};
#undef INSN

#define OP(name, handler, emitter, traits) [OP_##name] = traits,
static const uint32_t traits_of[OP_COUNT] = {
#include "decoder/op.def"
};
#undef OP

/* Encodings: prefixes, opcode, ModRM (a byte of no matter to opcodes without one), then the
 * filler. */
static const uint8_t prefix_sets[][3] = {
    {0},
    {1, 0x66},
    {1, 0xf3},
    {1, 0xf2},
    {1, 0xf0},
    {2, 0x66, 0xf3},
    {2, 0xf2, 0x66},
    {2, 0x67, 0x66},
    {2, 0x67, 0xf3},
};

static unsigned put_opcode(uint8_t *bytes, unsigned at, unsigned map, unsigned opcode)
{
    if (map)
        bytes[at++] = 0x0f;
    if (map > 1)
        bytes[at++] = map == 2 ? 0x38 : 0x3a;
    bytes[at++] = (uint8_t)opcode;
    return at;
}

static bool row_has(const struct row *r, unsigned map, unsigned opcode, unsigned modrm)
{
    return r->map == map && opcode >= r->first && opcode <= r->last &&
           (r->reg == ANY || r->reg == (modrm >> 3 & 7)) &&
           (r->rm == ANY || r->rm == (modrm & 7)) &&
           (r->mod == MOD_ANY || (r->mod == MOD_REG) == (modrm >= 0xc0));
}

/* Whether the record can come from the row. */
static bool row_fits(const struct row *r, const struct insn *i, unsigned modrm)
{
    static const uint8_t mandatory[] = {[PFX_P66] = 0x66, [PFX_PF3] = 0xf3, [PFX_PF2] = 0xf2};
    unsigned want = r->prefix < sizeof mandatory ? mandatory[r->prefix] : 0;
    return r->op == i->op && i->mandatory == want && row_has(r, i->map, i->opcode, modrm) &&
           (i->cls == r->cls || (r->cls == CLS_IDENTICAL && i->cls == CLS_MEMORY));
}

/* The size that letter c stands for; 0: do not check. */
static unsigned letter_size(char c, const struct insn *i)
{
    switch (c) {
    case 'b':
        return 1;
    case 'w':
        return 2;
    case 'd':
        return 4;
    case 'q':
        return 8;
    case 'x':
        return 16;
    case 't':
        return 10;
    case 'v':
        return i->opsize;
    default:
        return 0;
    }
}

/* Whether operand o is what `token` of the form says: "Ev", "Rv/Mw", "AL", ... */
static bool token_fits(const char *token, const struct operand *o, const struct insn *i)
{
    unsigned size = letter_size(token[1], i);
    bool plain = size == 0 || o->size == size;
    switch (token[0]) {
    case 'E':
        return (o->kind == OPK_GPR || o->kind == OPK_MEM) && plain;
    case 'R':
        if (token[2] == '/' && o->kind == OPK_MEM)
            return o->size == letter_size(token[4], i);
        return o->kind == OPK_GPR && plain;
    case 'G':
    case 'Z':
        return o->kind == OPK_GPR && plain;
    case 'M':
    case 'O':
        return o->kind == OPK_MEM && (plain || o->size == 0);
    case 'Q':
        return (o->kind == OPK_MMX && o->size == 8) || (o->kind == OPK_MEM && plain);
    case 'W':
        return (o->kind == OPK_XMM && o->size == 16) || (o->kind == OPK_MEM && plain);
    case 'P':
    case 'N':
        return o->kind == OPK_MMX;
    case 'V':
    case 'U':
    case 'X':
        return o->kind == OPK_XMM;
    case 'I':
        return o->kind == OPK_IMM && (token[1] != 'w' || o->size == 2);
    case '1':
        return o->kind == OPK_IMM && i->imm == 1;
    case 'J':
        return o->kind == OPK_REL;
    case 'r':
        return o->kind == OPK_GPR && o->reg == EAX && o->size == i->opsize;
    case 'A':
        if (token[1] == 'p')
            return o->kind == OPK_FAR && o->size == i->opsize + 2;
        return o->kind == OPK_GPR && o->reg == EAX && o->size == (token[1] == 'L' ? 1 : 2);
    case 'C':
        if (token[1] == 'L')
            return o->kind == OPK_GPR && o->reg == ECX && o->size == 1;
        return o->kind == (token[1] == 'd' ? OPK_CR : OPK_SEG);
    case 'D':
        if (token[1] == 'X')
            return o->kind == OPK_GPR && o->reg == EDX && o->size == 2;
        return o->kind == (token[1] == 'd' ? OPK_DR : OPK_SEG);
    case 'S':
        return o->kind == (token[1] == 'T' ? OPK_X87 : OPK_SEG);
    case 'F':
        return o->kind == OPK_SEG;
    default:
        return false;
    }
}

/* Where the SDM's letter says that the operand is named (vol. 2D, A.2.1). */
static unsigned token_place(const char *token, const struct operand *o)
{
    switch (token[0]) {
    case 'E':
    case 'R':
    case 'M':
    case 'Q':
    case 'W':
    case 'N':
    case 'U':
        return PLACE_RM;
    case 'G':
    case 'P':
    case 'V':
        return PLACE_REG;
    case 'C':
    case 'D': /* Cd, Dd; not CL, CS, DX, DS */
        return token[1] == 'd' ? PLACE_REG : PLACE_NONE;
    case 'S': /* Sw; ST(n), but not the implied ST0; not SS */
        return token[1] == 'w'                      ? PLACE_REG
               : token[1] == 'T' && token[2] != '0' ? PLACE_RM
                                                    : PLACE_NONE;
    case 'Z':
        return PLACE_CODE;
    default:
        return o->kind == OPK_GPR ? PLACE_NONE : o->place;
    }
}

static bool form_fits(const struct row *r, const struct insn *i)
{
    const char *token = r->form;
    unsigned n = 0;
    if (r->op == OP_nop || r->op == OP_ud || r->op == OP_invlpg)
        return true; /* nothing is accessed */
    if (strcmp(r->form, "ES") == 0 || strcmp(r->form, "GS") == 0)
        return i->nops == 1 && i->operand[0].kind == OPK_SEG &&
               i->operand[0].reg == (r->form[0] == 'E' ? SEG_ES : SEG_GS);
    for (; *token; n++) {
        if (n >= i->nops || !token_fits(token, &i->operand[n], i))
            return false;
        if (i->operand[n].place != token_place(token, &i->operand[n]))
            return false;
        token += strcspn(token, ",");
        token += *token == ',';
    }
    return n == i->nops;
}

/* Checks the record against the rows; counts the row it came from. */
static bool rows_explain(const struct insn *i, unsigned modrm, unsigned *hits)
{
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        if (!row_fits(&rows[n], i, modrm))
            continue;
        hits[n]++;
        cr_expect(form_fits(&rows[n], i), "%s %02x /%02x: operands are not \"%s\"", rows[n].name,
                  i->opcode, modrm, rows[n].form);
        return true;
    }
    return false;
}

/* ---- traits, against what Zydis knows ---- */

struct opinion {
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand zo[ZYDIS_MAX_OPERAND_COUNT];
};

static ZydisRegister hidden_register(const struct opinion *z, unsigned n, unsigned actions)
{
    const ZydisDecodedOperand *o = &z->zo[n];
    bool hidden = n >= z->zi.operand_count_visible && o->type == ZYDIS_OPERAND_TYPE_REGISTER;

    return hidden && o->actions & actions ? o->reg.value : ZYDIS_REGISTER_NONE;
}

/* Does it write or read the register, 8, 16 or 32 bits of it, without showing it? `family` is a
 * 32-bit register; NONE: any of the eight. */
static bool hides(const struct opinion *z, ZydisRegister family, unsigned actions)
{
    for (unsigned n = 0; n < z->zi.operand_count; n++) {
        ZydisRegister r = hidden_register(z, n, actions);
        ZydisRegisterClass c = ZydisRegisterGetClass(r);
        ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LEGACY_32, r);

        if ((c == ZYDIS_REGCLASS_GPR8 || c == ZYDIS_REGCLASS_GPR16 || c == ZYDIS_REGCLASS_GPR32) &&
            (family == ZYDIS_REGISTER_NONE || whole == family))
            return true;
    }
    return false;
}

/* At which register does a memory operand lie that is not written down? */
static bool hides_address(const struct opinion *z, ZydisRegister base16)
{
    for (unsigned n = z->zi.operand_count_visible; n < z->zi.operand_count; n++)
        if (z->zo[n].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            (z->zo[n].mem.base == base16 ||
             z->zo[n].mem.base == base16 - ZYDIS_REGISTER_AX + ZYDIS_REGISTER_EAX))
            return true;
    return false;
}

/* The traits that this encoding shows, as far as Zydis knows them. */
#define Z_WRITE ZYDIS_OPERAND_ACTION_MASK_WRITE
#define Z_READ  ZYDIS_OPERAND_ACTION_MASK_READ
static uint32_t traits_shown(const struct opinion *z)
{
    const ZydisDecodedInstruction *zi = &z->zi;
    ZydisInstructionAttributes a = zi->attributes;
    bool sse = zi->meta.category == ZYDIS_CATEGORY_SSE;
    bool repeats = a & (ZYDIS_ATTRIB_ACCEPTS_REP | ZYDIS_ATTRIB_ACCEPTS_REPE);

    return (a & ZYDIS_ATTRIB_ACCEPTS_LOCK ? T_LOCK : 0) | (repeats ? T_STRING : 0) |
           (hides(z, ZYDIS_REGISTER_NONE, Z_WRITE) ? T_HIDDEN : 0) |
           (hides_address(z, ZYDIS_REGISTER_BX) ? T_AT_EBX : 0) |
           (zi->meta.category != ZYDIS_CATEGORY_STRINGOP && !repeats &&
                    hides_address(z, ZYDIS_REGISTER_DI)
                ? T_AT_EDI
                : 0) |
           (zi->raw.prefix_count < 4 && zi->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
                    (zi->opcode & 0xf8) == 0xd8
                ? T_X87
                : 0) |
           (sse && hides(z, ZYDIS_REGISTER_EDX, Z_READ) ? T_EAX_EDX_IN : 0) |
           (sse && hides(z, ZYDIS_REGISTER_ECX, Z_WRITE) ? T_ECX_OUT : 0);
}
#define TRAITS_SHOWN                                                                               \
    (T_LOCK | T_STRING | T_HIDDEN | T_AT_EBX | T_AT_EDI | T_X87 | T_EAX_EDX_IN | T_ECX_OUT)

/* The flags of the record are at least Zydis'; more only where a write may not happen, where the
 * flags go onto the stack, or with a count of 0. */
static bool flags_agree(const struct opinion *z, const struct insn *i)
{
    const uint32_t mask = EFL_ARITH | EFL_DF;
    const ZydisAccessedFlags *f = z->zi.cpu_flags;
    uint32_t read = f ? f->tested & mask : 0;
    uint32_t written = f ? (f->modified | f->set_0 | f->set_1 | f->undefined) & mask : 0;
    bool none = i->traits & T_SHIFT && !i->flags_written;

    if (!none && (written != i->flags_written || (read & ~i->flags_read)))
        return false;
    return read == i->flags_read || i->traits & (T_SHIFT | T_EVENT) || insn_repeats(i);
}

/* Bytes of visible memory that are accessed. */
static bool memory_agrees(const struct opinion *z, const struct insn *i)
{
    const struct operand *o = insn_memory(i);

    for (unsigned n = 0; n < z->zi.operand_count_visible; n++) {
        const ZydisDecodedOperand *zo = &z->zo[n];
        if (zo->type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        if (!o)
            return false;
        if (zo->mem.type == ZYDIS_MEMOP_TYPE_AGEN || i->traits & T_NO_ACCESS)
            return !o->size && (!o->act || i->op == OP_lea);
        return o->size == zo->size / 8 || (!o->size && zo->size > 80 && zo->size != 128);
    }
    return !o;
}

/* Branches, and what Zydis calls privileged. Its list has CLAC and STAC, but neither RDMSR's like
 * that the CPU model may allow (RDPMC) nor what IOPL decides. */
static bool class_agrees(const struct opinion *z, const struct insn *i)
{
    bool branch = z->zi.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE;
    bool far = z->zi.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
    bool privileged = z->zi.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED;

    if (branch && i->cls != CLS_CONTROL && !(far && i->cls == CLS_SENSITIVE))
        return false;
    if (i->cls == CLS_CONTROL && !branch && !insn_is_undefined(i))
        return false;
    return !privileged || i->cls == CLS_PRIVILEGED || i->cls == CLS_IOPL;
}

/* False, with a complaint: the record and Zydis differ. *seen: traits that were shown. */
static bool traits_agree(struct oracle *o, bool code32, const uint8_t *bytes, const struct insn *i,
                         uint32_t *seen)
{
    struct opinion z;
    ZyanStatus zs = ZydisDecoderDecodeFull(&o->zydis[code32], bytes, INSN_MAX_LEN, &z.zi, z.zo);
    const char *what = NULL;

    cr_assert(ZYAN_SUCCESS(zs));
    uint32_t shown = traits_shown(&z);
    if (i->traits & T_EVENT || i->op == OP_rsm)
        shown |= T_HIDDEN; /* Zydis does not say that they change ESP */
    *seen |= shown;
    if (shown & ~i->traits)
        what = "traits";
    else if (!flags_agree(&z, i))
        what = "flags";
    else if (!memory_agrees(&z, i))
        what = "memory";
    else if (!class_agrees(&z, i))
        what = "class";
    cr_expect(!what, "%s: %s differ: ours %x, shown %x, class %s", insn_op_name(i->op),
              what ? what : "", i->traits & TRAITS_SHOWN, shown, insn_class_name(i->cls));
    return !what;
}

struct walk {
    struct oracle oracle;
    unsigned row_hits[ARRAY_LEN(rows)], op_hits[OP_COUNT];
    uint32_t traits_seen[OP_COUNT]; /* those that an encoding of the operation showed */
    unsigned bad;
};

static void walk_one(struct walk *w, bool code32, const uint8_t *prefixes, unsigned map,
                     unsigned opcode, unsigned modrm, const uint8_t *filler)
{
    uint8_t bytes[16] = {0};
    struct insn i;
    bool ok;
    memcpy(bytes, prefixes + 1, prefixes[0]);
    unsigned at = put_opcode(bytes, prefixes[0], map, opcode);
    bytes[at++] = (uint8_t)modrm;
    memcpy(bytes + at, filler, 4);
    const char *complaint = oracle_check(&w->oracle, code32, bytes, &i, &ok);
    if (complaint) {
        w->bad++;
        cr_expect(false, "%s", complaint);
    }
    if (!ok)
        return;
    w->op_hits[i.op]++;
    if (w->bad < 20)
        w->bad += !traits_agree(&w->oracle, code32, bytes, &i, &w->traits_seen[i.op]);
    if (!rows_explain(&i, modrm, w->row_hits)) {
        w->bad++;
        cr_expect(false, "%s: no row explains map %u opcode %02x /%02x", insn_op_name(i.op), map,
                  opcode, modrm);
    }
}

static bool is_prefix(unsigned map, unsigned byte)
{
    static const char prefixes[] = "\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3\x0f";
    return (map == 0 && byte && strchr(prefixes, (int)byte)) ||
           (map == 1 && (byte == 0x38 || byte == 0x3a));
}

static void walk_opcode(struct walk *w, unsigned map, unsigned opcode)
{
    /* The second makes XOP, the third EVEX encodings valid where they exist. */
    static const uint8_t fillers[][4] = {
        {0x11, 0x22, 0x33, 0x44}, {0x78, 0x90, 0xc0, 0}, {0x7d, 0x48, 0x6f, 0x01}};
    for (unsigned set = 0; set < ARRAY_LEN(prefix_sets) * 2; set++) {
        for (unsigned modrm = 0; modrm < 256; modrm++) {
            if ((modrm < 0xc0 && (modrm & 0xc7) != 0x03 && (modrm & 0xc7) != 0x45) || w->bad >= 20)
                continue;
            for (unsigned f = 0; f < (map || set > 1 ? 1 : ARRAY_LEN(fillers)); f++)
                walk_one(w, set & 1, prefix_sets[set / 2], map, opcode, modrm, fillers[f]);
        }
    }
}

Test(decoder_table, every_encoding_agrees_and_has_a_row)
{
    static struct walk w;
    oracle_init(&w.oracle);
    for (unsigned map = 0; map < 4; map++) {
        for (unsigned opcode = 0; opcode < 256; opcode++) {
            if (!is_prefix(map, opcode))
                walk_opcode(&w, map, opcode);
        }
    }
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++)
        cr_expect(w.row_hits[n] > 0, "row %u (%s, map %u, %02x) matches nothing", n, rows[n].name,
                  rows[n].map, rows[n].first);
    for (unsigned op = 1; op < OP_COUNT; op++) {
        cr_expect(w.op_hits[op] > 0, "%s is never decoded", insn_op_name(op));
        cr_expect(w.traits_seen[op] == (traits_of[op] & TRAITS_SHOWN),
                  "%s: op.def says %x, its encodings show %x", insn_op_name(op),
                  traits_of[op] & TRAITS_SHOWN, w.traits_seen[op]);
    }
    for (unsigned n = 0; n < ARRAY_LEN(oracle_known); n++)
        cr_expect(w.oracle.known_hits[n] > 0,
                  "row %u of decoder_known.def (map %u, %02x) excuses nothing", n,
                  oracle_known[n].map, oracle_known[n].first);
    oracle_free(&w.oracle);
}

/* The holes that the literature lists, and only they, carry its name. */
Test(decoder_table, robin_and_irvine_are_sensitive)
{
    static const unsigned holes[] = {
        OP_sgdt,     OP_sidt,    OP_sldt, OP_smsw,    OP_pushf,   OP_popf,
        OP_lar,      OP_lsl,     OP_verr, OP_verw,    OP_pop_seg, OP_push_seg,
        OP_call_far, OP_jmp_far, OP_int,  OP_ret_far, OP_str,     OP_mov_seg,
    };
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        bool listed = false;
        for (unsigned h = 0; h < ARRAY_LEN(holes); h++)
            listed |= rows[n].op == holes[h];
        bool named = strcmp(rows[n].note, "Robin and Irvine") == 0;
        cr_expect(listed == named, "%s: note \"%s\"", rows[n].name, rows[n].note);
        cr_expect(!listed || rows[n].cls == CLS_SENSITIVE, "%s is %s", rows[n].name,
                  insn_class_name(rows[n].cls));
    }
}

Test(decoder_table, names)
{
    cr_expect_str_eq(insn_op_name(OP_add), "add");
    cr_expect_str_eq(insn_op_name(OP_COUNT), "(invalid)");
    cr_expect_str_eq(insn_class_name(CLS_SENSITIVE), "SENSITIVE");
    cr_expect_str_eq(insn_class_name(CLS_INVALID64), "INVALID64");
    cr_expect_str_eq(insn_class_name(99), "(invalid)");
}
