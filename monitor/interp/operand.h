/* SPDX-License-Identifier: MIT */
/*
 * operand.h - operands of the integer handlers beyond what handler.h has: destinations that are
 * read and written, addresses inside a memory operand, 16-bit selectors, and the shapes by which
 * handlers are specialised.
 */
#ifndef RING1_MONITOR_INTERP_OPERAND_H
#define RING1_MONITOR_INTERP_OPERAND_H

#include "monitor/interp/handler.h"

/* Operand kinds of (destination, source), in the order of the handler tables. */
enum insn_form { FORM_RR, FORM_RI, FORM_RM, FORM_MR, FORM_MI, FORM_COUNT };

/* The row of a handler table for a size of 1, 2 or 4 bytes: 0, 1, 2. */
static inline unsigned size_row(unsigned size)
{
    return size >> 1;
}

static inline bool operand_is_mem(const struct insn *i, unsigned n)
{
    return i->operand[n].kind == OPK_MEM;
}

/* The form of operands 0 and 1; FORM_COUNT when it is none of them. */
enum insn_form operand_form(const struct insn *i);

/* A register or memory destination that is read before it is written: write permission is checked
 * first. */
struct place {
    bool is_mem;
    uint8_t reg, size;
    struct mem_rmw rmw;
};
uint32_t place_open(struct vcpu *v, const struct insn *i, unsigned n, struct place *p);
/* Writes the destination; cannot fault. */
void place_put(struct vcpu *v, const struct place *p, uint32_t val);

/* Read and write register r in a size of 1, 2 or 4 bytes. */
uint32_t reg_get(const struct vcpu *v, unsigned r, unsigned size);
void reg_put(struct vcpu *v, unsigned r, unsigned size, uint32_t val);

/* Read and write memory in a size of 1, 2 or 4 bytes. */
static inline uint32_t mem_read(struct vcpu *v, unsigned seg, uint32_t off, unsigned size)
{
    if (size == 4)
        return mem_read32(v, seg, off);
    return size == 2 ? mem_read16(v, seg, off) : mem_read8(v, seg, off);
}
static inline void mem_write(struct vcpu *v, unsigned seg, uint32_t off, unsigned size,
                             uint32_t val)
{
    if (size == 4)
        mem_write32(v, seg, off, val);
    else if (size == 2)
        mem_write16(v, seg, off, (uint16_t)val);
    else
        mem_write8(v, seg, off, (uint8_t)val);
}

/* Offset `delta` bytes into (or, for bit strings, away from) the memory operand at `off`. */
static inline uint32_t ea_add(const struct insn *i, uint32_t off, uint32_t delta)
{
    return i->addr_size == 2 ? (off + delta) & 0xffff : off + delta;
}

/* 16-bit value of operand n, whatever the operand size says: selectors, LMSW. */
uint16_t operand_get16(struct vcpu *v, const struct insn *i, unsigned n);
/* Stores a 16-bit system value: memory gets 16 bits, a 32-bit register is zero-extended. */
void operand_put_word(struct vcpu *v, const struct insn *i, unsigned n, uint16_t val);

/* Raises #GP(0) unless CPL is 0 (in V86 mode it never is). */
static inline void require_cpl0(struct vcpu *v)
{
    if (v->cpl != 0)
        fault_gp0(v);
}

/* MOV SS and POP SS hold off interrupts and debug traps for one instruction; of several in a row
 * only the first does (SDM vol. 3A, section 6.8.3). */
static inline void sreg_ss_shadow(struct vcpu *v)
{
    if (v->shadow & SHADOW_MOVSS)
        return;
    v->shadow_next |= SHADOW_MOVSS;
    vcpu_attend(v, ATT_SHADOW);
}

/* Raises #UD in real-address and virtual-8086 mode. */
static inline void require_protected(struct vcpu *v)
{
    if (vcpu_real_mode(v) || vcpu_v86(v))
        fault_ud(v);
}

#endif
