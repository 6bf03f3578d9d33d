/* SPDX-License-Identifier: MIT */
/*
 * stack.c - emitters of PUSH, POP, PUSHA, POPA, ENTER, LEAVE.
 *
 * Promises   docs/codegen.md section 5: ESP moves by esp_delta only, after the last access that
 *            may trap or miss. When the instruction traps, no register has changed.
 * Not here   16-bit stacks; PUSHA and POPA of words; ENTER with a nesting level or with locals in a
 *            window (the page that the final ESP lies on must be writable, which a window cannot be
 *            asked without writing); PUSHF, POPF and segment registers (system.c).
 * PUSHA, POPA They go through the software TLB also where there is a window: their 32 bytes may lie
 *            on two pages, and the second must not fault when the first was stored to, or marked
 *            accessed.
 * Source     SDM vol. 2 pages of the instructions.
 */
#include "bt/translate/tu.h"

/* To be called before the first host byte of an instruction that moves ESP by up to 32 bytes. */
static void fold_begin(struct tu *t)
{
    if (t->esp_delta < -TU_ESP_MAX || t->esp_delta > TU_ESP_MAX)
        tu_flush_esp(t);
}

/* Emits the check of the slot at ESP + disp; returns its host operand. */
static struct hmem slot(struct tu *t, int32_t disp, unsigned size, unsigned what)
{
    return tu_mem_at(t, SEG_SS, ESP, disp, size, what);
}

static void store_reg(struct tu *t, struct hmem m, unsigned reg, unsigned size)
{
    if (size == 4)
        emit_mov_mr32(&t->e, m, reg);
    else
        emit_mov_mr16(&t->e, m, reg);
}

static void store_imm(struct tu *t, struct hmem m, uint32_t imm, unsigned size)
{
    if (size == 4) {
        emit_mov_mi32(&t->e, m, imm);
        return;
    }
    emit_insn_m(&t->e, EMIT_66, MAP_1, 0xc7, 0, m);
    emit16(&t->e, (uint16_t)imm);
}

/* Loads size bytes; 16 bits leave the rest of the register alone. */
static void load_reg(struct tu *t, unsigned reg, struct hmem m, unsigned size)
{
    emit_insn_m(&t->e, size == 4 ? 0 : EMIT_66, MAP_1, 0x8b, reg, m);
}

/* ---- PUSH ---- */

void t_push(struct tu *t, const struct insn *i)
{
    const struct operand *o = &i->operand[0];
    unsigned size = i->opsize, reg = R11;
    int32_t down = -(int32_t)size;

    if (!tu_stack_ok(t) || (o->kind == OPK_MEM && !tu_mem_ok(t, i))) {
        tu_callout(t);
        return;
    }
    fold_begin(t);
    if (o->kind == OPK_IMM) {
        store_imm(t, slot(t, down, size, TU_W), i->imm, size);
        t->esp_delta += down;
        return;
    }
    if (o->kind == OPK_MEM)
        load_reg(t, R11, tu_mem(t, i, size, TU_R), size);
    else if (o->reg != ESP)
        reg = o->reg;
    else if (t->esp_delta)
        emit_lea32(&t->e, R11, HMEM(R12, t->esp_delta));
    else
        reg = R12;
    store_reg(t, slot(t, down, size, TU_W), reg, size);
    t->esp_delta += down;
}

/* ---- POP ---- */

/* An address with ESP as its base is computed with the incremented ESP. */
static void pop_mem(struct tu *t, const struct insn *i)
{
    unsigned size = i->opsize;

    load_reg(t, R11, slot(t, 0, size, TU_R), size);
    t->esp_delta += (int32_t)size;
    store_reg(t, tu_mem(t, i, size, TU_W), R11, size);
}

void t_pop(struct tu *t, const struct insn *i)
{
    const struct operand *o = &i->operand[0];
    bool to_esp = o->kind == OPK_GPR && o->reg == ESP;

    if (!tu_stack_ok(t) || (o->kind == OPK_MEM && !tu_mem_ok(t, i)) || (to_esp && i->opsize != 4)) {
        tu_callout(t);
        return;
    }
    fold_begin(t);
    if (o->kind == OPK_MEM) {
        pop_mem(t, i);
        return;
    }
    load_reg(t, host_gpr(o->reg), slot(t, 0, i->opsize, TU_R), i->opsize);
    t->esp_delta = to_esp ? 0 : t->esp_delta + (int32_t)i->opsize;
}

/* ---- PUSHA, POPA ---- */

#define ALL_BYTES (4 * GPR_COUNT)

static struct hmem plus(struct hmem m, int32_t disp)
{
    m.disp += disp;
    return m;
}

void t_pusha(struct tu *t, const struct insn *i)
{
    struct hmem m;
    int32_t n;

    if (!tu_stack_ok(t) || i->opsize != 4) {
        tu_callout(t);
        return;
    }
    fold_begin(t);
    t->window = false; /* all of it can be written, or nothing is, not even A or D */
    m = slot(t, -ALL_BYTES, ALL_BYTES, TU_W);
    for (n = 0; n < GPR_COUNT; n++) {
        unsigned reg = host_gpr((unsigned)n);

        if (reg == R12 && t->esp_delta) {
            emit_lea32(&t->e, R11, HMEM(R12, t->esp_delta));
            reg = R11;
        }
        emit_mov_mr32(&t->e, plus(m, ALL_BYTES - 4 - 4 * n), reg);
    }
    t->esp_delta -= ALL_BYTES;
}

void t_popa(struct tu *t, const struct insn *i)
{
    struct hmem m;
    int32_t n;

    if (!tu_stack_ok(t) || i->opsize != 4) {
        tu_callout(t);
        return;
    }
    fold_begin(t);
    t->window = false; /* all of it can be read before the first register changes */
    m = slot(t, 0, ALL_BYTES, TU_R);
    for (n = GPR_COUNT - 1; n >= 0; n--)
        if (n != ESP)
            emit_mov_rm32(&t->e, (unsigned)n, plus(m, ALL_BYTES - 4 - 4 * n));
    t->esp_delta += ALL_BYTES;
}

/* ---- frames ---- */

void t_leave_frame(struct tu *t, const struct insn *i)
{
    if (!tu_stack_ok(t) || i->opsize != 4) {
        tu_callout(t);
        return;
    }
    emit_mov_rm32(&t->e, R11, tu_mem_at(t, SEG_SS, EBP, 0, 4, TU_R));
    emit_lea32(&t->e, R12, HMEM(RBP, 4));
    emit_mov_rr32(&t->e, RBP, R11);
    t->esp_delta = 0;
}

void t_enter(struct tu *t, const struct insn *i)
{
    int32_t locals = (int32_t)(i->imm & 0xffff);

    if (!tu_stack_ok(t) || i->opsize != 4 || (i->imm2 & 31) || (locals && t->window)) {
        tu_callout(t);
        return;
    }
    fold_begin(t);
    if (locals)
        slot(t, -4 - locals, 4, TU_W);
    emit_mov_mr32(&t->e, slot(t, -4, 4, TU_W), RBP);
    emit_lea32(&t->e, RBP, HMEM(R12, t->esp_delta - 4));
    if (t->esp_delta - 4 - locals >= -TU_ESP_MAX) {
        t->esp_delta -= 4 + locals;
        return;
    }
    emit_lea32(&t->e, R12, HMEM(RBP, -locals));
    t->esp_delta = 0;
}
