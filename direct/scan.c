/* SPDX-License-Identifier: MIT */
/*
 * scan.c - may this page run directly at CPL 3?
 *
 * How        Most pages hold nothing that matters at any offset, which each of their bytes is
 *            looked at for: whatever path leads into such a page, it is clean. In the others the
 *            bytes of a hole may be the middle of a longer instruction or data. They are read as
 *            instructions from where the page was entered, then from their beginning; only a
 *            program that jumps into the middle of what is read so can tell (docs/DEVIATIONS.md).
 * What matters  At CPL 3, with the guest's IF = 1 and IOPL = 0, nearly everything either does the
 *            same or traps. The rest begins with 0F: CPUID, RDTSC and its kin (the host's
 *            answer is not the guest's), LAR, LSL, VERR, VERW (they read our descriptor table),
 *            SGDT, SIDT, SLDT, STR, SMSW unless the CPU has UMIP, and instructions that the host's
 *            CPU has and the guest's model has not; and VEX, XOP and TSX forms (foreign()). INT1
 *            (F1) is recognised when it traps.
 * Source     decoder/isa.def; SDM vol. 2D, appendix A.
 */
#include "decoder/insn.h"
#include "direct/direct_priv.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/vm.h"

enum verdict { V_UNSEEN, V_FINE, V_HOLE };

#define ESCAPE 0x0f
/* An immediate or a displacement may follow: zeroes. */
#define TAIL 12u
/* After so many bytes, whoever begins in the middle of an instruction reads what others do. */
#define HEAD 48u

/* Opcodes 0F xx of which those forms that the decoder knows not raise #UD on every CPU: holes of
 * the map, UD0, UD1, groups with empty places, forms with a register where memory must be or the
 * other way round; SYSCALL and SYSRET, as the host has EFER.SCE = 0. Not among them: what some CPU
 * has (3DNow!, VMX, SSE4a, 0F 01, 0F AE, 0F C7...). */
static bool always_ud(uint8_t opcode)
{
    static const uint8_t list[] = {0x04, 0x05, 0x07, 0x0a, 0x0c, 0x13, 0x17, 0x20, 0x21, 0x22, 0x23,
                                   0x24, 0x25, 0x26, 0x27, 0x36, 0x39, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
                                   0x50, 0x6c, 0x6d, 0x71, 0x72, 0x73, 0x7a, 0x7b, 0x7c, 0x7d, 0xb2,
                                   0xb4, 0xb5, 0xb9, 0xba, 0xc3, 0xd7, 0xe7, 0xf7, 0xff};

    for (unsigned n = 0; n < ARRAY_LEN(list); n++)
        if (list[n] == opcode)
            return true;
    if (opcode == 0x2b || opcode == 0x78 || opcode == 0x79)
        return false;
    /* The maps of MMX and SSE: which prefix belongs to which is the same everywhere, but for
     * SSE4a's MOVNTSS and MOVNTSD (2B). */
    return (opcode & 0xf8) == 0x10 || (opcode & 0xf8) == 0x28 || (opcode & 0xe0) == 0x60 ||
           (opcode & 0xf0) == 0x50 || opcode >= 0xd0 || opcode == 0xc2 ||
           (opcode >= 0xc4 && opcode <= 0xc6);
}

static bool is_hole(const struct direct *d, const struct insn *i)
{
    switch (i->op) {
    case OP_cpuid:
    case OP_rdtsc:
    case OP_lar:
    case OP_lsl:
    case OP_verr:
    case OP_verw:
        return true;
    case OP_bsf:
    case OP_bsr:
        return d->options.bit_counts && (i->prefixes & PFX_REP);
    case OP_sgdt:
    case OP_sidt:
    case OP_sldt:
    case OP_str:
    case OP_smsw:
        return !d->options.umip;
    default:
        return false;
    }
}

/* The mandatory prefixes; the first is none. */
static const uint8_t mandatory[SCAN_PREFIXES] = {0, 0x66, 0xf2, 0xf3};
#define EVERY_PREFIX ((1u << SCAN_PREFIXES) - 1)

