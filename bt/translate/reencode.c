/* SPDX-License-Identifier: MIT */
/*
 * reencode.c - writes a guest instruction again for the host: the same operation on the same
 * registers, with another memory operand.
 *
 * Promises   Prefixes that mean something are kept (66, mandatory F2 and F3, LOCK), all others
 *            dropped: with F3, BSF would be the host's TZCNT. ModRM.reg and ModRM.rm are changed
 *            only where they name guest ESP; opcode extensions and the numbers of other register
 *            files are left alone.
 * How        AH, CH, DH, BH have no encoding beside a REX prefix, which r12d and most memory
 *            operands need. Their byte travels through r11b: fetched before the instruction, put
 *            back after it. In between the guest's registers are as they were, so the instruction
 *            may trap.
 * Not here   Is the operand's address good (operand.c)? Has the opcode another meaning in 64-bit
 *            mode (integer.c)?
 * Source     SDM vol. 2A, chapter 2, 3.1.1 (encodings); vol. 2D, appendix A.
 */
#include "bt/translate/tu.h"

/* What a ModRM field or the opcode's low bits become. */
struct field {
    uint8_t host; /* number to encode */
    bool high;    /* it is AH, CH, DH or BH ... */
    uint8_t act;  /* ... which is used so */
};

/* *o is the operand that the field names, or NULL: it has another meaning. */
static struct field field_get(const struct operand *o, unsigned raw)
{
    struct field f = {.host = (uint8_t)raw};

    if (!o || o->kind != OPK_GPR)
        return f;
    if (o->size != 1) {
        f.host = (uint8_t)host_gpr(raw);
    } else {
        f.high = raw >= 4;
        f.act = o->act;
    }
    return f;
}

/* ---- AH, CH, DH, BH ---- */

static void swap_bytes(struct emit *e, unsigned low)
{
    emit_insn_r(e, 0, MAP_1, 0x86, low + 4, low); /* xchg low, high */
}

/* Emits: r11b = the high byte register. */
static void high_get(struct tu *t, unsigned high)
{
    unsigned low = high - 4;

    if (tu_bmi2(t)) {
        emit_rorx_rri32(&t->e, R11, low, 8);
        return;
    }
    swap_bytes(&t->e, low);
    emit_mov_rr32(&t->e, R11, low);
    swap_bytes(&t->e, low);
}

/* Emits: the high byte register = r11b. */
static void high_put(struct tu *t, unsigned high)
{
    unsigned low = high - 4;
    bool bmi2 = tu_bmi2(t);

    if (bmi2)
        emit_rorx_rri32(&t->e, low, low, 8);
    else
        swap_bytes(&t->e, low);
    emit_insn_r(&t->e, EMIT_BYTE, MAP_1, 0x88, R11, low);
    if (bmi2)
        emit_rorx_rri32(&t->e, low, low, 24);
    else
        swap_bytes(&t->e, low);
}

/* ---- the instruction ---- */

static unsigned prefix_flags(const struct insn *i)
{
    return (i->prefixes & PFX_OPSIZE ? EMIT_66 : 0) | (i->mandatory == 0xf2 ? EMIT_F2 : 0) |
           (i->mandatory == 0xf3 ? EMIT_F3 : 0) | (i->prefixes & PFX_LOCK ? EMIT_LOCK : 0);
}

/* Emits an instruction without ModRM: with implied registers, or one in the opcode's low bits. */
static void copy_plain(struct tu *t, const struct insn *i)
{
    const struct operand *o = insn_operand_at(i, PLACE_CODE);
    enum emit_map map = (enum emit_map)i->map;

    if (o && o->size != 1)
        emit_insn_o(&t->e, prefix_flags(i), map, i->opcode & 0xf8, host_gpr(o->reg));
    else
        emit_insn(&t->e, prefix_flags(i), map, i->opcode);
}

static bool needs_rex(const struct hmem *m, unsigned reg, unsigned rm)
{
    if (m)
        return reg >= R8 || (m->base != HOST_NO_REG && m->base >= R8) ||
               (m->index != HOST_NO_REG && m->index >= R8);
    return reg >= R8 || rm >= R8;
}

static void copy_modrm(struct tu *t, const struct insn *i, const struct hmem *m)
{
    struct field reg = field_get(insn_operand_at(i, PLACE_REG), i->modrm >> 3 & 7);
    struct field rm = field_get(insn_operand_at(i, PLACE_RM), i->modrm & 7);
    const struct field *high = NULL;
    unsigned raw = 0;

    if (needs_rex(m, reg.host, rm.host) && (reg.high || rm.high)) {
        struct field *f = reg.high ? &reg : &rm;
        high = f;
        raw = f->host;
        f->host = R11;
        if (f->act & ACT_R)
            high_get(t, raw);
    }
    if (m)
        emit_insn_m(&t->e, prefix_flags(i), (enum emit_map)i->map, i->opcode, reg.host, *m);
    else
        emit_insn_r(&t->e, prefix_flags(i), (enum emit_map)i->map, i->opcode, reg.host, rm.host);
    emit_bytes(&t->e, i->bytes + i->off_imm, i->imm_len);
    if (high && high->act & ACT_W)
        high_put(t, raw);
}

void tu_reencode(struct tu *t, const struct insn *i, const struct hmem *m)
{
    if (i->off_modrm) {
        copy_modrm(t, i, m);
        return;
    }
    VMM_CHECK(!m);
    copy_plain(t, i);
    emit_bytes(&t->e, i->bytes + i->off_imm, i->imm_len);
}
