/* SPDX-License-Identifier: MIT */
/*
 * native_rules.c - what the CPU may do otherwise than the guest, instruction by instruction, and
 * why.
 *
 * A rule looks at one unit: an instruction that both judges began in the same state. It applies
 * only to that instruction and says what of its outcome may differ; native.c compares the rest.
 *
 * Source     docs/DEVIATIONS.md; SDM vol. 3A, section 5.3 (limits), 6.5 (faults and restarts).
 */
#include "tests/bt/native_judge.h"

#define SIGSYS_NUMBER 31u
#define CS64          0x33u
#define CACHE_LINE    64u

/* ---- the instruction ---- */

static uint32_t reg_of(const struct unit *u, unsigned reg)
{
    return u->before->s.gpr[reg];
}

static bool is_mmx(const struct unit *u)
{
    for (unsigned k = 0; k < u->i.nops && k < 4; k++)
        if (u->i.operand[k].kind == OPK_MMX)
            return true;
    return false;
}

static bool is_op(const struct unit *u, unsigned op)
{
    return u->have_insn && u->i.op == op;
}

static bool is_masked(const struct unit *u)
{
    return is_op(u, OP_maskmovq) || is_op(u, OP_maskmovdqu);
}

/* Whole environments and states have none. */
static unsigned size_of(const struct operand *o)
{
    return o->size ? o->size : 512;
}

static uint32_t stack_at(const struct unit *u)
{
    return u->before->base[SEG_SS] + reg_of(u, ESP);
}

static bool cpu_goes_on(const struct unit *u)
{
    return u->io->vector == NATIVE_STOPPED;
}

static bool same_place(const struct unit *u)
{
    return !cpu_goes_on(u) && u->vector != NATIVE_STOPPED && u->after->s.eip == u->io->out.eip;
}

/* ---- what is half done ---- */

static void allow_ram(struct allowance *a, unsigned n, uint32_t at, uint32_t bytes)
{
    a->ram[n].at = at;
    a->ram[n].bytes = bytes;
}

/* A fault of its memory operand comes after MMX has been turned to: TOP = 0, all tags valid. */
static void allow_mmx(const struct unit *u, struct allowance *a)
{
    a->mmx = is_mmx(u) && !(u->io->out.fx[3] >> 3 & 7);
}

/* What a CPU may have done of this instruction when it faults. False: nothing. */
static bool allow_part(const struct unit *u, struct allowance *a)
{
    const struct operand *o = unit_memory(u);
    uint32_t esp = stack_at(u), frame;

    if (!u->have_insn)
        return false;
    allow_mmx(u, a);
    switch (u->i.op) {
    case OP_pusha:
        allow_ram(a, 0, esp - 8u * u->i.opsize, 8u * u->i.opsize);
        return true;
    case OP_popa: /* all but ESP */
        a->gpr = 0xffu & ~(1u << ESP);
        return true;
    case OP_enter:
        frame = (1 + (u->i.imm2 & 31)) * u->i.opsize;
        allow_ram(a, 0, esp - frame, frame);
        return true;
    case OP_call_far:
        allow_ram(a, 0, esp - 2u * u->i.opsize, 2u * u->i.opsize);
        return true;
    case OP_iret: /* CR2 is the least of its addresses here */
    case OP_ret_far:
        return true;
    case OP_frstor:
    case OP_fldenv:
        a->fpu = true;
        return true;
    case OP_fnsave:
    case OP_fnstenv:
        allow_ram(a, 0, unit_address(u), 108);
        return true;
    case OP_fxrstor:
        a->fpu = a->xmm = true;
        return true;
    case OP_maskmovq:
    case OP_maskmovdqu:
        allow_ram(a, 0, u->before->base[u->i.seg] + reg_of(u, EDI), 16);
        return true;
    default:
        break;
    }
    if (o && o->size == 10) {
        if (o->act & ACT_W)
            allow_ram(a, 0, unit_address(u), 10);
        return true;
    }
    return is_mmx(u);
}

