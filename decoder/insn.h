/* SPDX-License-Identifier: MIT */
/*
 * insn.h - the compact instruction record, and the one function that makes it.
 *
 * Promises   A record describes one IA-32 instruction completely: what the interpreter needs to
 *            execute it and what the translator needs to copy its bytes and edit prefixes, ModRM,
 *            SIB and displacement.
 * Source     Zydis decides validity and length; decoder/isa.def (the sensitivity table) decides
 *            class and operation.
 * Not here   Fetching guest bytes (shadow-mmu/access.h), executing (monitor/interp/).
 * Deviations docs/DEVIATIONS.md section 2.
 */
#ifndef RING1_DECODER_INSN_H
#define RING1_DECODER_INSN_H

#include "include/ring1/types.h"

#define INSN_MAX_LEN 15u

/* One operation per SDM mnemonic (forms that differ in class are different operations: mov,
 * mov_seg, mov_cr...). */
enum insn_op {
    OP_INVALID = 0,
#define OP(name, handler, emitter, traits) OP_##name,
#include "decoder/op.def"
#undef OP
    OP_COUNT
};

/* What is true of all encodings of an operation: op.def's last column, copied to insn.traits. */
#define T_NONE       0u
#define T_LOCK       0x000001u /* LOCK may stand before it when its first operand is memory */
#define T_STRING     0x000002u /* F2 and F3 repeat it */
#define T_SHIFT      0x000004u /* its last operand is a count; when that is 0, no flag changes */
#define T_COND       0x000008u /* the low four bits of its opcode are a condition */
#define T_HIDDEN     0x000010u /* writes a general register that is none of its operands */
#define T_DEST_STAYS 0x000020u /* sometimes leaves its first operand as it was */
#define T_NO_ACCESS  0x000040u /* names a memory operand and does not access it */
#define T_EVENT      0x000080u /* enters through the IDT: the flags go onto the stack */
#define T_SHADOW     0x000100u /* interrupts wait for the instruction after it */
#define T_SAME_CONTEXT                                                                             \
    0x000200u /* PRIVILEGED, IOPL or SENSITIVE, but changes no CPU mode or segment */
#define T_AT_EBX      0x000400u /* an implied memory operand: at [e]BX (+ AL) */
#define T_AT_EDI      0x000800u /* at [e]DI */
#define T_SIZE_1      0x001000u /* its operand size is 1, 4 or 8 whatever the prefixes say */
#define T_SIZE_4      0x002000u
#define T_SIZE_8      0x004000u
#define T_X87         0x008000u /* D8-DF */
#define T_X87_CONTROL 0x010000u /* leaves FIP, FDP and FOP alone (SDM vol. 1, 8.1.8) */
#define T_X87_NOWAIT  0x020000u /* does not look for pending errors (8.3.11, 8.3.12) */
#define T_UNALIGNED   0x040000u /* its 16 bytes of memory may lie anywhere (vol. 2A, 2.4, type 4) */
#define T_EAX_EDX_IN  0x080000u /* SSE: reads EAX and EDX, which are none of its operands */
#define T_ECX_OUT     0x100000u /* SSE: writes ECX, which is none of its operands */

/* Sensitivity classes: what an instruction does when its kernel is deprivileged. */
enum insn_class {
    CLS_IDENTICAL,  /* same bytes, same meaning in translated code */
    CLS_MEMORY,     /* only its address form changes */
    CLS_STACK,      /* uses esp implicitly */
    CLS_INVALID64,  /* needs another encoding in 64-bit mode */
    CLS_CONTROL,    /* changes eip, or raises an exception */
    CLS_PRIVILEGED, /* traps above CPL 0 */
    CLS_IOPL,       /* traps when CPL is above IOPL, unless the I/O bitmap allows it */
    CLS_SENSITIVE,  /* a hole: behaves differently and does not trap */
};

/* What rows of isa.def need; a set of them has bit n for feature n. */
enum isa_feature {
#define FEATURE(name, word, mask, text) ISA_##name,
#include "decoder/feature.def"
#undef FEATURE
    ISA_COUNT
};
_Static_assert(ISA_COUNT <= 32, "a set of features is 32 bits");
#define ISA_EVERY ((uint32_t)((1ull << ISA_COUNT) - 1))

