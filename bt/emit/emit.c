/* SPDX-License-Identifier: MIT */
/*
 * emit.c - see emit.h.
 *
 * How        Every instruction with legacy encoding goes through head(); modrm_mem() knows all of
 *            ModRM and memory. Displacements take the shortest form, except those of transfers.
 * Source     SDM vol. 2A, 2.1.5 (ModRM and SIB), 2.2.1 (REX), 2.3.5 (VEX).
 */
#include "bt/emit/emit.h"

#include "include/ring1/mem.h"

#define REX   0x40u
#define REX_W 8u
#define REX_R 4u
#define REX_X 2u
#define REX_B 1u

static void emit_room(const struct emit *e, unsigned len)
{
    VMM_CHECK(e->at <= e->end && e->end - e->at >= len);
}

/* The parts of an instruction are written at a pointer, with one check for the whole: none is
 * longer than INSN_ROOM before its immediate. */
#define INSN_ROOM 16u

static uint8_t *begin(const struct emit *e)
{
    emit_room(e, INSN_ROOM);
    return e->rw + e->at;
}

static void end(struct emit *e, const uint8_t *p)
{
    e->at = (uint32_t)(p - e->rw);
}

void emit8(struct emit *e, uint8_t b)
{
    emit_room(e, 1);
    e->rw[e->at++] = b;
}

void emit_bytes(struct emit *e, const uint8_t *bytes, unsigned len)
{
    emit_room(e, len);
    memcpy(e->rw + e->at, bytes, len);
    e->at += len;
}

void emit16(struct emit *e, uint16_t w)
{
    emit_room(e, sizeof w);
    memcpy(e->rw + e->at, &w, sizeof w);
    e->at += sizeof w;
}

void emit32(struct emit *e, uint32_t d)
{
    emit_room(e, sizeof d);
    memcpy(e->rw + e->at, &d, sizeof d);
    e->at += sizeof d;
}

void emit64(struct emit *e, uint64_t q)
{
    emit_room(e, sizeof q);
    memcpy(e->rw + e->at, &q, sizeof q);
    e->at += sizeof q;
}

static bool fits8(int32_t disp)
{
    return disp == (int8_t)disp;
}

/* Writes legacy prefixes, REX if it says anything (or `force`), opcode with its map at p; returns
 * the position after them. */
static uint8_t *head(uint8_t *p, unsigned flags, enum emit_map map, uint8_t opcode, unsigned rxb,
                     bool force)
{
    unsigned rex = rxb | (flags & EMIT_W ? REX_W : 0);

    if (flags & EMIT_66)
        *p++ = 0x66;
    if (flags & EMIT_F2)
        *p++ = 0xf2;
    if (flags & EMIT_F3)
        *p++ = 0xf3;
    if (flags & EMIT_LOCK)
        *p++ = 0xf0;
    if (rex || force)
        *p++ = (uint8_t)(REX | rex);
    if (map != MAP_1)
        *p++ = 0x0f;
    if (map == MAP_0F38 || map == MAP_0F3A)
        *p++ = map == MAP_0F38 ? 0x38 : 0x3a;
    *p++ = opcode;
    return p;
}

/* Without REX the byte registers 4-7 would be AH..BH. */
static bool byte_needs_rex(unsigned flags, unsigned reg)
{
    return flags & EMIT_BYTE && reg >= RSP && reg <= RDI;
}

static bool needs_rex_bit(uint8_t reg)
{
    return reg != HOST_NO_REG && reg & 8;
}

/* ModRM, SIB and displacement. rm 4 (rsp, r12) means "SIB follows"; mod 0 with rm or base 5 (rbp,
 * r13) means "no base", so those take a displacement of 0; index 4 means none, but 12 is r12.
 * Without base it is always a SIB: rm 5 alone would be relative to rip. */
static uint8_t *modrm_mem(uint8_t *p, unsigned reg, struct hmem m)
{
    bool no_base = m.base == HOST_NO_REG;
    unsigned base = no_base ? RBP : m.base & 7u;
    bool sib = m.index != HOST_NO_REG || no_base || base == RSP;
    unsigned mod = no_base || (!m.disp && base != RBP) ? 0 : fits8(m.disp) ? 1 : 2;

    VMM_CHECK((m.base < 16 || (no_base && (m.gs || m.index != HOST_NO_REG))) && m.scale < 4);
    VMM_CHECK(m.index == HOST_NO_REG || (m.index < 16 && m.index != RSP));
    *p++ = (uint8_t)(mod << 6 | (reg & 7) << 3 | (sib ? RSP : base));
    if (sib) {
        unsigned index = m.index == HOST_NO_REG ? RSP : m.index & 7u;
        *p++ = (uint8_t)(m.scale << 6 | index << 3 | base);
    }
    if (mod == 1) {
        *p++ = (uint8_t)m.disp;
    } else if (mod == 2 || no_base) {
        memcpy(p, &m.disp, 4);
        p += 4;
    }
    return p;
}

