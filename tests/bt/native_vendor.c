/* SPDX-License-Identifier: MIT */
/*
 * native_vendor.c - what CPUs of a vendor other than Intel do otherwise, by instruction.
 *
 * The guest's CPU is Intel's. The judge is the host's CPU; where that is another vendor's, a row
 * says what of an instruction's outcome may differ, and the manuals' word for it. All else is
 * compared.
 *
 * Source     SDM vol. 2 and AMD64 APM vol. 3 and 4, as the rows say; "measured": on an AMD EPYC,
 *            family 17h.
 */
#include "tests/bt/native_judge.h"

#include <cpuid.h>

#include "monitor/cpu/fpu_image.h"

#define MXCSR_MM 0x20000u

enum vendor { VENDOR_INTEL = 1, VENDOR_AMD = 2, VENDOR_OTHER = 4 };

static enum vendor judge(void)
{
    static enum vendor known;
    uint32_t a, b, c, d;

    if (known)
        return known;
    known = VENDOR_OTHER;
    if (__get_cpuid(0, &a, &b, &c, &d)) {
        if (b == signature_INTEL_ebx && c == signature_INTEL_ecx && d == signature_INTEL_edx)
            known = VENDOR_INTEL;
        if (b == signature_AMD_ebx && c == signature_AMD_ecx && d == signature_AMD_edx)
            known = VENDOR_AMD;
    }
    return known;
}

/* ---- effects ---- */

/* The guest goes on; the CPU raises `vector` instead and has not moved. */
static bool faults_instead(const struct unit *u, unsigned vector)
{
    return u->vector == NATIVE_STOPPED && u->io->vector == vector &&
           u->io->out.eip == u->before->s.eip;
}

static bool repeats(const struct unit *u)
{
    return u->i.prefixes & (PFX_REP | PFX_REPNE);
}

/* The row's flags, and nothing else. */
static bool flags(const struct unit *u, struct allowance *a)
{
    (void)u, (void)a;
    return true;
}

/* Both stop in the middle. */
static bool flags_at_fault(const struct unit *u, struct allowance *a)
{
    (void)a;
    return repeats(u) && u->vector != NATIVE_STOPPED && u->io->vector != NATIVE_STOPPED &&
           u->io->out.eip == u->before->s.eip;
}

static bool both_zero(const struct unit *u, uint32_t at)
{
    for (unsigned k = 0; k < 2; k++) {
        uint32_t frame = native_frame_of(u->io, at + k);
        if (frame >= RAM_BYTES || u->ram[frame])
            return false;
    }
    return true;
}

static uint32_t page_of(uint32_t at)
{
    return at & ~GUEST_PAGE_MASK;
}

/* Of four bytes, does one of the upper two lie on another page than the lower two? */
static bool upper_half_beyond(uint32_t at)
{
    return page_of(at) == page_of(at + 1) && page_of(at) != page_of(at + 3);
}

/* The two bytes above the selector become 0. As four bytes the slot may be misaligned, or reach
 * into a page or beyond a limit where the selector alone does not. */
static bool slot_written_whole(const struct unit *u, struct allowance *a)
{
    uint32_t esp = u->before->s.gpr[ESP], at = u->before->base[SEG_SS] + esp - 4;
    bool odd = u->before->s.eflags & EFL_AC && (at & 3) == 2, two_pages = upper_half_beyond(at);
    uint32_t last = u->before->s.seg[SEG_SS] == NATIVE_SMALL ? 0x1fff : 0xffffffff;
    bool limit = esp - 4 == last - 1 || esp - 4 == last - 2;

    if (u->i.opsize != 4)
        return false;
    a->ram[VENDOR_RAM].at = at + 2;
    a->ram[VENDOR_RAM].bytes = 2;
    a->vector = limit && u->vector == VEC_PF && u->io->vector == VEC_SS;
    if (a->vector)
        return u->io->out.eip == u->before->s.eip;
    if (u->vector == NATIVE_STOPPED && u->io->vector == NATIVE_STOPPED)
        return both_zero(u, at + 2);
    if ((odd && faults_instead(u, VEC_AC)) || (limit && faults_instead(u, VEC_SS)) ||
        (two_pages && faults_instead(u, VEC_PF) && u->io->cr2 == page_of(at + 3))) {
        a->vector = a->eip = true;
        a->gpr = 1u << ESP;
        a->ram[VENDOR_RAM].at = at;
        a->ram[VENDOR_RAM].bytes = 4;
        return true;
    }
    return false;
}