/* The instruction that begins with these bytes, after one of the mandatory prefixes. */
static bool fine(struct vcpu *v, const struct direct *d, unsigned prefix, const uint8_t *code,
                 unsigned len)
{
    static const struct decode_mode mode = {.code32 = true, .stack32 = true};
    uint8_t bytes[INSN_MAX_LEN] = {0};
    struct insn i;
    unsigned n = 0;

    if (prefix)
        bytes[n++] = mandatory[prefix];
    memcpy(bytes + n, code, len);
    switch (decoder_decode(&v->vm->decoder, mode, bytes, n + TAIL, &i)) {
    case DECODE_OK:
        return !is_hole(d, &i);
    case DECODE_UD:
        return always_ud(code[1]);
    case DECODE_MORE:
    case DECODE_GP:
        break;
    }
    return false;
}

/* Maps 0F 38 and 0F 3A have a third opcode byte before ModRM; few bytes look like them. */
static bool is_long(uint8_t opcode)
{
    return opcode == 0x38 || opcode == 0x3a;
}

static bool fine_known(struct vcpu *v, struct direct *d, unsigned prefix, const uint8_t *code)
{
    uint8_t *known = &d->verdict[prefix][code[1]][code[2]];

    if (is_long(code[1]))
        return fine(v, d, prefix, code, 4);
    if (*known == V_UNSEEN)
        *known = fine(v, d, prefix, code, 3) ? V_FINE : V_HOLE;
    return *known == V_FINE;
}

static bool is_prefix(uint8_t byte)
{
    return byte == 0x66 || byte == 0x67 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3 ||
           (byte & 0xe7) == 0x26 || byte == 0x64 || byte == 0x65;
}

/* Which mandatory prefixes may stand before byte n, bit 0: none. What the page before ends with is
 * not known. */
static unsigned prefixes_before(const uint8_t *page, unsigned n)
{
    unsigned set = 1;

    for (; n && is_prefix(page[n - 1]); n--)
        for (unsigned k = 1; k < SCAN_PREFIXES; k++)
            if (page[n - 1] == mandatory[k])
                set |= 1u << k;
    return n ? set : EVERY_PREFIX;
}

static bool escape_fine(struct vcpu *v, struct direct *d, const uint8_t *page, unsigned n)
{
    unsigned set = prefixes_before(page, n);

    for (unsigned k = 0; k < SCAN_PREFIXES; k++)
        if ((set & 1u << k) && !fine_known(v, d, k, page + n))
            return false;
    return true;
}

/* Opcodes 0F xx that are fine with every ModRM: Jcc, SETcc, CMOVcc, MOVZX, MOVSX, IMUL. */
static bool fine_alone(uint8_t opcode)
{
    return (opcode & 0xe0) == 0x80 || (opcode & 0xf0) == 0x40 || opcode == 0xaf ||
           (opcode & 0xf6) == 0xb6;
}

/* Instructions on general registers that some CPUs have without CR4.OSXSAVE, and the guest's has
 * not: BMI (VEX, maps 2 and 3), TBM (XOP), XBEGIN, XABORT. */
static bool foreign(uint8_t opcode, uint8_t next)
{
    switch (opcode) {
    case 0xc4:
        return (next & 0xde) == 0xc2;
    case 0x8f:
        return (next & 0xdf) == 0xc9 || (next & 0xdf) == 0xca;
    case 0xc6:
    case 0xc7:
        return next == 0xf8;
    default:
        return false;
    }
}

static bool foreign_begins(uint8_t opcode)
{
    return opcode == 0xc4 || opcode == 0x8f || opcode == 0xc6 || opcode == 0xc7;
}

/* The last bytes may be the beginning of an instruction that goes on in whatever page is mapped
 * next: only what is fine with every continuation may stand there. */
static bool end_fine(struct vcpu *v, struct direct *d, const uint8_t *bytes)
{
    const uint8_t *end = bytes + GUEST_PAGE_SIZE;

    if (foreign_begins(end[-1]) || foreign(end[-2], end[-1]) || foreign(end[-3], end[-2]))
        return false;
    if (end[-1] == ESCAPE || (end[-2] == ESCAPE && !fine_alone(end[-1])))
        return false;
    return end[-3] != ESCAPE ||
           (!is_long(end[-2]) && escape_fine(v, d, bytes, GUEST_PAGE_SIZE - 3));
}

