/* SPDX-License-Identifier: MIT */
/*
 * seg_insn.c - MOV of segment registers, LDS LES LFS LGS LSS, LAR LSL VERR VERW ARPL.
 *
 * Promises   A general register is written only after the segment was loaded.
 * Source     SDM vol. 2 pages of the instructions; vol. 3A, sections 5.10 and 6.8.3.
 * Not here   The checks of a segment load (monitor/arch/segment.h).
 */
#include "monitor/arch/segment.h"
#include "monitor/interp/operand.h"

void i_mov_seg(struct vcpu *v, const struct insn *i)
{
    unsigned seg;

    if (i->operand[1].kind == OPK_SEG) {
        operand_put_word(v, i, 0, v->seg[i->operand[1].reg].sel);
        return;
    }
    seg = i->operand[0].reg;
    if (seg == SEG_CS)
        fault_ud(v);
    seg_load(v, seg, operand_get16(v, i, 1));
    if (seg == SEG_SS)
        sreg_ss_shadow(v);
}

void i_load_far_ptr(struct vcpu *v, const struct insn *i)
{
    uint32_t off = ea(v, i), val;
    uint16_t sel;
    unsigned seg;

    switch (i->op) {
    case OP_lds:
        seg = SEG_DS;
        break;
    case OP_les:
        seg = SEG_ES;
        break;
    case OP_lfs:
        seg = SEG_FS;
        break;
    case OP_lgs:
        seg = SEG_GS;
        break;
    default:
        seg = SEG_SS;
        break;
    }
    val = mem_read(v, i->seg, off, i->opsize);
    sel = mem_read16(v, i->seg, ea_add(i, off, i->opsize));
    seg_load(v, seg, sel);
    reg_put(v, i->operand[0].reg, i->opsize, val);
}

static void set_zf(struct vcpu *v, bool on)
{
    v->eflags = (v->eflags & ~EFL_ZF) | (on ? EFL_ZF : 0);
}

void i_lar(struct vcpu *v, const struct insn *i)
{
    uint32_t rights;
    bool ok;

    require_protected(v);
    ok = seg_lar(v, operand_get16(v, i, 1), &rights);
    if (ok)
        reg_put(v, i->operand[0].reg, i->opsize, rights);
    set_zf(v, ok);
}

void i_lsl(struct vcpu *v, const struct insn *i)
{
    uint32_t limit;
    bool ok;

    require_protected(v);
    ok = seg_lsl(v, operand_get16(v, i, 1), &limit);
    if (ok)
        reg_put(v, i->operand[0].reg, i->opsize, limit);
    set_zf(v, ok);
}

void i_verr(struct vcpu *v, const struct insn *i)
{
    require_protected(v);
    set_zf(v, seg_ver(v, operand_get16(v, i, 0), false));
}

void i_verw(struct vcpu *v, const struct insn *i)
{
    require_protected(v);
    set_zf(v, seg_ver(v, operand_get16(v, i, 0), true));
}

/* No locked cycle: the operand is only read when its RPL stays, and a fault says so. */
void i_arpl(struct vcpu *v, const struct insn *i)
{
    uint32_t dst, rpl;

    require_protected(v);
    dst = operand_get(v, i, 0);
    rpl = v->gpr[i->operand[1].reg] & 3;
    if ((dst & 3) < rpl)
        operand_put(v, i, 0, (dst & ~3u) | rpl);
    set_zf(v, (dst & 3) < rpl);
}
