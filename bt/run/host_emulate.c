/* SPDX-License-Identifier: MIT */
/*
 * host_emulate.c - executes one host instruction of translated code in place of the host's CPU.
 *
 * Why        A signal that finds translated code within a guest instruction has to get to the next
 *            one. A single step of the host's CPU costs two signals' time, under a hypervisor three
 *            times that: 10 to 40 us. Most of what lies between is address arithmetic, look-ups and
 *            jumps of a few forms.
 * Promises   An instruction is executed exactly as the CPU would, or not at all: what is not known
 *            here, what changes flags and what accesses memory other than the vCPU and the return
 *            stack is left to the CPU. Async-signal-safe.
 * Source     SDM vol. 2A, chapter 2 (encoding), 3.1.1; vol. 2D, appendix B (conditions).
 */
#include "bt/run/host_emulate.h"

#include "bt/run/run_priv.h"
#include "include/ring1/mem.h"

#define REX_B 1u
#define REX_X 2u
#define REX_R 4u
#define REX_W 8u

struct step {
    const struct vcpu *v;
    struct host_regs *r;
    const uint8_t *start, *at; /* the instruction, what is not read of it yet */
    unsigned rex;
    unsigned reg, rm; /* of ModRM */
    bool memory;
    uint64_t ea;
};

/* ---- reading ---- */

static uint32_t next32(struct step *s)
{
    uint32_t x;

    memcpy(&x, s->at, sizeof x);
    s->at += sizeof x;
    return x;
}

static uint64_t displacement8(struct step *s)
{
    return (uint64_t)(int64_t)(int8_t)*s->at++;
}

static uint64_t displacement32(struct step *s)
{
    return (uint64_t)(int64_t)(int32_t)next32(s);
}

/* The address after what is read. */
static uint64_t rip_now(const struct step *s)
{
    return s->r->rip + (uint64_t)(s->at - s->start);
}

/* Reads ModRM and what belongs to it. False: an addressing form that is not emitted. */
static bool next_modrm(struct step *s)
{
    unsigned modrm = *s->at++, mod = modrm >> 6;

    s->reg = (modrm >> 3 & 7) | (s->rex & REX_R ? 8 : 0);
    s->rm = (modrm & 7) | (s->rex & REX_B ? 8 : 0);
    s->memory = mod != 3;
    if (!s->memory)
        return true;
    uint64_t index = 0;
    unsigned base = s->rm;
    if ((modrm & 7) == RSP) {
        unsigned sib = *s->at++, n = (sib >> 3 & 7) | (s->rex & REX_X ? 8 : 0);
        base = (sib & 7) | (s->rex & REX_B ? 8 : 0);
        if (n != RSP)
            index = s->r->gpr[n] << (sib >> 6);
    }
    if (mod == 0 && (base & 7) == RBP)
        return false;
    s->ea = s->r->gpr[base] + index;
    if (mod == 1)
        s->ea += displacement8(s);
    if (mod == 2)
        s->ea += displacement32(s);
    return true;
}

/* ---- operands ---- */

static bool on_return_stack(const struct step *s, uint64_t at, unsigned size)
{
    uint64_t end = s->v->bt.return_top + BT_RETURN_LAST + 1;

    return at - s->v->bt.return_limit <= end - size - s->v->bt.return_limit;
}

static bool on_jump_map(const struct step *s, uint64_t at, unsigned size)
{
    const uint64_t bytes = sizeof(int32_t) << 32;

    return at - s->v->bt.jump_now <= bytes - size;
}

static bool may_access(const struct step *s, uint64_t at, unsigned size)
{
    return at - (uint64_t)(uintptr_t)s->v <= sizeof *s->v - size || on_return_stack(s, at, size);
}

static bool may_read(const struct step *s, uint64_t at, unsigned size)
{
    return may_access(s, at, size) || on_jump_map(s, at, size);
}

static unsigned operand_size(const struct step *s)
{
    return s->rex & REX_W ? 8 : 4;
}

static uint64_t load(uint64_t at, unsigned size)
{
    uint64_t x = 0;

    memcpy(&x, (const void *)(uintptr_t)at, size);
    return x;
}

static void reg_set(struct step *s, unsigned reg, uint64_t x)
{
    s->r->gpr[reg] = s->rex & REX_W ? x : (uint32_t)x;
}

