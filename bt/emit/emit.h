/* SPDX-License-Identifier: MIT */
/*
 * emit.h - writes x86-64 instructions into the code arena, byte by byte.
 *
 * Promises   Nothing is written beyond `end` (VMM_CHECK). Positions are byte offsets in the arena
 *            and mean the same in its writable and its executable view.
 * Names      emit_<mnemonic>_<operands>: r register, m memory, i immediate; 32/64 the operand size.
 *            None of them changes more than its mnemonic does: what keeps the flags alive is the
 *            caller's choice of mnemonic (lea, mov, shrx, jrcxz do).
 * Source     SDM vol. 2A, chapter 2 (encoding).
 */
#ifndef RING1_BT_EMIT_EMIT_H
#define RING1_BT_EMIT_EMIT_H

#include "include/ring1/types.h"

/* Host registers as encoded; 4 is rsp. */
enum host_reg {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP,
    RBP,
    RSI,
    RDI,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    HOST_NO_REG = 0xff,
};

/* Host memory operand: [base + index << scale + disp]; base or index is present. With `gs` it is
 * gs:[...], the sum taken modulo 4 GiB (address-size prefix), and neither need be. */
struct hmem {
    uint8_t base, index, scale;
    bool gs;
    int32_t disp;
};
#define HMEM(b, d)             ((struct hmem){.base = (b), .index = HOST_NO_REG, .disp = (d)})
#define HMEM_INDEX(b, i, s, d) ((struct hmem){.base = (b), .index = (i), .scale = (s), .disp = (d)})
#define HMEM_SCALED(i, s, d)   HMEM_INDEX(HOST_NO_REG, i, s, d)
#define HMEM_GS(b, i, s, d)                                                                        \
    ((struct hmem){.base = (b), .index = (i), .scale = (s), .gs = true, .disp = (d)})

/* Opcode maps of emit_insn_*(): what follows the prefixes. */
enum emit_map { MAP_1, MAP_0F, MAP_0F38, MAP_0F3A };

#define EMIT_W    1u /* REX.W */
#define EMIT_66   2u /* operand-size prefix */
#define EMIT_F2   4u
#define EMIT_F3   8u
#define EMIT_LOCK 16u
#define EMIT_BYTE 32u /* reg (and rm) are byte registers: SPL..DIL need REX; never AH..BH */

struct emit {
    uint8_t *rw;      /* the arena's writable view */
    uint32_t at, end; /* next byte, first byte not to be written */
};

void emit8(struct emit *e, uint8_t b);
void emit16(struct emit *e, uint16_t w);
void emit32(struct emit *e, uint32_t d);
void emit64(struct emit *e, uint64_t q);
void emit_bytes(struct emit *e, const uint8_t *bytes, unsigned len);

/* prefixes, REX as needed, opcode, ModRM (SIB, displacement). `reg` is the ModRM.reg operand or
 * opcode extension (0-15); imm_len bytes will follow (nothing depends on it). */
void emit_insn_m(struct emit *e, unsigned flags, enum emit_map map, uint8_t opcode, unsigned reg,
                 struct hmem m);
void emit_insn_r(struct emit *e, unsigned flags, enum emit_map map, uint8_t opcode, unsigned reg,
                 unsigned rm);
/* The same without ModRM: implied operands only; or a register in the opcode's low three bits. */
void emit_insn(struct emit *e, unsigned flags, enum emit_map map, uint8_t opcode);
void emit_insn_o(struct emit *e, unsigned flags, enum emit_map map, uint8_t opcode, unsigned reg);
/* VEX-encoded three-operand BMI2 form on 32-bit registers: shrx dst, src, count. */
void emit_shrx_rrr32(struct emit *e, unsigned dst, unsigned src, unsigned count);
void emit_shrx_rrr64(struct emit *e, unsigned dst, unsigned src, unsigned count);
void emit_shlx_rrr64(struct emit *e, unsigned dst, unsigned src, unsigned count);
void emit_shlx_rrr32(struct emit *e, unsigned dst, unsigned src, unsigned count);
void emit_sarx_rrr32(struct emit *e, unsigned dst, unsigned src, unsigned count);
void emit_pext_rrr32(struct emit *e, unsigned dst, unsigned src, unsigned mask);
void emit_rorx_rri32(struct emit *e, unsigned dst, unsigned src, uint8_t count);