/* The two bytes above the selector are read, too, before it is looked at: the slot may be
 * misaligned, or reach into another page, where the selector alone is not and does not. */
static bool slot_read_whole(const struct unit *u, struct allowance *a)
{
    uint32_t at = u->before->base[SEG_SS] + u->before->s.gpr[ESP];
    bool odd = u->before->s.eflags & EFL_AC && (at & 3) == 2 && u->io->vector == VEC_AC;
    bool two_pages =
        upper_half_beyond(at) && u->io->vector == VEC_PF && u->io->cr2 == page_of(at + 3);

    a->vector = a->eip = true;
    a->gpr = 1u << ESP;
    a->seg = 1u << u->i.operand[0].reg;
    return u->i.opsize == 4 && (odd || two_pages) && u->io->out.eip == u->before->s.eip &&
           (u->vector == NATIVE_STOPPED || u->vector == VEC_GP || u->vector == VEC_NP ||
            u->vector == VEC_SS);
}

/* With an RPL other than CPL the outer SS:ESP is read, and only then the selector looked at. */
static bool outer_stack_first(const struct unit *u, struct allowance *a)
{
    uint32_t cs = u->before->base[SEG_SS] + u->before->s.gpr[ESP] + u->i.opsize;
    uint32_t outer = cs + u->i.opsize + (u->i.opcode & 1 ? 0 : u->i.imm & 0xffff);
    uint32_t frame = native_frame_of(u->io, cs);

    a->vector = true;
    return frame < RAM_BYTES && (u->before->ram[frame] & 3) < 3 && u->vector == VEC_GP &&
           u->io->vector == VEC_PF && u->io->cr2 - outer < 2u * u->i.opsize &&
           u->io->out.eip == u->before->s.eip && u->after->s.eip == u->before->s.eip;
}

/* The upper bound is read before the index is compared with the lower one. */
static bool bounds_first(const struct unit *u, struct allowance *a)
{
    uint32_t upper = unit_address(u) + u->i.opsize;

    a->vector = true;
    return u->vector == VEC_BR && u->io->vector == VEC_PF && u->io->cr2 - upper < u->i.opsize &&
           u->io->out.eip == u->before->s.eip && u->after->s.eip == u->before->s.eip;
}

/* MOVNTSS or MOVNTSD, where Intel's CPUs have nothing. */
static bool scalar_stored(const struct unit *u, struct allowance *a)
{
    const struct operand *o = unit_memory(u);
    unsigned there = u->io->vector;

    a->vector = a->eip = true;
    if (!o || u->i.map != 1 || u->i.opcode != 0x2b || u->vector != VEC_UD)
        return false;
    a->ram[VENDOR_RAM].at = unit_address(u);
    a->ram[VENDOR_RAM].bytes = o->size;
    if (there == NATIVE_STOPPED)
        return u->io->out.eip == u->before->s.eip + u->i.len;
    a->ram[VENDOR_RAM].bytes = 0;
    return u->io->out.eip == u->before->s.eip &&
           (there == VEC_PF || there == VEC_AC || there == VEC_GP || there == VEC_SS);
}

/* MXCSR_MASK has MM. */
static bool mask_stored(const struct unit *u, struct allowance *a)
{
    a->ram[VENDOR_RAM].at = unit_address(u) + FX_MXCSR_MASK + 2;
    a->ram[VENDOR_RAM].bytes = 1;
    return unit_memory(u);
}

/* An unmasked exception keeps the result: nothing is stored. Only the CPU looks at the operand. */
static bool operand_first(const struct unit *u, struct allowance *a)
{
    uint8_t fsw = u->after->s.fx[FX_FSW] & (uint8_t)~u->before->s.fx[FX_FSW];
    const struct operand *o = unit_memory(u);

    a->vector = a->eip = a->fpu = true;
    return o && o->act & ACT_W && fsw & FSW_ES &&
           (faults_instead(u, VEC_PF) || faults_instead(u, VEC_GP) || faults_instead(u, VEC_SS) ||
            faults_instead(u, VEC_AC));
}

static bool no_nop_of_registers(const struct unit *u, struct allowance *a)
{
    a->vector = a->eip = true;
    return u->i.map == 1 && u->i.opcode == 0x0d && u->i.modrm >> 6 == 3 &&
           faults_instead(u, VEC_UD);
}