void emit_insn_m(struct emit *e, unsigned flags, enum emit_map map, uint8_t opcode, unsigned reg,
                 struct hmem m)
{
    unsigned rxb = (reg & 8 ? REX_R : 0) | (needs_rex_bit(m.base) ? REX_B : 0) |
                   (needs_rex_bit(m.index) ? REX_X : 0);
    uint8_t *p = begin(e);

    VMM_CHECK(reg < 16);
    if (m.gs) {
        *p++ = 0x65;
        *p++ = 0x67;
    }
    p = head(p, flags, map, opcode, rxb, byte_needs_rex(flags, reg));
    end(e, modrm_mem(p, reg, m));
}

void emit_insn_r(struct emit *e, unsigned flags, enum emit_map map, uint8_t opcode, unsigned reg,
                 unsigned rm)
{
    unsigned rxb = (reg & 8 ? REX_R : 0) | (rm & 8 ? REX_B : 0);
    uint8_t *p = begin(e);

    VMM_CHECK(reg < 16 && rm < 16);
    p = head(p, flags, map, opcode, rxb, byte_needs_rex(flags, reg) || byte_needs_rex(flags, rm));
    *p++ = (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7));
    end(e, p);
}

void emit_insn_o(struct emit *e, unsigned flags, enum emit_map map, uint8_t opcode, unsigned reg)
{
    VMM_CHECK(reg < 16);
    end(e, head(begin(e), flags, map, (uint8_t)(opcode | (reg & 7)), reg & 8 ? REX_B : 0, false));
}

void emit_insn(struct emit *e, unsigned flags, enum emit_map map, uint8_t opcode)
{
    end(e, head(begin(e), flags, map, opcode, 0, false));
}

/* VEX.LZ.pp.map with registers only: R, X, B and vvvv are stored inverted. */
static void vex_rrr(struct emit *e, unsigned pp, bool wide, unsigned map, uint8_t opcode,
                    unsigned reg, unsigned vvvv, unsigned rm)
{
    uint8_t *p = begin(e);

    *p++ = 0xc4;
    *p++ = (uint8_t)((reg & 8 ? 0 : 0x80) | 0x40 | (rm & 8 ? 0 : 0x20) | map);
    *p++ = (uint8_t)((wide ? 0x80 : 0) | (~vvvv & 15) << 3 | pp);
    *p++ = opcode;
    *p++ = (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7));
    end(e, p);
}
#define PP_66 1
#define PP_F3 2
#define PP_F2 3

void emit_shrx_rrr32(struct emit *e, unsigned dst, unsigned src, unsigned count)
{
    vex_rrr(e, PP_F2, false, 2, 0xf7, dst, count, src);
}

void emit_shrx_rrr64(struct emit *e, unsigned dst, unsigned src, unsigned count)
{
    vex_rrr(e, PP_F2, true, 2, 0xf7, dst, count, src);
}

void emit_shlx_rrr64(struct emit *e, unsigned dst, unsigned src, unsigned count)
{
    vex_rrr(e, PP_66, true, 2, 0xf7, dst, count, src);
}

void emit_shlx_rrr32(struct emit *e, unsigned dst, unsigned src, unsigned count)
{
    vex_rrr(e, PP_66, false, 2, 0xf7, dst, count, src);
}

void emit_sarx_rrr32(struct emit *e, unsigned dst, unsigned src, unsigned count)
{
    vex_rrr(e, PP_F3, false, 2, 0xf7, dst, count, src);
}

void emit_pext_rrr32(struct emit *e, unsigned dst, unsigned src, unsigned mask)
{
    vex_rrr(e, PP_F3, false, 2, 0xf5, dst, src, mask);
}

void emit_rorx_rri32(struct emit *e, unsigned dst, unsigned src, uint8_t count)
{
    vex_rrr(e, PP_F2, false, 3, 0xf0, dst, 0, src);
    emit8(e, count);
}