/* Both CR2 in what the instruction reaches for. */
static bool near(const struct unit *u)
{
    return is_op(u, OP_enter) || is_op(u, OP_call_far) || u->cr2 - u->io->cr2 + 512 <= 1024;
}

static bool half_done(const struct unit *u, struct allowance *a)
{
    if (!same_place(u) || u->vector != u->io->vector || !allow_part(u, a))
        return false;
    a->cr2 = (!is_mmx(u) || is_masked(u)) && near(u);
    return true;
}

/* ---- order of faults ---- */

/* Is some address that it may use misaligned? */
static bool misaligned(const struct unit *u)
{
    const struct operand *o = unit_memory(u);

    if (!u->have_insn || !(u->before->s.eflags & EFL_AC))
        return false;
    if (u->i.op == OP_enter && (u->i.imm & 3)) /* where it leaves ESP is looked at, too */
        return true;
    return (o && (unit_address(u) & 15)) || (stack_at(u) & 3) ||
           ((reg_of(u, EBP) | reg_of(u, ESI) | reg_of(u, EDI)) & 15);
}

static bool alignment(const struct unit *u, struct allowance *a)
{
    unsigned here = u->vector, there = u->io->vector;
    bool part = allow_part(u, a);

    a->vector = true;
    if (!same_place(u) || !misaligned(u))
        return false;
    if (here == VEC_AC) /* of the parts of a far RET a CPU reads CS's first */
        return there == VEC_PF && part;
    return there == VEC_AC && (here == VEC_PF || here == VEC_GP || here == VEC_SS);
}

/* Does the explicit operand go beyond offset 4 GiB? */
static bool operand_wraps(const struct unit *u)
{
    const struct operand *o = unit_memory(u);

    return o && unit_offset(u) > 0u - size_of(o);
}

static bool four_gib(const struct unit *u, struct allowance *a)
{
    bool limit = u->vector == VEC_GP || u->vector == VEC_SS;

    allow_part(u, a);
    a->vector = true;
    if (!limit || !same_place(u))
        return false;
    /* Of 16 bytes: #GP because it is not aligned. */
    if (u->vector == VEC_SS && u->io->vector == VEC_GP && u->io->error == 0)
        return u->have_insn && operand_wraps(u);
    return u->io->vector == VEC_PF &&
           (operand_wraps(u) || u->io->cr2 >= 0xffffe000u || u->io->cr2 < 0x200);
}

static bool nested(const struct unit *u, struct allowance *a)
{
    a->vector = a->error = true;
    return same_place(u) && (u->before->s.eflags & EFL_NT) && is_op(u, OP_iret);
}

/* ---- what the host has and the guest has not ---- */

static bool system_call(const struct unit *u, struct allowance *a)
{
    a->everything = true;
    return u->io->signal == SIGSYS_NUMBER &&
           (is_op(u, OP_sysenter) || (is_op(u, OP_int) && u->i.imm == 0x80) || u->vector == VEC_UD);
}

static bool code64(const struct unit *u, struct allowance *a)
{
    a->everything = true;
    return (u->before->s.seg[SEG_CS] | 3) == CS64 && u->vector != NATIVE_STOPPED;
}

static bool companion(const struct unit *u, struct allowance *a)
{
    a->everything = true;
    return u->vector == VEC_PF && u->cr2 >= NATIVE_IMAGE && u->cr2 < NATIVE_IMAGE_END;
}

/* The kernel emulates it. */
static bool umip(const struct unit *u, struct allowance *a)
{
    a->everything = true;
    return u->vector == VEC_GP && (is_op(u, OP_sgdt) || is_op(u, OP_sidt) || is_op(u, OP_sldt) ||
                                   is_op(u, OP_str) || is_op(u, OP_smsw));
}

static bool newer(const struct unit *u, struct allowance *a)
{
    a->everything = true;
    return u->vector == VEC_UD && (!u->have_insn || u->i.op == OP_ud) &&
           !(same_place(u) && u->io->vector == VEC_UD);
}