/* 16 bytes that need not be aligned, but for #AC: nothing is done then. */
static bool alignment_check(const struct unit *u, struct allowance *a)
{
    const struct operand *o = unit_memory(u);
    uint32_t at = unit_address(u);

    a->vector = a->eip = a->xmm = true;
    if (!o || !(u->before->s.eflags & EFL_AC) || !(at & 15) || !faults_instead(u, VEC_AC))
        return false;
    if (o->act & ACT_W) {
        a->ram[VENDOR_RAM].at = at;
        a->ram[VENDOR_RAM].bytes = 16;
    }
    if (u->i.op == OP_pcmpestri || u->i.op == OP_pcmpistri)
        a->gpr = 1u << ECX;
    return true;
}

/* F2 or F3, which means nothing here, decides about ZF as before SCAS: F3 LOOPNE is LOOPE. So the
 * CPU goes where the guest does not. */
static bool prefix_decides(const struct unit *u, struct allowance *a)
{
    uint32_t next = u->before->s.eip + u->i.len;
    uint32_t target = next + (uint32_t)(int8_t)u->i.bytes[u->i.len - 1];
    bool loope = u->i.op == OP_loope, means_loope = u->i.prefixes & PFX_REP;

    target &= u->i.opsize == 2 ? 0xffff : 0xffffffff;
    a->eip = true;
    return repeats(u) && loope != means_loope &&
           u->io->out.eip == (u->after->s.eip == next ? target : next);
}

/* MM is the one bit of a new MXCSR, `off` bytes into the operand, that Intel's CPUs do not have. */
static bool misaligned_mask(const struct unit *u, struct allowance *a)
{
    uint32_t off = u->i.op == OP_fxrstor ? FX_MXCSR : 0, val = 0;

    a->vector = a->eip = a->xmm = true;
    a->fpu = u->i.op == OP_fxrstor;
    if (u->vector != VEC_GP || u->io->vector != NATIVE_STOPPED || !unit_memory(u))
        return false;
    for (unsigned k = 0; k < 4; k++) {
        uint32_t frame = native_frame_of(u->io, unit_address(u) + off + k);
        val |= frame < RAM_BYTES ? (uint32_t)u->before->ram[frame] << 8 * k : 0;
    }
    return val >> 16 == MXCSR_MM >> 16;
}

/* ---- all of them ---- */

#define ASCII_FLAGS (EFL_OF | EFL_SF | EFL_ZF | EFL_PF)

static const char store_source[] =
    "SDM vol. 1, 8.5.1 and 8.7: nothing is stored, and no word about "
    "the address; measured";
static const char align_source[] =
    "SDM vol. 2, MOVDQU: #AC or not; APM vol. 4: #AC of a misaligned "
    "operand when alignment checking is on";

