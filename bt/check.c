/* SPDX-License-Identifier: MIT */
/*
 * check.c - is the guest address in r8d that of the code behind? Asked where a jump through the
 * jump table arrives, and behind a call.
 *
 * How        docs/codegen.md section 6. Two forms of the same size, without a flag. First a load
 *            that traps unless the difference is 0, which is cheaper than a branch. The trap's
 *            handler replaces it by a branch and runs that: a check that failed once is likely to
 *            fail again, and a trap costs as much as a hundred look-ups.
 * Promises   bt_check_mismatch() is async-signal-safe.
 * Source     SDM vol. 2A, chapter 2 (encoding); vol. 3A, section 9.1.3 (the IRET back from the
 *            handler lets the CPU see code that was written through another address).
 */
#include "bt/priv.h"
#include "include/ring1/mem.h"

/* lea r9d, [r8 + disp32]; lea ecx, [r8 + disp32] */
static const uint8_t lea_r9d[] = {0x45, 0x8d, 0x88}, lea_ecx[] = {0x41, 0x8d, 0x88};
/* movzx r9d, byte [r10 + r9 + BT_RETURN_LAST] */
static const uint8_t load[] = {0x47, 0x0f, 0xb6, 0x4c, 0x0a, BT_RETURN_LAST};

#define LOAD_AT       (CACHE_CHECK_BYTES - (uint32_t)sizeof load)
#define DIFFERENCE_AT (LOAD_AT - 4u) /* the displacement of lea_r9d */

void bt_check_emit(struct emit *e, gla_t expected)
{
    uint32_t at = e->at;

    emit_mov_rm64(e, R10, VCPU(bt.return_top));
    emit_bytes(e, lea_r9d, sizeof lea_r9d);
    emit32(e, -expected);
    emit_bytes(e, load, sizeof load);
    VMM_CHECK(e->at - at == CACHE_CHECK_BYTES);
}

/* The same by a branch to `miss`, which has the guest's rcx in r9. */
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
    VMM_CHECK(e->at - at == CACHE_CHECK_BYTES);
}

/* Where a mismatch goes: behind a call, to the jump table; where the jump table led, out. */
static uint32_t miss_of(const struct bt *bt, uint32_t at)
{
    const struct bt_site *call = cache_site_at(&bt->cache, at);

    if (!call) /* before the block's first site */
        return bt->stubs.entry_other;
    return bt->stubs.return_other[ctx_user(bt->cache.blocks[call->block].ctx)];
}

bool bt_check_mismatch(struct vcpu *v, uint32_t *offset)
{
    struct bt *bt = v->translator;
    uint32_t at = *offset - LOAD_AT, difference;
    uint8_t *rw = bt->cache.arena->rw;

    if (*offset < bt->cache.fixed + LOAD_AT || memcmp(rw + *offset, load, sizeof load))
        return false;
    memcpy(&difference, rw + at + DIFFERENCE_AT, sizeof difference);
    struct emit e = {.rw = rw, .at = at, .end = (uint32_t)bt->cache.arena->size};
    emit_branch(&e, difference, miss_of(bt, at));
    v->stats.bt_check_branches++;
    *offset = at;
    return true;
}