/* By way of a wild jump: what gen.c does not make. */
static bool other(const struct unit *u, struct allowance *a)
{
    a->gpr = 0xffu & ~(1u << ESP);
    a->eflags = EFL_ARITH;
    if (unit_memory(u))
        allow_ram(a, 0, unit_address(u), 512);
    return u->have_insn && (!native_able(&u->i) || gen_excluded(u->i.op));
}

/* A selector as the program sees it that entered the kernel since: every interrupt's return clears
 * null selectors (SDM vol. 2A, IRET), and a signal's gives all others RPL 3. */
static bool selector(const struct unit *u, struct allowance *a)
{
    const struct insn *i = &u->i;
    bool push = is_op(u, OP_push_seg), move = is_op(u, OP_mov_seg);
    const struct operand *from = push ? &i->operand[0] : &i->operand[1];

    if ((!push && !move) || from->kind != OPK_SEG)
        return false;
    uint16_t sel = u->before->s.seg[from->reg];
    if (push)
        allow_ram(a, 0, stack_at(u) - 2, 2); /* 16 bits of it, or the lower ones of 32: */
    if (push && i->opsize == 4)
        allow_ram(a, 0, stack_at(u) - 4, 2);
    if (move && i->operand[0].kind == OPK_GPR)
        a->gpr = 1u << i->operand[0].reg;
    if (move && i->operand[0].kind == OPK_MEM)
        allow_ram(a, 0, unit_address(u), 2);
    return (sel & 3) != 3 || sel == 3;
}

/* ---- memory ---- */

/* Where a REP begins to write, and how many bytes. */
static uint32_t rep_span(const struct unit *u, uint32_t *bytes, unsigned index, unsigned seg)
{
    bool short16 = u->i.addr_size == 2;
    uint32_t at = reg_of(u, index), count = reg_of(u, ECX);

    at = u->before->base[seg] + (short16 ? at & 0xffff : at);
    count = short16 ? count & 0xffff : count;
    count = count < NATIVE_RAM ? count : NATIVE_RAM;
    *bytes = (count + 1) * u->i.opsize;
    *bytes = *bytes < NATIVE_RAM ? *bytes : NATIVE_RAM;
    return u->before->s.eflags & EFL_DF ? at + u->i.opsize - *bytes : at;
}

static bool is_rep_store(const struct unit *u)
{
    return u->have_insn && (u->i.prefixes & (PFX_REP | PFX_REPNE)) &&
           (u->i.op == OP_stos || u->i.op == OP_movs);
}

static bool self(const struct unit *u, struct allowance *a)
{
    uint32_t bytes, at, eip = native_frame_of(u->io, u->before->s.eip);

    a->everything = true;
    if (!is_rep_store(u))
        return false;
    at = rep_span(u, &bytes, EDI, SEG_ES);
    for (uint32_t k = 0; k < bytes; k++)
        if (native_frame_of(u->io, at + k) - eip < u->i.len)
            return true;
    return false;
}

const unsigned rule_freely = 0;

/* Source and destination are less than a cache line apart in RAM, but not by their addresses, which
 * is where a CPU looks before it moves a line at once. (A program that maps a page twice and copies
 * 256 bytes by 1 to 32 gets it every time on a Sapphire Rapids, by 64 or through one mapping
 * never.) */
bool rule_runs_freely(const struct unit *u, struct allowance *a)
{
    uint32_t bytes, to, from;

    *a = (struct allowance){.vector = false};
    if (!is_op(u, OP_movs) || !is_rep_store(u))
        return false;
    to = rep_span(u, &bytes, EDI, SEG_ES);
    from = rep_span(u, &bytes, ESI, u->i.seg);
    allow_ram(a, 0, to, bytes);
    for (uint32_t k = 0; k < bytes; k += GUEST_PAGE_SIZE) {
        uint32_t far = native_frame_of(u->io, to + k) - native_frame_of(u->io, from + k);
        if (far != to - from && far + CACHE_LINE < 2 * CACHE_LINE)
            return true;
    }
    return false;
}

static bool alias(const struct unit *u, struct allowance *a)
{
    return rule_runs_freely(u, a);
}

