/* SPDX-License-Identifier: MIT */
/*
 * emit.h - writes x86-64 instructions into the code arena, byte by byte.
 *
 * Promises   Each function appends at e->at and advances it; nothing is written at or after e->end
 *            (VMM_CHECK: the caller makes sure of the room). Positions are byte offsets in the
 *            arena and mean the same in its writable and its executable view.
 * Names      emit_<mnemonic>_<operands>: r register, m memory, i immediate; 8 to 64 is the operand
 *            size. Destinations come first, as in Intel syntax. Each function emits that one
 *            instruction and nothing else, so a caller that must keep the host's flags picks a
 *            mnemonic that keeps them (lea, mov, shrx, jrcxz).
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

/* Host memory operand: [base + (index << scale) + disp]; base or index is present. With `gs` it is
 * gs:[...], the sum is taken modulo 4 GiB (address-size prefix), and both may be absent. */
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
    uint32_t at, end; /* offsets in rw: the next byte, the first that must not be written */
};

void emit8(struct emit *e, uint8_t b);
void emit16(struct emit *e, uint16_t w);
void emit32(struct emit *e, uint32_t d);
void emit64(struct emit *e, uint64_t q);
void emit_bytes(struct emit *e, const uint8_t *bytes, unsigned len);

/* Prefixes, REX as needed, opcode, ModRM (SIB, displacement). `flags` are EMIT_*; `reg` is the
 * ModRM.reg operand (0-15) or the opcode's extension (0-7). The caller appends the immediate. */
void emit_insn_m(struct emit *e, unsigned flags, enum emit_map map, uint8_t opcode, unsigned reg,
                 struct hmem m);
void emit_insn_r(struct emit *e, unsigned flags, enum emit_map map, uint8_t opcode, unsigned reg,
                 unsigned rm);
/* The same without ModRM: implied operands only; or a register in the opcode's low three bits. */
void emit_insn(struct emit *e, unsigned flags, enum emit_map map, uint8_t opcode);
void emit_insn_o(struct emit *e, unsigned flags, enum emit_map map, uint8_t opcode, unsigned reg);
/* BMI2 instructions with three operands, VEX-encoded; they keep the flags. The caller has
 * checked that the host's CPU has BMI2. */
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
/* LAHF and SETO AL: the arithmetic flags go to AX (SF ZF AF PF CF in AH, OF in AL).
 * emit_flags_from_ah() brings them back from AH, and OF from register `of`, which must hold 0 or 1
 * in its low byte and is changed: adding 7Fh to it overflows when it is 1. */
void emit_flags_to_ax(struct emit *e);
void emit_flags_from_ah(struct emit *e, unsigned of);

/* Transfers to a position in the arena, always with a 32-bit displacement, so that it can be
 * patched. They return the position of the displacement. */
uint32_t emit_jmp(struct emit *e, uint32_t target);
uint32_t emit_jcc(struct emit *e, unsigned cc, uint32_t target);
uint32_t emit_call(struct emit *e, uint32_t target);
void emit_call_r(struct emit *e, unsigned reg);
void emit_jmp_r(struct emit *e, unsigned reg);
void emit_ret(struct emit *e);
/* Short forms to a position that is not known yet. They return the position of the displacement
 * byte, which emit_here8() fills in. */
uint32_t emit_jrcxz8(struct emit *e); /* tests all 64 bits of rcx (no 67 prefix) */
uint32_t emit_jcc8(struct emit *e, unsigned cc);
uint32_t emit_jmp8(struct emit *e);
/* Make the displacement at `site`, of 1 or 4 bytes, lead to the current position. */
void emit_here8(struct emit *e, uint32_t site);
void emit_here32(struct emit *e, uint32_t site);
/* Makes the 32-bit displacement at `site` lead to `target`, with one 4-byte store, which may be
 * unaligned. */
void emit_patch32(uint8_t *rw, uint32_t site, uint32_t target);

#endif