void emit_mov_rr32(struct emit *e, unsigned dst, unsigned src)
{
    emit_insn_r(e, 0, MAP_1, 0x8b, dst, src);
}

void emit_mov_rr64(struct emit *e, unsigned dst, unsigned src)
{
    emit_insn_r(e, EMIT_W, MAP_1, 0x8b, dst, src);
}

void emit_mov_ri32(struct emit *e, unsigned dst, uint32_t imm)
{
    emit_insn_o(e, 0, MAP_1, 0xb8, dst);
    emit32(e, imm);
}

void emit_mov_ri64(struct emit *e, unsigned dst, uint64_t imm)
{
    if (imm == (uint32_t)imm) {
        emit_mov_ri32(e, dst, (uint32_t)imm);
    } else if (imm == (uint64_t)(int64_t)(int32_t)imm) {
        emit_insn_r(e, EMIT_W, MAP_1, 0xc7, 0, dst);
        emit32(e, (uint32_t)imm);
    } else {
        emit_insn_o(e, EMIT_W, MAP_1, 0xb8, dst);
        emit64(e, imm);
    }
}

void emit_mov_rm32(struct emit *e, unsigned dst, struct hmem m)
{
    emit_insn_m(e, 0, MAP_1, 0x8b, dst, m);
}

void emit_mov_rm64(struct emit *e, unsigned dst, struct hmem m)
{
    emit_insn_m(e, EMIT_W, MAP_1, 0x8b, dst, m);
}

void emit_mov_mr32(struct emit *e, struct hmem m, unsigned src)
{
    emit_insn_m(e, 0, MAP_1, 0x89, src, m);
}

void emit_mov_mr64(struct emit *e, struct hmem m, unsigned src)
{
    emit_insn_m(e, EMIT_W, MAP_1, 0x89, src, m);
}

void emit_mov_mr8(struct emit *e, struct hmem m, unsigned src)
{
    emit_insn_m(e, EMIT_BYTE, MAP_1, 0x88, src, m);
}

void emit_mov_mr16(struct emit *e, struct hmem m, unsigned src)
{
    emit_insn_m(e, EMIT_66, MAP_1, 0x89, src, m);
}

void emit_mov_mi32(struct emit *e, struct hmem m, uint32_t imm)
{
    emit_insn_m(e, 0, MAP_1, 0xc7, 0, m);
    emit32(e, imm);
}

void emit_mov_mi8(struct emit *e, struct hmem m, uint8_t imm)
{
    emit_insn_m(e, 0, MAP_1, 0xc6, 0, m);
    emit8(e, imm);
}

void emit_lea32(struct emit *e, unsigned dst, struct hmem m)
{
    emit_insn_m(e, 0, MAP_1, 0x8d, dst, m);
}

void emit_lea64(struct emit *e, unsigned dst, struct hmem m)
{
    emit_insn_m(e, EMIT_W, MAP_1, 0x8d, dst, m);
}

void emit_wrgsbase_r(struct emit *e, unsigned src)
{
    emit_insn_r(e, EMIT_F3 | EMIT_W, MAP_0F, 0xae, 3, src);
}

void emit_movzx_rr16(struct emit *e, unsigned dst, unsigned src)
{
    emit_insn_r(e, 0, MAP_0F, 0xb7, dst, src);
}

/* Only the source is a byte register, but a REX that says nothing does no harm. */
void emit_movzx_rr8(struct emit *e, unsigned dst, unsigned src)
{
    emit_insn_r(e, EMIT_BYTE, MAP_0F, 0xb6, dst, src);
}

void emit_movzx_rm8(struct emit *e, unsigned dst, struct hmem m)
{
    emit_insn_m(e, 0, MAP_0F, 0xb6, dst, m);
}

/* ---- arithmetic ---- */

void emit_alu_rr32(struct emit *e, enum emit_alu op, unsigned dst, unsigned src)
{
    emit_insn_r(e, 0, MAP_1, (uint8_t)(op << 3 | 1), src, dst);
}

void emit_alu_ri32(struct emit *e, enum emit_alu op, unsigned reg, uint32_t imm)
{
    emit_insn_r(e, 0, MAP_1, 0x81, op, reg);
    emit32(e, imm);
}

void emit_alu_mr32(struct emit *e, enum emit_alu op, struct hmem m, unsigned src)
{
    emit_insn_m(e, 0, MAP_1, (uint8_t)(op << 3 | 1), src, m);
}