enum operand_kind {
    OPK_NONE,
    OPK_GPR, /* reg: for size 1 the encoding order AL CL DL BL AH CH DH BH */
    OPK_MEM, /* address in insn.seg/base/index/scale/disp/addr_size */
    /* value in insn.imm, already sign-extended to the operand size; a second one in insn.imm2 */
    OPK_IMM,
    OPK_REL, /* branch displacement in insn.imm, sign-extended to 32 bits */
    OPK_FAR, /* ptr16:16 / ptr16:32: offset in insn.imm, selector in insn.imm2 */
    OPK_SEG, /* segment register reg */
    OPK_CR,
    OPK_DR,
    OPK_X87, /* st(reg) */
    OPK_MMX,
    OPK_XMM,
};
#define ACT_R 1u /* the operand is read */
#define ACT_W 2u /* the operand is written (CMOVcc counts as both) */
/* Where in the encoding an operand is named. */
enum operand_place {
    PLACE_NONE, /* implied, or an immediate, or an address without ModRM */
    PLACE_REG,  /* ModRM.reg */
    PLACE_RM,   /* ModRM.rm, with SIB and displacement */
    PLACE_CODE, /* the low three bits of the opcode */
};

struct operand {
    uint8_t kind; /* enum operand_kind */
    uint8_t reg;
    /* bytes as accessed: 1 2 4 6 8 10 16 ...; 0: not a plain size (FXSAVE area, LEA) */
    uint8_t size;
    uint8_t act : 4;   /* ACT_R | ACT_W */
    uint8_t place : 4; /* enum operand_place */
};

/* Prefixes present. */
#define PFX_LOCK     0x01u
#define PFX_REP      0x02u /* F3 */
#define PFX_REPNE    0x04u /* F2 */
#define PFX_OPSIZE   0x08u /* 66 */
#define PFX_ADDRSIZE 0x10u /* 67 */
#define PFX_SEG      0x20u

#define INSN_NO_REG 0xffu

struct insn {
    uint16_t op; /* enum insn_op */
    uint8_t len; /* bytes, 1-15 */
    uint8_t cls; /* enum insn_class */
    /* effective operand size: 1, 2, 4 bytes; 1 for byte forms. With XMM registers 16, with MMX
     * registers only (and for EMMS) 8 */
    uint8_t opsize;
    uint8_t addr_size;  /* 2 or 4 */
    uint8_t stack_size; /* not from the bytes: 2 or 4, copied from the mode */
    uint8_t prefixes;   /* PFX_* */
    uint8_t nops;       /* explicit operands in op[] */
    uint8_t cond;       /* condition code 0-15 of Jcc, SETcc, CMOVcc */
    /* Memory operand (or LEA, INVLPG, string operations' source segment). */
    uint8_t seg; /* enum seg_id after override; for string operations the segment of [e]si */
    uint8_t base, index; /* enum gpr_id or INSN_NO_REG */
    uint8_t scale;       /* shift count 0-3 */
    int32_t disp;        /* sign-extended; 0 when absent; moffs addresses too */
    uint32_t imm, imm2;  /* imm2: second immediate (ENTER level, selector of a far pointer) */
    /* explicit operands, Intel order; implicit ones are known to the handler */
    struct operand operand[4];
    /* Raw encoding. */
    uint8_t map;       /* 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A */
    uint8_t opcode;    /* last opcode byte */
    uint8_t modrm;     /* valid when off_modrm != 0 */
    uint8_t mandatory; /* mandatory prefix: 0, 0x66, 0xf2 or 0xf3 */
    uint8_t off_opcode, off_modrm, off_disp,
        off_imm; /* byte offsets in bytes[]; 0 when absent, except off_opcode */
    uint8_t disp_len, imm_len;
    /* EFL_* arithmetic bits and DF; written includes undefined ones. What is written only
     * sometimes counts as read, too. */
    uint16_t flags_read, flags_written;
    uint32_t traits; /* T_* */
    uint8_t bytes[16];
    const void *stub; /* the interpreter's generated FPU stub, NULL until it is made */
};

/* What decoding depends on besides the bytes. */
struct decode_mode {
    bool code32;  /* CS.D */
    bool stack32; /* SS.B */
};

enum decode_status {
    DECODE_OK,
    DECODE_MORE, /* a prefix of a valid instruction: more bytes are needed */
    DECODE_UD,   /* #UD: no instruction, or LOCK where it is illegal */
    DECODE_GP,   /* #GP(0): longer than 15 bytes */
};

