/* SPDX-License-Identifier: MIT */
/*
 * integer.c - emitters of the general-purpose instructions.
 *
 * Promises   Upper halves of the host's registers stay zero: 32-bit operations clear them, 8- and
 *            16-bit ones keep them.
 * How        Nearly all are copied (reencode.c), with another address. Those that name ESP flush
 *            its folded delta first, except the moves that translators of stack frames must be
 *            good at: they take the delta into their own LEA, or drop it because they replace ESP.
 * Not here   Declined, so that the interpreter runs them: BSWAP r16 (undefined); bit tests of a
 *            memory bit string under the software TLB without BMI2; CLFLUSH, BOUND and BCD
 *            arithmetic.
 * Source     SDM vol. 2 pages of the instructions.
 */
#include "bt/translate/tu.h"

/* ---- what the emitters ask about operands ---- */

static bool is_gpr(const struct insn *i, unsigned n, unsigned reg)
{
    return n < i->nops && i->operand[n].kind == OPK_GPR && i->operand[n].size != 1 &&
           i->operand[n].reg == reg;
}

static bool names_esp(const struct insn *i)
{
    return is_gpr(i, 0, ESP) || is_gpr(i, 1, ESP) || is_gpr(i, 2, ESP);
}

static unsigned access_of(const struct operand *o)
{
    return (o->act & ACT_R ? TU_R : 0) | (o->act & ACT_W ? TU_W : 0);
}

/* ---- the common case ---- */

void t_reencode(struct tu *t, const struct insn *i)
{
    const struct operand *o = insn_memory(i);
    struct insn alias;

    if (o && (!o->size || !tu_mem_ok(t, i))) {
        tu_callout(t);
        return;
    }
    if (names_esp(i))
        tu_flush_esp(t);
    if (i->map == 0 && i->opcode == 0x82) { /* 80 again, which 64-bit mode lacks */
        alias = *i;
        alias.opcode = 0x80;
        i = &alias;
    }
    if (o) {
        struct hmem m = tu_mem(t, i, o->size, access_of(o));
        tu_reencode(t, i, &m);
    } else {
        tu_reencode(t, i, NULL);
    }
}

/* CPUID promises it to the guest on every host. */
void t_movbe(struct tu *t, const struct insn *i)
{
    if (t->v->vm->host->host_feat_1_ecx & HOST_1_ECX_MOVBE)
        t_reencode(t, i);
    else
        tu_callout(t);
}

/* A hint or a NOP; what it names is not accessed. */
void t_nothing(struct tu *t, const struct insn *i)
{
    (void)t;
    (void)i;
}

/* ---- encodings that 64-bit mode lacks ---- */

void t_incdec(struct tu *t, const struct insn *i)
{
    if (i->off_modrm) {
        t_reencode(t, i);
        return;
    }
    if (names_esp(i))
        tu_flush_esp(t);
    emit_insn_r(&t->e, i->opsize == 2 ? EMIT_66 : 0, MAP_1, 0xff, i->op == OP_dec,
                host_gpr(i->opcode & 7));
}

/* AL = CF ? FF : 0; no flags change. */
void t_salc(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;

    (void)i;
    emit_mov_ri32(e, R10, 0xff);
    emit_mov_ri32(e, R11, 0);
    emit_insn_r(e, 0, MAP_0F, 0x42, R11, R10); /* cmovc */
    emit_insn_r(e, EMIT_BYTE, MAP_1, 0x88, R11, RAX);
}

/* ---- MOV ---- */

/* A0-A3: the accumulator and an absolute address; ordinary loads and stores here. */
static void mov_moffs(struct tu *t, const struct insn *i)
{
    static const uint8_t opcode[4] = {0x8a, 0x8b, 0x88, 0x89};
    bool store = i->opcode & 2;
    struct hmem m = tu_mem(t, i, i->opsize, store ? TU_W : TU_R);

    emit_insn_m(&t->e, i->opsize == 2 ? EMIT_66 : 0, MAP_1, opcode[i->opcode & 3], RAX, m);
}

/* MOV ESP, x: what was folded no longer matters. */
static void mov_to_esp(struct tu *t, const struct insn *i)
{
    switch (i->operand[1].kind) {
    case OPK_MEM:
        emit_mov_rm32(&t->e, R12, tu_mem(t, i, 4, TU_R));
        break;
    case OPK_IMM:
        emit_mov_ri32(&t->e, R12, i->imm);
        break;
    default:
        if (i->operand[1].reg == ESP)
            return;
        emit_mov_rr32(&t->e, R12, i->operand[1].reg);
    }
    t->esp_delta = 0;
}