void emit_alu_mi32(struct emit *e, enum emit_alu op, struct hmem m, uint32_t imm)
{
    emit_insn_m(e, 0, MAP_1, 0x81, op, m);
    emit32(e, imm);
}

void emit_test_ri32(struct emit *e, unsigned reg, uint32_t imm)
{
    emit_insn_r(e, 0, MAP_1, 0xf7, 0, reg);
    emit32(e, imm);
}

void emit_shl_ri32(struct emit *e, unsigned reg, uint8_t count)
{
    emit_insn_r(e, 0, MAP_1, 0xc1, 4, reg);
    emit8(e, count);
}

void emit_shr_ri32(struct emit *e, unsigned reg, uint8_t count)
{
    emit_insn_r(e, 0, MAP_1, 0xc1, 5, reg);
    emit8(e, count);
}

/* ---- stack and flags ---- */

void emit_push_r64(struct emit *e, unsigned reg)
{
    emit_insn_o(e, 0, MAP_1, 0x50, reg);
}

void emit_pop_r64(struct emit *e, unsigned reg)
{
    emit_insn_o(e, 0, MAP_1, 0x58, reg);
}

void emit_pop_m64(struct emit *e, struct hmem m)
{
    emit_insn_m(e, 0, MAP_1, 0x8f, 0, m);
}

void emit_pushfq(struct emit *e)
{
    emit8(e, 0x9c);
}

void emit_popfq(struct emit *e)
{
    emit8(e, 0x9d);
}

void emit_cld(struct emit *e)
{
    emit8(e, 0xfc);
}

void emit_fwait(struct emit *e)
{
    emit8(e, 0x9b);
}

void emit_flags_to_ax(struct emit *e)
{
    emit8(e, 0x9f);                                  /* lahf */
    emit_insn_r(e, EMIT_BYTE, MAP_0F, 0x90, 0, RAX); /* seto al */
}

void emit_flags_from_ah(struct emit *e, unsigned of)
{
    emit_insn_r(e, EMIT_BYTE, MAP_1, 0x80, ALU_ADD, of);
    emit8(e, 0x7f);
    emit8(e, 0x9e); /* sahf */
}

/* ---- transfers ---- */

void emit_patch32(uint8_t *rw, uint32_t site, uint32_t target)
{
    uint32_t disp = target - (site + 4);

    memcpy(rw + site, &disp, sizeof disp);
}

static uint32_t displacement(struct emit *e, uint32_t target)
{
    uint32_t site = e->at;

    emit32(e, target - (site + 4));
    return site;
}

uint32_t emit_jmp(struct emit *e, uint32_t target)
{
    emit8(e, 0xe9);
    return displacement(e, target);
}

uint32_t emit_jcc(struct emit *e, unsigned cc, uint32_t target)
{
    VMM_CHECK(cc < 16);
    emit8(e, 0x0f);
    emit8(e, (uint8_t)(0x80 | cc));
    return displacement(e, target);
}

uint32_t emit_call(struct emit *e, uint32_t target)
{
    emit8(e, 0xe8);
    return displacement(e, target);
}

void emit_call_r(struct emit *e, unsigned reg)
{
    emit_insn_r(e, 0, MAP_1, 0xff, 2, reg);
}

void emit_jmp_r(struct emit *e, unsigned reg)
{
    emit_insn_r(e, 0, MAP_1, 0xff, 4, reg);
}

void emit_ret(struct emit *e)
{
    emit8(e, 0xc3);
}

/* A displacement that was forgotten is found quickly: -2 leads to the instruction itself. */
static uint32_t short_form(struct emit *e, uint8_t opcode)
{
    emit8(e, opcode);
    emit8(e, 0xfe);
    return e->at - 1;
}

uint32_t emit_jrcxz8(struct emit *e)
{
    return short_form(e, 0xe3);
}

uint32_t emit_jcc8(struct emit *e, unsigned cc)
{
    VMM_CHECK(cc < 16);
    return short_form(e, (uint8_t)(0x70 | cc));
}

uint32_t emit_jmp8(struct emit *e)
{
    return short_form(e, 0xeb);
}

void emit_here8(struct emit *e, uint32_t site)
{
    uint32_t disp = e->at - (site + 1);

    VMM_CHECK(disp <= 127);
    e->rw[site] = (uint8_t)disp;
}

void emit_here32(struct emit *e, uint32_t site)
{
    emit_patch32(e->rw, site, e->at);
}