/* Opaque decoder state, one per VM; decoder_init() writes it, everything else reads it. */
struct decoder {
    _Alignas(16) unsigned char space[16384];
};

/* Prepares *d for a CPU with these features (a set of enum isa_feature). Never fails. */
void decoder_init(struct decoder *d, uint32_t features);

/* Decodes the instruction at bytes[0..len), len <= 15, into *out. Calls Zydis: the caller has
 * parked the guest's FPU (monitor/cpu/fpu.h). *out is undefined unless DECODE_OK is returned.
 * Instructions outside the virtual CPU's repertoire (VEX, EVEX, 3DNow!, SSE4a, VMX, ...) are
 * DECODE_UD, and so are those whose feature was not given to decoder_init(). Where a CPU without
 * the feature sees another instruction (LZCNT and TZCNT: BSR and BSF), so does this. */
enum decode_status decoder_decode(const struct decoder *d, struct decode_mode mode,
                                  const uint8_t *bytes, unsigned len, struct insn *out);

/* Writes to *out the record of what decoder_decode() has just refused at bytes[0..len): an
 * instruction one byte long that raises #UD, or #GP. Its imm is the enum insn_op that the bytes are
 * on a CPU with every feature, if only a missing feature made them invalid; otherwise OP_INVALID.
 */
void decoder_undefined(const struct decoder *d, const uint8_t *bytes, unsigned len,
                       struct insn *out);

/* ---- what follows from a record (decoder/insn.c) ---- */

/* UD0, UD1, UD2, and what decoder_undefined() makes. */
static inline bool insn_is_undefined(const struct insn *i)
{
    return i->op == OP_ud;
}

/* May the instruction lead anywhere but to the next one, or change the CPU's mode, the interrupt
 * shadow or the meaning of the bytes after it? Straight runs of instructions end there. */
static inline bool insn_ends_run(const struct insn *i)
{
    return i->cls >= CLS_CONTROL;
}

/* Can it change the CPU's mode, privilege level or a segment? */
static inline bool insn_may_change_context(const struct insn *i)
{
    return insn_ends_run(i) && !(i->traits & T_SAME_CONTEXT);
}

/* A string instruction with a repeat prefix. Others ignore the prefix (SDM vol. 2B, REP): REP RET
 * and REP JMP are no loops. */
static inline bool insn_repeats(const struct insn *i)
{
    return (i->traits & T_STRING) && (i->prefixes & (PFX_REP | PFX_REPNE));
}

/* Of an MMX or SSE instruction: does CR4.OSFXSR matter? It does unless all vector registers are MMX
 * ones (SDM vol. 3B, "Exception Conditions of Legacy SIMD Instructions Operating on MMX
 * Registers"). */
static inline bool insn_needs_sse(const struct insn *i)
{
    return i->opsize != 8;
}

/* Has it an operand of this kind (enum operand_kind)? */
bool insn_names(const struct insn *i, unsigned kind);
/* The memory operand, or NULL. */
const struct operand *insn_memory(const struct insn *i);
/* Does it raise #GP(0) unless its memory operand is aligned on 16 bytes? (SDM vol. 2A, 2.4, types
 * 1, 2) */
bool insn_wants_alignment(const struct insn *i);
/* The operand that is named there (enum operand_place, not PLACE_NONE), or NULL. */
const struct operand *insn_operand_at(const struct insn *i, unsigned place);
/* Does it add a constant to a 32-bit register (ADD, SUB, INC, DEC, LEA), at most setting flags
 * besides? If so, *reg is that register and *by the constant; otherwise both are undefined. */
bool insn_adds_constant(const struct insn *i, unsigned *reg, uint32_t *by);

/* The operation's name ("add"), for traces and reports. */
const char *insn_op_name(unsigned op);

/* The class's name ("SENSITIVE"). */
const char *insn_class_name(unsigned cls);

/* Writes Intel-syntax text of *i at address `eip` into out[0..cap), always terminated. Calls Zydis,
 * so the guest's FPU must be parked. */
void decoder_format(const struct decoder *d, const struct insn *i, gla_t eip, bool code32,
                    char *out, size_t cap);

/* The same for the host's code, for traces: the 64-bit instruction at bytes[0..len), which is at
 * `address` (branch targets are shown relative to the same origin). Returns its length in bytes; 0,
 * and text that says so, when there is none. Calls Zydis. */
unsigned decoder_format_host(const uint8_t *bytes, unsigned len, uint64_t address, char *out,
                             size_t cap);

#endif