void emit_mov_rr32(struct emit *e, unsigned dst, unsigned src);
void emit_mov_rr64(struct emit *e, unsigned dst, unsigned src);
void emit_mov_ri32(struct emit *e, unsigned dst, uint32_t imm); /* zero-extends; keeps the flags */
void emit_mov_ri64(struct emit *e, unsigned dst, uint64_t imm); /* shortest form */
void emit_mov_rm32(struct emit *e, unsigned dst, struct hmem m);
void emit_mov_rm64(struct emit *e, unsigned dst, struct hmem m);
void emit_mov_mr32(struct emit *e, struct hmem m, unsigned src);
void emit_mov_mr64(struct emit *e, struct hmem m, unsigned src);
void emit_mov_mr8(struct emit *e, struct hmem m, unsigned src); /* never AH..BH */
void emit_mov_mr16(struct emit *e, struct hmem m, unsigned src);
void emit_mov_mi32(struct emit *e, struct hmem m, uint32_t imm);
void emit_mov_mi8(struct emit *e, struct hmem m, uint8_t imm);
void emit_lea32(struct emit *e, unsigned dst, struct hmem m); /* truncates to 32 bits */
void emit_lea64(struct emit *e, unsigned dst, struct hmem m);
void emit_wrgsbase_r(struct emit *e, unsigned src);
void emit_movzx_rr16(struct emit *e, unsigned dst, unsigned src);
void emit_movzx_rr8(struct emit *e, unsigned dst, unsigned src);
void emit_movzx_rm8(struct emit *e, unsigned dst, struct hmem m);

/* The eight operations of opcodes 00-3F and 80-83, by number. */
enum emit_alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
void emit_alu_rr32(struct emit *e, enum emit_alu op, unsigned dst, unsigned src);
void emit_alu_ri32(struct emit *e, enum emit_alu op, unsigned reg, uint32_t imm);
void emit_alu_mr32(struct emit *e, enum emit_alu op, struct hmem m, unsigned src);
void emit_alu_mi32(struct emit *e, enum emit_alu op, struct hmem m, uint32_t imm);
void emit_test_ri32(struct emit *e, unsigned reg, uint32_t imm);
void emit_shl_ri32(struct emit *e, unsigned reg, uint8_t count);
void emit_shr_ri32(struct emit *e, unsigned reg, uint8_t count);

void emit_push_r64(struct emit *e, unsigned reg);
void emit_pop_r64(struct emit *e, unsigned reg);
void emit_pop_m64(struct emit *e, struct hmem m);
void emit_pushfq(struct emit *e);
void emit_popfq(struct emit *e);
void emit_cld(struct emit *e);
void emit_fwait(struct emit *e);
/* The arithmetic flags as LAHF and SETO AL would give them, in AX; and back again, which takes OF
 * from bit 0 of any register: it adds 7Fh, which overflows when the bit is set. */
void emit_flags_to_ax(struct emit *e);
void emit_flags_from_ah(struct emit *e, unsigned of);

/* Transfers to a position in the arena, always with a 32-bit displacement (so that it can be
 * patched).
 * Return the position of the displacement. */
uint32_t emit_jmp(struct emit *e, uint32_t target);
uint32_t emit_jcc(struct emit *e, unsigned cc, uint32_t target);
uint32_t emit_call(struct emit *e, uint32_t target);
void emit_call_r(struct emit *e, unsigned reg);
void emit_jmp_r(struct emit *e, unsigned reg);
void emit_ret(struct emit *e);
/* Short forms to a later position: returns the position of the displacement byte for
 * emit_here8(). */
uint32_t emit_jrcxz8(struct emit *e); /* jecxz is 67 e3; this is e3: tests all of rcx */
uint32_t emit_jcc8(struct emit *e, unsigned cc);
uint32_t emit_jmp8(struct emit *e);
/* Makes the displacement at `site` lead to the current position. */
void emit_here8(struct emit *e, uint32_t site);
void emit_here32(struct emit *e, uint32_t site);
/* Makes the 32-bit displacement at `site` lead to `target`. One aligned or unaligned 4-byte
 * store. */
void emit_patch32(uint8_t *rw, uint32_t site, uint32_t target);

#endif
