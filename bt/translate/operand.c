/* SPDX-License-Identifier: MIT */
/*
 * operand.c - address arithmetic and checks for memory operands: the two memory forms.
 *
 * Promises   docs/codegen.md section 4. No host instruction here changes flags or guest registers
 *            that it does not restore; r11 is not used. What may miss goes to a cold path
 *            that runs the whole guest instruction.
 * How        Software TLB: r8d = linear address, r9 = entry, then its addend. Where the host has no
 *            SHRX, a shift by a page is two LEAs (left by 4) and a store to vcpu.bt.shift that is
 *            loaded again two bytes further on (right by 16): slower, but the flags never leave
 *            RFLAGS. Window: an address that may well lie beyond 4 GiB before it wraps around (a
 *            large displacement, an index) is left to gs:[...] with 32-bit addresses, or else
 *            computed in r8d, so that it does not trap.
 *            A segment's limit is compared by an addition whose upper half says who was greater.
 * Not here   Segment types: where the context says CTX_SEG_OTHER, the interpreter's handler runs.
 * Source     SDM vol. 1, section 3.7.5 (effective address); vol. 3A, section 5.3 (limit checks).
 */
#include "bt/translate/tu.h"

/* Displacements up to this are taken for offsets into a structure, greater ones for the address of
 * an array whose index may be negative. */
#define WINDOW_DISP_MAX (1 << 20)

bool tu_bmi2(const struct tu *t)
{
    return bt_bmi2(t->v, t->bt);
}

/* ---- effective addresses ---- */