/* Emits MOV x, ESP. */
static void mov_from_esp(struct tu *t, const struct insn *i)
{
    if (i->operand[0].kind == OPK_GPR) {
        if (t->esp_delta)
            emit_lea32(&t->e, i->operand[0].reg, HMEM(R12, t->esp_delta));
        else
            emit_mov_rr32(&t->e, i->operand[0].reg, R12);
        return;
    }
    struct hmem m = tu_mem(t, i, 4, TU_W);
    if (!t->esp_delta) {
        emit_mov_mr32(&t->e, m, R12);
        return;
    }
    emit_lea32(&t->e, R11, HMEM(R12, t->esp_delta));
    emit_mov_mr32(&t->e, m, R11);
}

void t_mov(struct tu *t, const struct insn *i)
{
    if (insn_memory(i) && !tu_mem_ok(t, i))
        tu_callout(t);
    else if (i->map == 0 && i->opcode >= 0xa0 && i->opcode <= 0xa3)
        mov_moffs(t, i);
    else if (i->opsize == 4 && is_gpr(i, 0, ESP))
        mov_to_esp(t, i);
    else if (i->opsize == 4 && is_gpr(i, 1, ESP))
        mov_from_esp(t, i);
    else
        t_reencode(t, i);
}

/* ---- LEA ---- */

void t_lea(struct tu *t, const struct insn *i)
{
    unsigned reg = i->operand[0].reg;
    int64_t delta = (int64_t)t->esp_delta + i->disp;

    if (i->opsize == 4 && i->addr_size == 4 && i->base == reg && i->index == INSN_NO_REG &&
        !i->disp)
        return; /* what assemblers fill up with before loops */
    if (i->opsize == 2) {
        if (reg == ESP)
            tu_flush_esp(t);
        tu_ea(t, i, R11);
        emit_insn_r(&t->e, EMIT_66, MAP_1, 0x89, R11, host_gpr(reg));
        return;
    }
    if (reg != ESP) {
        tu_ea(t, i, reg);
        return;
    }
    if (i->base == ESP && i->index == INSN_NO_REG && i->addr_size == 4 && delta >= -TU_ESP_MAX &&
        delta <= TU_ESP_MAX) {
        t->esp_delta = (int32_t)delta;
        return;
    }
    tu_ea(t, i, R12);
    t->esp_delta = 0;
}

/* ---- others with a form of their own ---- */

void t_bswap(struct tu *t, const struct insn *i)
{
    if (i->opsize == 4)
        t_reencode(t, i);
    else
        tu_callout(t);
}

/* AL = [seg: EBX + AL] */
void t_xlat(struct tu *t, const struct insn *i)
{
    if (!tu_mem_ok(t, i)) {
        tu_callout(t);
        return;
    }
    emit_movzx_rr8(&t->e, R8, RAX);
    emit_lea32(&t->e, R8, HMEM_INDEX(RBX, R8, 0, 0));
    if (i->addr_size == 2)
        emit_movzx_rr16(&t->e, R8, R8);
    emit_insn_m(&t->e, 0, MAP_1, 0x8a, RAX, tu_mem_r8(t, i->seg, 1, TU_R));
}

/* ---- bit tests ---- */

/* The bit is named by a register and may lie up to 2 GiB bits from the operand's address: the dword
 * that holds it is checked, and accessed with the offset's low five bits. */
static void bit_string_tlb(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;
    const struct operand *o = &i->operand[0];
    unsigned off = host_gpr(i->operand[1].reg);

    if (off == R12)
        tu_flush_esp(t);
    emit_mov_ri32(e, R9, 5);
    emit_sarx_rrr32(e, R9, off, R9);
    tu_ea(t, i, R8);
    emit_lea32(e, R8, HMEM_INDEX(R8, R9, 2, 0));
    struct hmem m = tu_mem_r8(t, i->seg, o->size, access_of(o));
    emit_mov_ri32(e, R10, 32 - 5);
    emit_shlx_rrr32(e, R11, off, R10);
    emit_shrx_rrr32(e, R11, R11, R10);
    emit_insn_m(e, i->prefixes & PFX_LOCK ? EMIT_LOCK : 0, MAP_0F, i->opcode, R11, m);
}

void t_bit(struct tu *t, const struct insn *i)
{
    bool string = i->operand[0].kind == OPK_MEM && i->operand[1].kind == OPK_GPR;

    /* In a window the host finds the dword by itself, up to 256 MiB away: the guards are larger.
     * With a base the dword may straddle the segment's end without leaving the window. */
    if (!string || (t->window && i->addr_size == 4 && ctx_seg(t->ctx, i->seg) == CTX_SEG_FLAT))
        t_reencode(t, i);
    else if (i->addr_size == 4 && i->opsize == 4 && tu_bmi2(t) && tu_mem_ok(t, i))
        bit_string_tlb(t, i);
    else
        tu_callout(t);
}
