/* SPDX-License-Identifier: MIT */
/*
 * context.h - what a translation depends on besides the guest's code bytes, as one word.
 *
 * Promises   Two states with equal contexts run the same translation. What is not in the word is
 *            read at run time (segment bases) or makes bt_usable() false (16-bit code, TF, #AC
 *            checks...).
 */
#ifndef RING1_BT_CACHE_CONTEXT_H
#define RING1_BT_CACHE_CONTEXT_H

#include "monitor/cpu/vcpu.h"

/* State of a data or stack segment, two bits each. FS and GS are always CTX_SEG_BASED: kernels load
 * other selectors into them at every entry and exit, so their limits are looked at at run time. */
enum ctx_seg {
    CTX_SEG_OTHER,   /* read-only, unusable, expand-down: the interpreter's handler looks */
    CTX_SEG_FLAT,    /* base 0, limit 4 GiB, readable and writable */
    CTX_SEG_BASED,   /* the same with a base that is not 0, read from vcpu.seg[].base at run time */
    CTX_SEG_LIMITED, /* the same with any base and a lower limit, both read at run time */
};

#define CTX_CPL       0x0003u
#define CTX_SEG_SHIFT 2          /* + 2 * enum seg_id; CS: always flat when bt_usable() */
#define CTX_STACK32   (1u << 14) /* SS.B */
#define CTX_FPU       (1u << 15) /* CR0.EM = 0 and CR0.TS = 0: x87 and MMX run */
#define CTX_SSE       (1u << 16) /* CTX_FPU and CR4.OSFXSR */
#define CTX_WINDOW    (1u << 17) /* memory through vcpu.bt.window[]; else the software TLB */
#define CTX_TSC       (1u << 18) /* RDTSC is allowed */
#define CTX_X87_NE    (1u << 19) /* CR0.NE: x87 errors are #MF */
#define CTX_VALID     (1u << 31)

/* The guest's flags that the host's RFLAGS hold while translated code runs. */
#define LIVE_FLAGS (EFL_ARITH | EFL_DF)

static inline bool ctx_user(uint32_t ctx)
{
    return (ctx & CTX_CPL) == 3;
}
static inline enum ctx_seg ctx_seg(uint32_t ctx, unsigned seg)
{
    return (enum ctx_seg)(ctx >> (CTX_SEG_SHIFT + 2 * seg) & 3);
}

#endif