static int32_t disp_add(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* What must be added to host_gpr(gpr) for the guest's value. */
static int32_t folded(const struct tu *t, unsigned gpr)
{
    return gpr == ESP ? t->esp_delta : 0;
}

/* Emits: reg = guest register + disp, 32 bits. */
static void lea_base(struct tu *t, unsigned reg, unsigned gpr, int32_t disp)
{
    disp = disp_add(disp, folded(t, gpr));
    if (disp)
        emit_lea32(&t->e, reg, HMEM(host_gpr(gpr), disp));
    else
        emit_mov_rr32(&t->e, reg, host_gpr(gpr));
}

void tu_ea(struct tu *t, const struct insn *i, unsigned reg)
{
    struct emit *e = &t->e;

    if (i->base == INSN_NO_REG && i->index == INSN_NO_REG) {
        emit_mov_ri32(e, reg, i->addr_size == 2 ? (uint16_t)i->disp : (uint32_t)i->disp);
        return;
    }
    if (i->index == INSN_NO_REG)
        lea_base(t, reg, i->base, i->disp);
    else if (i->base != INSN_NO_REG)
        emit_lea32(e, reg,
                   HMEM_INDEX(host_gpr(i->base), i->index, i->scale,
                              disp_add(i->disp, folded(t, i->base))));
    else if (i->scale == 0)
        emit_lea32(e, reg, HMEM(i->index, i->disp));
    else if (i->scale == 1)
        emit_lea32(e, reg, HMEM_INDEX(i->index, i->index, 0, i->disp));
    else
        emit_lea32(e, reg, HMEM_SCALED(i->index, i->scale, i->disp));
    if (i->addr_size == 2)
        emit_movzx_rr16(e, reg, reg);
}

/* ---- the software TLB ---- */

/* Emits: dst = index of the TLB entry for r8d. */
static void tlb_index_get(struct tu *t, unsigned dst)
{
    struct emit *e = &t->e;

    if (tu_bmi2(t)) {
        emit_shrx_rrr32(e, dst, R8, R15);
        emit_movzx_rr16(e, dst, dst);
        return;
    }
    emit_lea64(e, dst, HMEM_SCALED(R8, 3, 0));
    emit_lea64(e, dst, HMEM_INDEX(dst, dst, 0, 0));
    emit_mov_mr32(e, VCPU(bt.shift), dst);
    emit_insn_m(e, 0, MAP_0F, 0xb7, dst, HMEM(R15, BT_OFF(bt.shift) + 2)); /* movzx */
}

/* Emits: ecx >>= 12. */
static void page_of_ecx(struct tu *t)
{
    struct emit *e = &t->e;

    if (tu_bmi2(t)) {
        emit_shrx_rrr32(e, RCX, RCX, R15);
        return;
    }
    emit_lea64(e, RCX, HMEM_SCALED(RCX, 3, 0));
    emit_lea64(e, RCX, HMEM_INDEX(RCX, RCX, 0, 0));
    emit_mov_mr64(e, VCPU(bt.shift), RCX);
    emit_mov_rm32(e, RCX, HMEM(R15, BT_OFF(bt.shift) + 2));
}

/* AC is the only bit of its byte that is set while a kernel copies from or to its user. */
#define AC_BYTE (EFL_AC >> 16)
_Static_assert(AC_BYTE == 4, "EFLAGS bit 18");

int32_t tu_tlb_set(struct tu *t, unsigned which)
{
    struct emit *e = &t->e;
    int32_t user = (int32_t)sizeof(struct tlb_entry) * (int32_t)TLB_ENTRIES;

    if (ctx_user(t->ctx))
        return user;
    if (!(t->user_operands & which))
        return 0;
    emit_mov_rr64(e, R10, RCX);
    emit_insn_m(e, 0, MAP_0F, 0xb6, RCX, HMEM(R15, BT_OFF(eflags) + 2)); /* movzx */
    emit_lea32(e, RCX, HMEM(RCX, -(int32_t)AC_BYTE));
    uint32_t lifted = emit_jrcxz8(e);
    tu_cold_jump(t, true);
    emit_here8(e, lifted);
    emit_mov_rr64(e, RCX, R10);
    return user;
}

/* The linear address is in r8d. */
static struct hmem tlb_operand(struct tu *t, unsigned size, unsigned what, unsigned which)
{
    struct emit *e = &t->e;
    int32_t set = tu_tlb_set(t, which);
    int32_t tag = what & TU_W ? BT_OFF(tlb.entry[0][0].tag_w) : BT_OFF(tlb.entry[0][0].tag_r);

    tlb_index_get(t, R9);
    emit_lea32(e, R9, HMEM_SCALED(R9, 2, 0));
    emit_mov_rr64(e, R10, RCX);
    emit_mov_rm32(e, RCX, HMEM_INDEX(R15, R9, 3, tag + set));
    emit_lea32(e, RCX, HMEM_INDEX(RCX, R8, 0, (int32_t)size - 1));
    page_of_ecx(t);
    uint32_t hit = emit_jrcxz8(e);
    tu_cold_jump(t, true);
    emit_here8(e, hit);
    emit_mov_rr64(e, RCX, R10);
    emit_mov_rm64(e, R9, HMEM_INDEX(R15, R9, 3, BT_OFF(tlb.entry[0][0].addend) + set));
    if (what & TU_W && size <= TU_WRITE_MAX && tu_bmi2(t)) {
        t->cold[t->cold_count - 1].write = (uint8_t)size;
        t->cold[t->cold_count - 1].hit = e->at;
    }
    return HMEM_INDEX(R9, R8, 0, 0);
}

/* ---- both forms ---- */

bool tu_mem_ok(const struct tu *t, const struct insn *i)
{
    unsigned n;

    if (ctx_seg(t->ctx, i->seg) == CTX_SEG_OTHER)
        return false;
    if (i->seg != SEG_CS)
        return true;
    for (n = 0; n < i->nops; n++) /* code segments cannot be written through */
        if (i->operand[n].kind == OPK_MEM && i->operand[n].act & ACT_W)
            return false;
    return true;
}

/* The offset is in r8d: an access that goes beyond offset 4 GiB - 1 is #GP, wherever the base puts
 * it. Without a base the TLB and the window's guard see to that. */
static void straddle_check(struct tu *t, unsigned size)
{
    struct emit *e = &t->e;

    emit_mov_rr64(e, R10, RCX);
    emit_lea64(e, RCX, HMEM(R8, (int32_t)size - 1));
    emit_mov_mr64(e, VCPU(bt.shift), RCX);
    emit_mov_rm32(e, RCX, HMEM(R15, BT_OFF(bt.shift) + 4));
    uint32_t inside = emit_jrcxz8(e);
    tu_cold_jump(t, true);
    emit_here8(e, inside);
    emit_mov_rr64(e, RCX, R10);
}

#define SEG_FIELD(seg, field)                                                                      \
    HMEM(R15, BT_OFF(seg[0].field) + (int32_t)sizeof(struct seg) * (int32_t)(seg))

/* FS and GS may hold anything (bt/cache/context.h). */
static void limit_check(struct tu *t, unsigned seg)
{
    struct emit *e = &t->e;

    emit_mov_rr64(e, R10, RCX);
    emit_insn_m(e, 0, MAP_0F, 0xb6, RCX, SEG_FIELD(seg, limited));
    uint32_t plain = emit_jrcxz8(e);
    tu_cold_jump(t, true);
    emit_here8(e, plain);
    emit_mov_rr64(e, RCX, R10);
}

/* The offset is in r8d: goes to the cold path unless it is below seg.room, where 8 bytes lie within
 * the limit. Of larger operands the last byte is looked at as well. */
static void room_check(struct tu *t, unsigned seg, unsigned size)
{
    struct emit *e = &t->e;

    emit_mov_rr64(e, R10, RCX);
    emit_lea64(e, RCX, HMEM(R8, size > 8 ? (int32_t)size : 0));
    emit_insn_r(e, EMIT_W, MAP_1, 0xf7, 2, RCX); /* not: minus one, minus the offset */
    emit_mov_rm32(e, R9, SEG_FIELD(seg, room));
    emit_lea64(e, RCX, HMEM_INDEX(RCX, R9, 0, 0));
    emit_mov_mr64(e, VCPU(bt.shift), RCX);
    emit_mov_rm32(e, RCX, HMEM(R15, BT_OFF(bt.shift) + 4));
    uint32_t inside = emit_jrcxz8(e);
    tu_cold_jump(t, true);
    emit_here8(e, inside);
    emit_mov_rr64(e, RCX, R10);
}

static struct hmem operand_at_r8(struct tu *t, unsigned seg, unsigned size, unsigned what,
                                 bool may_straddle)
{
    VMM_CHECK(size >= 1 && size <= 512);
    if (seg >= SEG_FS)
        limit_check(t, seg);
    if (ctx_seg(t->ctx, seg) == CTX_SEG_LIMITED)
        room_check(t, seg, size);
    else if (may_straddle && ctx_seg(t->ctx, seg) == CTX_SEG_BASED)
        straddle_check(t, size);
    if (ctx_seg(t->ctx, seg) != CTX_SEG_FLAT) {
        emit_mov_rm32(&t->e, R9, SEG_FIELD(seg, base));
        emit_lea32(&t->e, R8, HMEM_INDEX(R8, R9, 0, 0));
    }
    if (t->window)
        return HMEM_INDEX(R14, R8, 0, 0);
    return tlb_operand(t, size, what, t->string_operand ? t->string_operand : ADAPT_USER_ANY);
}

struct hmem tu_mem_r8(struct tu *t, unsigned seg, unsigned size, unsigned what)
{
    return operand_at_r8(t, seg, size, what, size > 1);
}

/* Is the sum's latency likely to count? A segment's base costs two cycles, a LEA without scaling
 * one (but an instruction more): tables looked up by a value that was loaded, one after another. */
static bool feeds_register(const struct insn *i)
{
    bool plain = i->base != INSN_NO_REG || i->index != INSN_NO_REG;

    if (!plain || (i->index != INSN_NO_REG && i->scale))
        return false;
    for (unsigned n = 0; n < i->nops; n++)
        if (i->operand[n].kind == OPK_GPR && i->operand[n].act & ACT_W)
            return true;
    return false;
}

/* Shall gs:[...] reach the operand? The host then takes the sum modulo 4 GiB, as the guest's CPU
 * does. */
static bool gs_direct(const struct tu *t, const struct insn *i, unsigned what)
{
    return t->window && t->gs && i->addr_size == 4 && !(what & TU_PARTS) &&
           ctx_seg(t->ctx, i->seg) == CTX_SEG_FLAT && !(what & TU_R && feeds_register(i));
}

static struct hmem gs_operand(const struct tu *t, const struct insn *i)
{
    if (i->base != INSN_NO_REG)
        return HMEM_GS(host_gpr(i->base), i->index, i->scale,
                       disp_add(i->disp, folded(t, i->base)));
    if (i->index != INSN_NO_REG && i->scale == 0) /* shorter so */
        return HMEM_GS(i->index, HOST_NO_REG, 0, i->disp);
    return HMEM_GS(HOST_NO_REG, i->index, i->scale, i->disp);
}
_Static_assert(INSN_NO_REG == HOST_NO_REG, "no index");

/* Can [r14 + ...] reach the operand without r8d? */
static bool window_direct(const struct tu *t, unsigned seg, int32_t disp)
{
    return t->window && ctx_seg(t->ctx, seg) == CTX_SEG_FLAT && disp >= -WINDOW_DISP_MAX &&
           disp <= WINDOW_DISP_MAX;
}

struct hmem tu_mem_at(struct tu *t, unsigned seg, unsigned gpr, int32_t disp, unsigned size,
                      unsigned what)
{
    if (window_direct(t, seg, disp))
        return HMEM_INDEX(R14, host_gpr(gpr), 0, disp + folded(t, gpr));
    lea_base(t, R8, gpr, disp);
    return tu_mem_r8(t, seg, size, what);
}

struct hmem tu_mem(struct tu *t, const struct insn *i, unsigned size, unsigned what)
{
    bool gs = gs_direct(t, i, what);

    if (i->addr_size == 4 && i->index == INSN_NO_REG) {
        if (i->base != INSN_NO_REG && (!gs || window_direct(t, i->seg, i->disp)))
            return tu_mem_at(t, i->seg, i->base, i->disp, size, what);
        /* All its bytes within reach of a displacement: callers step through the operand. */
        if (i->base == INSN_NO_REG && t->window && ctx_seg(t->ctx, i->seg) == CTX_SEG_FLAT &&
            i->disp >= 0 && i->disp <= INT32_MAX - (int32_t)size)
            return HMEM(R14, i->disp);
    }
    if (gs)
        return gs_operand(t, i);
    bool constant = i->base == INSN_NO_REG && i->index == INSN_NO_REG;
    tu_ea(t, i, R8);
    return operand_at_r8(t, i->seg, size, what,
                         size > 1 && !(constant && (uint32_t)i->disp <= UINT32_MAX - (size - 1)));
}
