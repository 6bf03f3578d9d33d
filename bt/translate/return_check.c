/* SPDX-License-Identifier: MIT */
/*
 * return_check.c - code that checks whether the guest address in r8d is that of the code after the
 * check. It stands where a RET arrives: after a call.
 *
 * How        docs/codegen.md section 6. Two forms of the same size, without a flag. First a load
 *            that traps unless the difference is 0, which is cheaper than a branch. The trap's
 *            handler replaces it by a branch and runs that: a check that failed once is likely to
 *            fail again, and a trap costs as much as a hundred look-ups.
 * Promises   return_check_to_branch() is async-signal-safe.
 * Source     SDM vol. 2A, chapter 2 (encoding); vol. 3A, section 9.1.3 (the IRET back from the
 *            handler lets the CPU see code that was written through another address).
 */
#include "bt/translate/tu.h"
#include "include/ring1/mem.h"

#define PAD 0x3e, 0x3e /* prefixes without a meaning: cheaper than a NOP */
/* lea r9d, [r8 + disp32] */
static const uint8_t lea_r9d[] = {PAD, 0x45, 0x8d, 0x88};
/* movzx r9d, byte [r15 + r9 + disp32] */
static const uint8_t load[] = {PAD, 0x47, 0x0f, 0xb6, 0x8c, 0x0f};
/* lea ecx, [r8 + disp32] */
static const uint8_t lea_ecx[] = {0x41, 0x8d, 0x88};

#define DIFFERENCE_AT ((uint32_t)sizeof lea_r9d)
#define LOAD_AT       (DIFFERENCE_AT + 4u)
#define CHECK_BYTES   (LOAD_AT + (uint32_t)sizeof load + 4u)

void return_check_emit(struct emit *e, const struct bt *bt, gla_t expected)
{
    emit_bytes(e, lea_r9d, sizeof lea_r9d);
    emit32(e, -expected);
    emit_bytes(e, load, sizeof load);
    emit32(e, bt->return_last);
}

/* Emits the check as a branch to `miss`, where the guest's rcx is in r9. */
static void emit_branch(struct emit *e, uint32_t difference, uint32_t miss)
{
    uint32_t at = e->at, same;

    emit_mov_rr64(e, R9, RCX);
    emit_bytes(e, lea_ecx, sizeof lea_ecx);
    emit32(e, difference);
    same = emit_jrcxz8(e);
    emit_jmp(e, miss);
    emit_here8(e, same);
    emit_mov_rr64(e, RCX, R9);
    VMM_CHECK(e->at - at == CHECK_BYTES);
}

bool return_check_to_branch(struct emit *e, uint32_t miss)
{
    uint32_t at = e->at - LOAD_AT, difference;

    if (memcmp(e->rw + e->at, load, sizeof load))
        return false;
    memcpy(&difference, e->rw + at + DIFFERENCE_AT, sizeof difference);
    e->at = at;
    emit_branch(e, difference, miss);
    e->at = at;
    return true;
}