static struct {
    enum insn_op op;
    unsigned vendors;
    uint32_t eflags; /* that may differ */
    const char *what, *source;
    bool (*applies)(const struct unit *u, struct allowance *a);
} differences[] = {
    {OP_push_seg, VENDOR_AMD, 0, "a 32-bit slot is written whole, zero-extended",
     "SDM vol. 2B, PUSH: zero-extended or a 16-bit store; APM vol. 3, PUSH", slot_written_whole},
    {OP_pop_seg, VENDOR_AMD, 0, "a 32-bit slot is read whole",
     "SDM vol. 2B, POP: no word about the upper half; measured", slot_read_whole},
    {OP_ret_far, VENDOR_AMD, 0, "#PF of the outer stack before #GP of a selector with RPL < CPL",
     "SDM vol. 2B, RET: RPL is compared with CPL before the outer stack is looked at; measured",
     outer_stack_first},
    {OP_bound, VENDOR_AMD, 0, "#PF of the upper bound before #BR of the lower",
     "SDM vol. 2A, BOUND: no word about the order; measured", bounds_first},
    {OP_ud, VENDOR_AMD, 0, "F3 and F2 0F 2B are SSE4A's MOVNTSS and MOVNTSD",
     "SDM vol. 2D, A.3: #UD; APM vol. 4, MOVNTSS and MOVNTSD", scalar_stored},
    {OP_fxsave, VENDOR_AMD, 0, "bit 17 of MXCSR_MASK is MM",
     "SDM vol. 1, 11.6.6; APM vol. 1, 4.2.2", mask_stored},
    {OP_aaa, VENDOR_AMD, ASCII_FLAGS, "undefined flags", "SDM vol. 2A, AAA; APM vol. 3, AAA",
     flags},
    {OP_aas, VENDOR_AMD, ASCII_FLAGS, "undefined flags", "SDM vol. 2A, AAS; APM vol. 3, AAS",
     flags},
    {OP_daa, VENDOR_AMD, EFL_OF, "undefined OF", "SDM vol. 2A, DAA; APM vol. 3, DAA", flags},
    {OP_das, VENDOR_AMD, EFL_OF, "undefined OF", "SDM vol. 2A, DAS; APM vol. 3, DAS", flags},
    {OP_nop, VENDOR_AMD, 0, "0F 0D with a register is #UD",
     "SDM vol. 2D, A.3: a NOP; APM vol. 3, PREFETCHW: #UD, the operand was a register",
     no_nop_of_registers},
    {OP_cmps, VENDOR_AMD, EFL_ARITH, "flags of the last element at a fault",
     "SDM vol. 2B, REP: those from before; measured", flags_at_fault},
    {OP_scas, VENDOR_AMD, EFL_ARITH, "flags of the last element at a fault",
     "SDM vol. 2B, REP: those from before; measured", flags_at_fault},
    {OP_loope, VENDOR_AMD, 0, "F2 makes it LOOPNE",
     "SDM vol. 2A, 2.1.1: F2 and F3 are reserved here; APM vol. 3, 1.2.6; measured",
     prefix_decides},
    {OP_loopne, VENDOR_AMD, 0, "F3 makes it LOOPE",
     "SDM vol. 2A, 2.1.1: F2 and F3 are reserved here; APM vol. 3, 1.2.6; measured",
     prefix_decides},
    {OP_ldmxcsr, VENDOR_AMD, 0, "bit 17 of MXCSR is MM", "SDM vol. 1, 10.2.3; APM vol. 1, 4.2.2",
     misaligned_mask},
    {OP_fxrstor, VENDOR_AMD, 0, "bit 17 of MXCSR is MM", "SDM vol. 1, 10.2.3; APM vol. 1, 4.2.2",
     misaligned_mask},
    {OP_fst, VENDOR_AMD, 0, "a fault of an operand that is not stored", store_source,
     operand_first},
    {OP_fstp, VENDOR_AMD, 0, "a fault of an operand that is not stored", store_source,
     operand_first},
    {OP_fist, VENDOR_AMD, 0, "a fault of an operand that is not stored", store_source,
     operand_first},
    {OP_fistp, VENDOR_AMD, 0, "a fault of an operand that is not stored", store_source,
     operand_first},
    {OP_fisttp, VENDOR_AMD, 0, "a fault of an operand that is not stored", store_source,
     operand_first},
    {OP_fbstp, VENDOR_AMD, 0, "a fault of an operand that is not stored", store_source,
     operand_first},
    {OP_movups, VENDOR_AMD, 0, "#AC", align_source, alignment_check},
    {OP_movupd, VENDOR_AMD, 0, "#AC", align_source, alignment_check},
    {OP_movdqu, VENDOR_AMD, 0, "#AC", align_source, alignment_check},
    {OP_lddqu, VENDOR_AMD, 0, "#AC", align_source, alignment_check},
    {OP_pcmpestri, VENDOR_AMD, EFL_ARITH, "#AC", align_source, alignment_check},
    {OP_pcmpestrm, VENDOR_AMD, EFL_ARITH, "#AC", align_source, alignment_check},
    {OP_pcmpistri, VENDOR_AMD, EFL_ARITH, "#AC", align_source, alignment_check},
    {OP_pcmpistrm, VENDOR_AMD, EFL_ARITH, "#AC", align_source, alignment_check},
};

bool vendor_judges(void)
{
    for (unsigned k = 0; k < ARRAY_LEN(differences); k++)
        if (differences[k].vendors & judge())
            return true;
    return false;
}

bool vendor_differs(const struct unit *u, struct allowance *a)
{
    for (unsigned k = 0; u->have_insn && k < ARRAY_LEN(differences); k++) {
        if (u->i.op != differences[k].op || !(differences[k].vendors & judge()))
            continue;
        *a = (struct allowance){.eflags = differences[k].eflags};
        if (differences[k].applies(u, a))
            return true;
    }
    *a = (struct allowance){.everything = false};
    return false;
}
