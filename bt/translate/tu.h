/* SPDX-License-Identifier: MIT */
/*
 * tu.h - one translation unit in the making, and what the emitters of all instruction groups share.
 *
 * Emitter    void t_<group>(struct tu *t, const struct insn *i): writes the host code of one guest
 *            instruction. It decides by t->ctx and *i and calls tu_callout(t) for every form it
 *            does not translate: that is always correct.
 * Registers  docs/codegen.md section 1. Guest registers are where they belong at every instruction
 *            boundary and at every host instruction that may trap. Scratch: r8-r11.
 * Flags      The host's arithmetic flags and DF *are* the guest's at every boundary and at every
 *            host instruction that may trap or go to a cold path: address arithmetic uses LEA, MOV,
 *            SHRX and JRCXZ only.
 * Faults     Nothing the guest can see has changed when a guest instruction reaches a host
 *            instruction that may trap, or a cold path: the interpreter then runs the *whole* guest
 *            instruction from its start. So: access memory first, then change registers, ESP last.
 * Cold path  Out-of-line code after the block: restores what the check clobbered and calls the
 *            interpreter's handler for the instruction, then goes on with the next one.
 */
#ifndef RING1_BT_TRANSLATE_TU_H
#define RING1_BT_TRANSLATE_TU_H

#include "bt/cache/state.h"
#include "bt/emit/emit.h"
#include "decoder/insn.h"
#include "monitor/interp/block.h"

#define TU_MAX_COLD  256u
#define TU_WRITE_MAX 16u  /* largest write that bt/run/write_map.h is asked about */
#define TU_ESP_MAX   1000 /* |esp_delta| beyond this is flushed */

/* A branch to a cold path that is yet to be written. */
struct tu_cold {
    uint32_t site;    /* position of the branch's 32-bit displacement */
    uint16_t insn;    /* index of the guest instruction in the unit */
    bool restore_rcx; /* the guest's rcx is in r10 */
    uint8_t write;    /* bytes written at r8d, if bt/run/write_map.h shall be asked; else 0 */
    uint32_t hit;     /* where to go on then, with r9 = addend and rcx restored */
};

/* A direct branch out of the unit: its 32-bit displacement is resolved at the unit's end. */
struct tu_exit {
    uint32_t site;
    gla_t target;
    uint16_t insns; /* of the unit that have run when it is taken */
};

struct tu {
    struct vcpu *v;
    struct bt *bt;
    struct emit e;
    uint32_t ctx;
    struct bt_block *block;
    unsigned count; /* guest instructions begun; the current one's index is count - 1 */
    struct xinsn decoded[BT_MAX_INSNS + 1]; /* of the unit, from its first on; only .insn is set */
    unsigned decoded_count;
    const struct xinsn *x;          /* the current one */
    gla_t eip, next_eip;            /* of them; CS is flat, so linear = offset */
    int32_t esp_delta;              /* guest esp = r12d + esp_delta (folding) */
    bool gs;                        /* window operands may be gs:[...] */
    uint8_t x87_last, x87_mem;      /* x87_pointers.c: number of the instruction + 1; 0: none */
    bool window;                    /* the current instruction's memory operands use the window */
    uint8_t string_operand;         /* ADAPT_USER_SI or _DI while its check is emitted, else 0 */
    uint8_t user_operands;          /* ADAPT_USER_*; bt/run/adapt.h */
    bool done;                      /* the unit ends after this instruction */
    uint32_t pos[BT_MAX_INSNS + 1]; /* host position where each instruction starts */
    int16_t esp_before[BT_MAX_INSNS + 1]; /* esp_delta at that point */
    bool resumes_last;                    /* something may come back after the last instruction */
    const uint8_t *page_bytes;            /* of the unit's page */
    unsigned exit_count;
    struct tu_exit exits[TU_MAX_EXITS];
    unsigned cold_count;
    struct tu_cold cold[TU_MAX_COLD];
};

typedef void bt_emit_fn(struct tu *t, const struct insn *i);

/* All emitters, by the emitter column of op.def. One that declines a form calls tu_callout(). */
#define OP(name, handler, emitter, traits) bt_emit_fn t_##emitter;
#include "decoder/op.def"
#undef OP
/* The emitter of an operation. Never NULL. */
bt_emit_fn *bt_emitter(unsigned op);

/* ---- vCPU fields as host memory operands ---- */
#define BT_OFF(field) ((int32_t)offsetof(struct vcpu, field) - BT_PTR_BIAS)
#define VCPU(field)   HMEM(R15, BT_OFF(field))

/* Host register that holds a guest general register. */
static inline unsigned host_gpr(unsigned guest)
{
    return guest == ESP ? R12 : guest;
}

/* Is the stack one that translated code can use? */
static inline bool tu_stack_ok(const struct tu *t)
{
    return t->ctx & CTX_STACK32 && ctx_seg(t->ctx, SEG_SS) != CTX_SEG_OTHER;
}

/* ---- callouts (bt/translate/callout.c) ---- */

/* Emits a callout: the interpreter's handler executes the current instruction, with all registers
 * exact. The unit goes on with the next instruction when EIP is that one's and neither attention,
 * context nor code changed; otherwise it is left. */
void tu_callout(struct tu *t);

