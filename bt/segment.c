/* SPDX-License-Identifier: MIT */
/*
 * segment.c - emitters of PUSH Sreg and MOV r/m, Sreg: the guest's selectors, which the host's
 * segment registers know nothing of.
 *
 * Promises   Loads of segment registers are the interpreter's: they read descriptors, which may
 *            have changed, and change the context.
 * Source     SDM vol. 2A: MOV; vol. 2B: PUSH.
 */
#include "bt/tu.h"

/* Where segment register n's selector lies, from r15. */
static struct hmem selector(unsigned n)
{
    return HMEM(R15, BT_OFF(seg[0].sel) + (int32_t)(n * sizeof(struct seg)));
}

static void movzx_rm16(struct emit *e, unsigned dst, struct hmem m)
{
    emit_insn_m(e, 0, MAP_0F, 0xb7, dst, m);
}

/* One-byte opcodes 06, 0E, 16, 1E name ES, CS, SS, DS; 0F A0 is FS, 0F A8 is GS. */
static unsigned pushed_register(const struct insn *i)
{
    if (i->map == 1)
        return i->opcode & 8 ? SEG_GS : SEG_FS;
    return i->opcode >> 3 & 3;
}

/* Writes two bytes and leaves the other two of the slot alone, as CPUs do (SDM vol. 2B, PUSH). */
void t_push_seg(struct tu *t, const struct insn *i)
{
    bool stack = t->ctx & CTX_STACK32 && ctx_seg(t->ctx, SEG_SS) != CTX_SEG_OTHER;

    if (i->opsize != 4 || !stack) {
        tu_callout(t);
        return;
    }
    movzx_rm16(&t->e, R13, selector(pushed_register(i)));
    emit_mov_mr16(&t->e, tu_mem_at(t, SEG_SS, ESP, -4, 2, TU_W), R13);
    t->esp_delta -= 4;
}

/* Memory gets 16 bits whatever the operand size; a 32-bit register is zero-extended. */
static void store_selector(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;
    const struct operand *o = &i->operand[0];
    struct hmem from = selector(i->operand[1].reg);

    if (o->kind == OPK_MEM) {
        movzx_rm16(e, R13, from);
        emit_mov_mr16(e, tu_mem(t, i, 2, TU_W), R13);
        return;
    }
    if (o->reg == ESP)
        tu_flush_esp(t);
    if (o->size == 2)
        emit_insn_m(e, EMIT_66, MAP_1, 0x8b, host_gpr(o->reg), from); /* mov */
    else
        movzx_rm16(e, host_gpr(o->reg), from);
}

void t_mov_seg(struct tu *t, const struct insn *i)
{
    bool stores = i->operand[1].kind == OPK_SEG;

    if (stores && (i->operand[0].kind == OPK_GPR || tu_mem_ok(t, i)))
        store_selector(t, i);
    else
        tu_callout(t);
}