/* Reads the ModRM.rm operand, of `size` bytes, to *out. False: the CPU must do it. */
static bool rm_get(const struct step *s, unsigned size, uint64_t *out)
{
    if (!s->memory) {
        if (size == 1 && !s->rex && s->rm >= RSP) /* AH..BH */
            return false;
        *out = size == 8 ? s->r->gpr[s->rm] : s->r->gpr[s->rm] & ((1ull << 8 * size) - 1);
        return true;
    }
    if (!may_read(s, s->ea, size))
        return false;
    *out = load(s->ea, size);
    return true;
}

static bool memory_set(const struct step *s, unsigned size, uint64_t x)
{
    if (!s->memory || !may_access(s, s->ea, size))
        return false;
    memcpy((void *)(uintptr_t)s->ea, &x, size);
    return true;
}

/* ---- transfers ---- */

static bool go(struct step *s, uint64_t to)
{
    s->r->rip = to;
    return true;
}

static bool call(struct step *s, uint64_t to)
{
    uint64_t back = rip_now(s), at = s->r->gpr[RSP] - 8;

    if (!on_return_stack(s, at, 8)) /* the CPU traps */
        return false;
    memcpy((void *)(uintptr_t)at, &back, sizeof back);
    s->r->gpr[RSP] = at;
    return go(s, to);
}

static bool condition(const struct step *s, unsigned cc)
{
    uint64_t f = s->r->rflags;
    bool cf = f & EFL_CF, zf = f & EFL_ZF, sf = f & EFL_SF, of = f & EFL_OF, yes;

    switch (cc >> 1) {
    case 0:
        yes = of;
        break;
    case 1:
        yes = cf;
        break;
    case 2:
        yes = zf;
        break;
    case 3:
        yes = cf || zf;
        break;
    case 4:
        yes = sf;
        break;
    case 5:
        yes = f & EFL_PF;
        break;
    case 6:
        yes = sf != of;
        break;
    default:
        yes = zf || sf != of;
        break;
    }
    return yes != (cc & 1);
}

static bool branch(struct step *s, bool taken, uint64_t displacement)
{
    return go(s, rip_now(s) + (taken ? displacement : 0));
}

static bool indirect(struct step *s)
{
    uint64_t to;

    s->rex |= REX_W; /* the operand has 64 bits */
    if (!next_modrm(s) || ((s->reg & 7) != 2 && (s->reg & 7) != 4) || !rm_get(s, 8, &to))
        return false;
    return (s->reg & 7) == 2 ? call(s, to) : go(s, to);
}

/* Executes a transfer. False: the opcode is none, or the CPU must do it. */
static bool transfer(struct step *s, unsigned opcode)
{
    uint64_t displacement;

    if ((opcode & 0xf0) == 0x70) {
        displacement = displacement8(s);
        return branch(s, condition(s, opcode & 15), displacement);
    }
    switch (opcode) {
    case 0xe3:
        displacement = displacement8(s);
        return branch(s, s->r->gpr[RCX] == 0, displacement);
    case 0xeb:
        displacement = displacement8(s);
        return branch(s, true, displacement);
    case 0xe9:
        displacement = displacement32(s);
        return branch(s, true, displacement);
    case 0xe8:
        displacement = displacement32(s);
        return call(s, rip_now(s) + displacement);
    case 0xff:
        return indirect(s);
    case 0xc3:
        if (!on_return_stack(s, s->r->gpr[RSP], 8))
            return false;
        s->r->gpr[RSP] += 8;
        return go(s, load(s->r->gpr[RSP] - 8, 8));
    default:
        return false;
    }
}

/* ---- moves ---- */