/* What a kernel at CPL 1 would find out, or lose, without a trap: the IF and IOPL that PUSHF reads
 * and POPF and IRET load, the RPL of CS and SS; and that a selector of RPL 1 is not CPL 0's. */
static bool is_kernel_hole(const struct direct *d, const struct insn *i)
{
    switch (i->op) {
    case OP_pushf:
    case OP_popf:
    case OP_iret:
    case OP_call_far:
    case OP_jmp_far:
    case OP_ret_far:
    case OP_pop_seg:
    case OP_lds:
    case OP_les:
    case OP_lfs:
    case OP_lgs:
    case OP_lss:
        return true;
    case OP_push_seg:
    case OP_mov_seg:
        if (i->op == OP_mov_seg && i->operand[0].kind == OPK_SEG)
            return true;
        for (unsigned n = 0; n < i->nops; n++)
            if (i->operand[n].kind == OPK_SEG && (i->operand[n].act & ACT_R) &&
                (i->operand[n].reg == SEG_CS || i->operand[n].reg == SEG_SS))
                return true;
        return false;
    default:
        return is_hole(d, i);
    }
}

/* What the decoder does not know at byte n, or what goes on in the next page: is it surely no
 * hole? */
static bool unknown_fine(struct vcpu *v, struct direct *d, enum role role, const uint8_t *page,
                         unsigned n)
{
    while (n < GUEST_PAGE_SIZE && is_prefix(page[n]))
        n++;
    unsigned left = GUEST_PAGE_SIZE - n;
    if (!left)
        return false;
    uint8_t opcode = page[n];
    if (left > 3)
        return opcode == ESCAPE ? escape_fine(v, d, page, n) : !foreign(opcode, page[n + 1]);
    if (opcode == ESCAPE)
        return left > 1 && fine_alone(page[n + 1]);
    if (left > 1)
        return !foreign(opcode, page[n + 1]);
    return !foreign_begins(opcode) &&
           (role == ROLE_USER || (opcode != 0x8c && opcode != 0x8e && opcode != 0xff &&
                                  opcode != 0xc5 && opcode != 0x9a && opcode != 0xea));
}

/* Reads bytes first..end-1 as instructions, one after the other. False: one is a hole. */
static bool sweep(struct vcpu *v, struct direct *d, enum role role, const uint8_t *page,
                  unsigned first, unsigned end)
{
    static const struct decode_mode mode = {.code32 = true, .stack32 = true};
    struct insn i;

    for (unsigned n = first; n < end;) {
        unsigned len = GUEST_PAGE_SIZE - n < INSN_MAX_LEN ? GUEST_PAGE_SIZE - n : INSN_MAX_LEN;
        bool known = decoder_decode(&v->vm->decoder, mode, page + n, len, &i) == DECODE_OK;
        if (!known && !unknown_fine(v, d, role, page, n))
            return false;
        if (known && (role == ROLE_USER ? is_hole(d, &i) : is_kernel_hole(d, &i)))
            return false;
        n += known ? i.len : 1;
    }
    return true;
}

bool scan_page(struct vcpu *v, struct direct *d, enum role role, const uint8_t *bytes,
               unsigned entry)
{
    bool every = role == ROLE_USER; /* a kernel's holes are single bytes, which stand everywhere */

    fpu_park(v);
    for (unsigned n = 0; n + 3 < GUEST_PAGE_SIZE && every; n++)
        every = bytes[n] == ESCAPE ? escape_fine(v, d, bytes, n) : !foreign(bytes[n], bytes[n + 1]);
    if (every && end_fine(v, d, bytes))
        return true;
    v->stats.direct_swept++;
    /* The page may begin in the middle of an instruction. */
    for (unsigned n = 1; n < INSN_MAX_LEN; n++)
        if (!sweep(v, d, role, bytes, n, HEAD))
            return false;
    return sweep(v, d, role, bytes, entry, GUEST_PAGE_SIZE) && sweep(v, d, role, bytes, 0, entry);
}
