/* SPDX-License-Identifier: MIT */
/*
 * scan.c - may this page run directly at CPL 3?
 *
 * Why every offset  Direct code may jump into the middle of what another path reads as one
 *            instruction, and nothing traps then. So each byte of the page is a possible beginning.
 * What matters  At CPL 3, with the guest's IF = 1 and IOPL = 0, nearly everything either does the
 *            same or traps. The rest all begins with 0F: CPUID, RDTSC and its kin (the host's answer
 *            is not the guest's), LAR, LSL, VERR, VERW (they read our descriptor table), SGDT, SIDT,
 *            SLDT, STR, SMSW unless the CPU has UMIP, and instructions that the host's CPU has and
 *            the guest's model has not. INT1 (F1) is recognised when it traps.
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

/* Opcodes 0F xx that are no instructions on any CPU, or raise #UD as the host is set up: SYSCALL and
 * SYSRET (EFER.SCE = 0), UD0, UD1, holes of the map. */
static bool always_ud(uint8_t opcode)
{
    static const uint8_t list[] = {0x04, 0x05, 0x07, 0x0a, 0x0c, 0x24, 0x25, 0x26, 0x27,
                                   0x36, 0x39, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0xb9, 0xff};

    for (unsigned n = 0; n < ARRAY_LEN(list); n++)
        if (list[n] == opcode)
            return true;
    return false;
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
    case OP_sgdt:
    case OP_sidt:
    case OP_sldt:
    case OP_str:
    case OP_smsw:
        return !d->umip;
    default:
        return false;
    }
}

/* The instruction 0F opcode modrm with one of the mandatory prefixes. */
static bool fine_with(struct vcpu *v, const struct direct *d, uint8_t prefix, const uint8_t *code,
                      unsigned len)
{
    static const struct decode_mode mode = {.code32 = true, .stack32 = true};
    uint8_t bytes[INSN_MAX_LEN] = {0};
    struct insn i;
    unsigned n = 0;

    if (prefix)
        bytes[n++] = prefix;
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

static bool fine(struct vcpu *v, const struct direct *d, const uint8_t *code, unsigned len)
{
    static const uint8_t prefixes[] = {0, 0x66, 0xf2, 0xf3};

    for (unsigned n = 0; n < ARRAY_LEN(prefixes); n++)
        if (!fine_with(v, d, prefixes[n], code, len))
            return false;
    return true;
}

/* Maps 0F 38 and 0F 3A have a third opcode byte before ModRM; few bytes look like them. */
static bool is_long(uint8_t opcode)
{
    return opcode == 0x38 || opcode == 0x3a;
}

static bool escape_fine(struct vcpu *v, struct direct *d, const uint8_t *code)
{
    uint8_t *known = &d->verdict[code[1]][code[2]];

    if (is_long(code[1]))
        return fine(v, d, code, 4);
    if (*known == V_UNSEEN)
        *known = fine(v, d, code, 3) ? V_FINE : V_HOLE;
    return *known == V_FINE;
}

/* Opcodes 0F xx that are fine with every ModRM: Jcc, SETcc, CMOVcc, MOVZX, MOVSX, IMUL. */
static bool fine_alone(uint8_t opcode)
{
    return (opcode & 0xe0) == 0x80 || (opcode & 0xf0) == 0x40 || opcode == 0xaf ||
           (opcode & 0xf6) == 0xb6;
}

/* The last bytes may be the beginning of an instruction that goes on in whatever page is mapped
 * next: only what is fine with every continuation may stand there. */
static bool end_fine(struct vcpu *v, struct direct *d, const uint8_t *bytes)
{
    const uint8_t *end = bytes + GUEST_PAGE_SIZE;

    if (end[-1] == ESCAPE || (end[-2] == ESCAPE && !fine_alone(end[-1])))
        return false;
    return end[-3] != ESCAPE || (!is_long(end[-2]) && escape_fine(v, d, end - 3));
}

bool scan_page(struct vcpu *v, struct direct *d, const uint8_t *bytes)
{
    fpu_park(v);
    for (unsigned n = 0; n + 3 < GUEST_PAGE_SIZE; n++)
        if (bytes[n] == ESCAPE && !escape_fine(v, d, bytes + n))
            return false;
    return end_fine(v, d, bytes);
}