static bool move(struct step *s, unsigned opcode)
{
    uint64_t x;

    if (opcode == 0x89) {
        unsigned size = operand_size(s);
        if (!next_modrm(s))
            return false;
        if (s->memory)
            return memory_set(s, size, s->r->gpr[s->reg]);
        reg_set(s, s->rm, s->r->gpr[s->reg]);
        return true;
    }
    if (opcode == 0x8b) {
        if (!next_modrm(s) || !rm_get(s, operand_size(s), &x))
            return false;
        reg_set(s, s->reg, x);
        return true;
    }
    if (opcode == 0x63) { /* MOVSXD */
        if (!next_modrm(s) || !rm_get(s, 4, &x))
            return false;
        reg_set(s, s->reg, (uint64_t)(int64_t)(int32_t)x);
        return true;
    }
    if (opcode == 0x8d) {
        if (!next_modrm(s) || !s->memory)
            return false;
        reg_set(s, s->reg, s->ea);
        return true;
    }
    if ((opcode & 0xf8) == 0xb8) {
        x = load((uint64_t)(uintptr_t)s->at, operand_size(s));
        s->at += operand_size(s);
        reg_set(s, (opcode & 7) | (s->rex & REX_B ? 8 : 0), x);
        return true;
    }
    if ((opcode & 0xf8) == 0x58) { /* POP */
        if (!on_return_stack(s, s->r->gpr[RSP], 8))
            return false;
        s->r->gpr[RSP] += 8;
        s->r->gpr[(opcode & 7) | (s->rex & REX_B ? 8 : 0)] = load(s->r->gpr[RSP] - 8, 8);
        return true;
    }
    if (opcode == 0xc6)
        return next_modrm(s) && s->memory && memory_set(s, 1, *s->at++);
    if (opcode == 0xc7) {
        if (!next_modrm(s))
            return false;
        x = displacement32(s); /* the immediate: sign-extended as well */
        return memory_set(s, operand_size(s), x);
    }
    if (opcode == 0xf7) { /* NOT */
        if (!next_modrm(s) || s->memory || (s->reg & 7) != 2)
            return false;
        reg_set(s, s->rm, ~s->r->gpr[s->rm]);
        return true;
    }
    return false;
}

static bool two_bytes(struct step *s, unsigned opcode)
{
    uint64_t x, displacement;

    if ((opcode & 0xf0) == 0x80) {
        displacement = displacement32(s);
        return branch(s, condition(s, opcode & 15), displacement);
    }
    if (opcode != 0xb6 && opcode != 0xb7) /* MOVZX */
        return false;
    if (!next_modrm(s) || !rm_get(s, opcode == 0xb6 ? 1 : 2, &x))
        return false;
    reg_set(s, s->reg, x);
    return true;
}

static uint64_t rotate(uint64_t x, unsigned size, unsigned count)
{
    count &= size * 8 - 1;
    return count ? x >> count | x << (size * 8 - count) : x;
}

/* Executes SHRX, SHLX or RORX. False: it is none of them. */
static bool vex(struct step *s)
{
    unsigned b1 = *s->at++, b2 = *s->at++, opcode = *s->at++, pp = b2 & 3;
    uint64_t x;

    s->rex = (b1 & 0x80 ? 0 : REX_R) | (b1 & 0x40 ? 0 : REX_X) | (b1 & 0x20 ? 0 : REX_B) |
             (b2 & 0x80 ? REX_W : 0);
    unsigned size = operand_size(s), count = ~b2 >> 3 & 15;
    if ((b1 & 31) == 3 && !(b2 & 4) && opcode == 0xf0 && pp == 3) {
        if (!next_modrm(s) || !rm_get(s, size, &x))
            return false;
        reg_set(s, s->reg, rotate(x, size, *s->at++));
        return true;
    }
    if ((b1 & 31) != 2 || (b2 & 4) || opcode != 0xf7 || (pp != 1 && pp != 3))
        return false;
    if (!next_modrm(s) || !rm_get(s, size, &x))
        return false;
    count = s->r->gpr[count] & (size * 8 - 1);
    reg_set(s, s->reg, pp == 3 ? x >> count : x << count);
    return true;
}

bool host_emulate(const struct vcpu *v, struct host_regs *r)
{
    const struct bt *bt = v->translator;
    const uint8_t *code = bt->cache.arena->rw + (r->rip - bt_host_address(bt, 0));
    struct step s = {.v = v, .r = r, .start = code, .at = code};
    unsigned opcode;

    while (*s.at == 0x3e) /* no more than a filler: bt/translate/return_check.c */
        s.at++;
    if ((*s.at & 0xf0) == 0x40)
        s.rex = *s.at++;
    opcode = *s.at++;
    const uint8_t *after = s.at;
    if (opcode == 0x0f) {
        opcode = *s.at++;
        if ((opcode & 0xf0) == 0x80)
            return two_bytes(&s, opcode);
        if (!two_bytes(&s, opcode))
            return false;
    } else if (opcode == 0xc4) {
        if (!vex(&s))
            return false;
    } else if (!move(&s, opcode)) {
        s.at = after;
        return transfer(&s, opcode);
    }
    r->rip = rip_now(&s);
    return true;
}