/* #AC, or #PF for bytes that are not selected. */
static bool masked_store(const struct unit *u, struct allowance *a)
{
    unsigned there = u->io->vector;

    if (!is_masked(u) || (there != VEC_AC && there != VEC_PF))
        return false;
    allow_part(u, a);
    a->vector = a->eip = a->cr2 = a->error = true;
    return u->vector == NATIVE_STOPPED || there == VEC_AC || near(u);
}

/* An x87 operand of several parts, on both sides of 64 KiB. */
static bool part_wrap(const struct unit *u, struct allowance *a)
{
    const struct operand *o = unit_memory(u);

    if (!o || u->i.addr_size != 2 || (o->size != 10 && o->size != 0) ||
        unit_offset(u) <= 0x10000u - (o->size ? 10 : 108))
        return false;
    a->vector = a->error = a->cr2 = a->eip = a->fpu = true;
    if (o->act & ACT_W) {
        allow_ram(a, 0, unit_address(u), 108);
        allow_ram(a, 1, u->before->base[u->i.seg], 108);
    }
    return true;
}

static bool bus_lock(const struct unit *u, struct allowance *a)
{
    const struct operand *o = unit_memory(u);

    a->everything = true;
    return u->io->vector == NO_VECTOR && o && native_locks(&u->i) &&
           unit_address(u) % CACHE_LINE + o->size > CACHE_LINE;
}

static bool vendor(const struct unit *u, struct allowance *a)
{
    return vendor_differs(u, a);
}

/* ---- all of them ---- */

static struct {
    const char *name, *why;
    bool (*applies)(const struct unit *u, struct allowance *a);
    unsigned long long count;
} rules[] = {
    {"alias", "a REP MOVS between two mappings of the same bytes: moved in pieces", alias, 0},
    {"vendor", "the CPU is not Intel's: native_vendor.c", vendor, 0},
    {"system call", "the case came to a system call of the host", system_call, 0},
    {"64-bit code", "selector 33h is 64-bit code on the host", code64, 0},
    {"companion", "the address belongs to the 32-bit program", companion, 0},
    {"half done", "part of the instruction is done when it faults: DEVIATIONS.md, 3", half_done, 0},
    {"alignment", "#AC and #PF, #GP or #SS of one access: order in DEVIATIONS.md, 3", alignment, 0},
    {"4 GiB", "an operand across 4 GiB: #GP or #SS here, #PF on the CPU (SDM 3A, 5.3)", four_gib,
     0},
    {"selector", "the RPL of a selector, or of a null one, as Linux leaves it", selector, 0},
    {"nested", "IRET with NT set is #GP in IA-32e mode", nested, 0},
    {"UMIP", "the kernel emulates what is #GP here", umip, 0},
    {"newer", "the bytes are an instruction that the CPU model does not have", newer, 0},
    {"other", "what gen.c does not make for such cases was there by chance", other, 0},
    {"self", "a REP that writes over itself: fetched once or again, as the CPU likes", self, 0},
    {"masked store", "#AC, and #PF for bytes not selected, of MASKMOVx: DEVIATIONS.md, 4",
     masked_store, 0},
    {"64 KiB", "a CPU wraps each part of a long x87 operand: DEVIATIONS.md, 4", part_wrap, 0},
    {"bus lock", "hosts stop a CPU that locks the bus, for seconds (measured: up to 11)", bus_lock,
     0},
};

const char *rule_next(const struct unit *u, unsigned *next, struct allowance *a)
{
    for (; *next < ARRAY_LEN(rules); ++*next) {
        vendor_differs(u, a); /* what any other rule allows comes on top of it */
        if (rules[*next].applies(u, a))
            return rules[*next].name;
    }
    return NULL;
}

void rule_count(unsigned n)
{
    rules[n].count++;
}

void rule_totals(FILE *out)
{
    for (unsigned k = 0; k < ARRAY_LEN(rules); k++)
        if (rules[k].count)
            fprintf(out, "; %llu %s", rules[k].count, rules[k].name);
}