/* Emits a callout for an instruction that goes elsewhere: what follows is looked up in the context
 * that it makes. The unit ends. */
void tu_callout_far(struct tu *t);

/* Makes r12d the guest's ESP again (esp_delta = 0). Keeps the flags. Before the first host byte of
 * an instruction, or after its last host instruction that may trap or miss; nowhere between. */
void tu_flush_esp(struct tu *t);

/* Goes to a cold path, written at the unit's end, that interprets the whole current instruction.
 * restore_rcx: the guest's rcx is in r10 there. */
void tu_cold_jump(struct tu *t, bool restore_rcx);

/* ---- memory operands (bt/translate/operand.c) ---- */
#define TU_R 1u
#define TU_W 2u /* TU_R | TU_W: read-modify-write, checked for writing */
/* The emitter accesses the operand at several displacements: none may wrap around to address 0. */
#define TU_PARTS 4u

/* Emits address arithmetic and check for the memory operand of *i, `size` bytes (1-16, 28, 108,
 * ...), and returns the host operand that accesses it. The operand uses r8, r9, r14 or the GS base,
 * and guest registers, and is valid until one of them is written; r10 is free afterwards, r11 is
 * never used here. On a miss the cold path runs the whole instruction. `what`: TU_R, TU_W or both,
 * perhaps TU_PARTS. Only when tu_mem_ok(t, i): else the emitter calls tu_callout(). */
struct hmem tu_mem(struct tu *t, const struct insn *i, unsigned size, unsigned what);
bool tu_mem_ok(const struct tu *t, const struct insn *i);
/* Effective address (without the segment's base), zero-extended, into host register `reg` (LEA; the
 * guest's folded ESP is taken into account). Handles 16-bit addressing. Keeps flags. */
void tu_ea(struct tu *t, const struct insn *i, unsigned reg);
/* The same check for [segment + guest register + disp], e.g. stack slots, string operands. */
struct hmem tu_mem_at(struct tu *t, unsigned seg, unsigned gpr, int32_t disp, unsigned size,
                      unsigned what);
/* The same for the effective address in r8d (tu_ea(t, i, R8), perhaps changed since). */
struct hmem tu_mem_r8(struct tu *t, unsigned seg, unsigned size, unsigned what);
/* Offset of the software TLB's set for an operand whose ADAPT_USER_* bit is `which`: the user's, if
 * the operand lies on user pages. For supervisor code such a unit looks at EFLAGS.AC first: what is
 * emitted here goes to the cold path when AC is clear. Clobbers r10. */
int32_t tu_tlb_set(struct tu *t, unsigned which);
/* May SHRX, SHLX, SARX, RORX, PEXT be emitted? */
bool tu_bmi2(const struct tu *t);

/* ---- copying (bt/translate/reencode.c) ---- */
/* Writes *i again with its memory operand replaced by m, or (m NULL) with register operands only:
 * prefixes, REX for guest ESP and m, opcode, ModRM, immediate. Handles AH..BH beside an m that
 * needs REX. */
void tu_reencode(struct tu *t, const struct insn *i, const struct hmem *m);

/* ---- control (bt/translate/control.c) ---- */
/* Leaves the unit for a known target: chained when it lies on the same page, else through the jump
 * map. ESP must be flushed. */
void tu_jump(struct tu *t, gla_t target);
/* Leaves the unit for the guest target in r8d, through the jump map. Clobbers r9. */
void tu_jump_indirect(struct tu *t);
/* r13 was used as scratch: makes it the jump map again. Keeps the flags. */
void tu_jump_map_again(struct tu *t);

/* ---- the unit (bt/translate/translate.c) ---- */
/* The instruction after the current one, decoded; NULL if it crosses the page's end or is none. */
const struct xinsn *tu_peek(struct tu *t);

/* ---- x87 pointers (bt/translate/x87_pointers.c) ---- */
/* To be called after the copy of an x87 instruction that is not a control instruction. */
void tu_x87_remember(struct tu *t, const struct insn *i, bool memory);
/* To be called before the site of *i is made; the second then writes to *s what the site must say.
 */
void tu_x87_before(struct tu *t, const struct insn *i);
void tu_x87_mark(const struct tu *t, struct bt_site *s);
/* To be called after the code of *i. */
void tu_x87_after(struct tu *t, const struct insn *i);
/* Emits the stores of what is remembered. */
void tu_x87_flush(struct tu *t);

/* ---- what also the stubs are made of ---- */
/* Emits: r9 = host address of the code for guest address r8d, or of exit_lookup. Keeps flags. */
void tu_jump_map_emit(struct emit *e, const struct bt *bt);

/* Emits a check that r8d is `expected`: only then is the code after it reached. Clobbers r9
 * (bt/translate/return_check.c). */
void return_check_emit(struct emit *e, const struct bt *bt, gla_t expected);
/* The load at e->at trapped. If it belongs to such a check, writes a branch to `miss` in the
 * check's place and moves e->at to where that begins. False: it does not, and nothing was written.
 */
bool return_check_to_branch(struct emit *e, uint32_t miss);

/* ---- the end of a unit ---- */
/* Writes the stubs of the unit's exits, after its hot part. */
void tu_write_exits(struct tu *t);
/* Writes the cold paths of missed memory operands. */
void tu_write_cold(struct tu *t);

#endif
