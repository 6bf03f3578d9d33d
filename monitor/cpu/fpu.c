/* SPDX-License-Identifier: MIT */
/*
 * fpu.c - moves the guest's x87/MMX/SSE registers between the host's registers and vcpu.fpu.area.
 *
 * Promises   After fpu_park() the host's x87 stack is empty and FCW and MXCSR are what C code
 *            expects.
 * Invariant  Of a CPU and its partner, which share the host's registers, at most one is live.
 * Invariant  The MXCSR and MXCSR_MASK in area are always what this host's CPU accepts: FXRSTOR
 *            cannot fault.
 * Not here   The x87 pointers that the guest sees (vcpu.fpu.fip ...): those in area are addresses
 *            of the host and mean nothing.
 * Source     SDM vol. 1, section 10.5 (FXSAVE image); vol. 3A, table 10-1 (state after reset).
 */
#include "monitor/cpu/fpu.h"

#include "include/ring1/mem.h"
#include "monitor/cpu/fpu_image.h"
#include "monitor/cpu/vm.h"

#define FCW_RESET     0x0040u
#define MXCSR_DEFAULT 0x1f80u

struct fxsave_bytes {
    uint8_t byte[FXSAVE_SIZE];
};

/* The guest's CPU is Intel's: its MXCSR has no bit above 15, whatever the host's has. (AMD's has
 * MM, bit 17, with which nothing misaligned is #GP: AMD64 APM vol. 1, 4.2.2.) */
static void area_save(uint8_t *area)
{
    __asm__ volatile("fxsave %0" : "=m"(*(struct fxsave_bytes *)area));
    image_put16(area, FX_MXCSR_MASK + 2, 0);
}

void fpu_reset(struct vcpu *v)
{
    uint8_t *area = v->fpu.area;

    fpu_park(v);
    area_save(area); /* for MXCSR_MASK */
    uint32_t mask = image_get32(area, FX_MXCSR_MASK);
    memset(area, 0, FXSAVE_SIZE);
    image_put16(area, FX_FCW, FCW_RESET);
    area[FX_FTW] = 0xff;
    image_put32(area, FX_MXCSR, MXCSR_DEFAULT);
    image_put32(area, FX_MXCSR_MASK, mask ? mask : MXCSR_MASK_DEFAULT);
    v->fpu.fip = v->fpu.fdp = 0;
    v->fpu.fcs = v->fpu.fds = v->fpu.fop = 0;
    if (v->fpu.ferr && v->vm->board_ops && v->vm->board_ops->ferr)
        v->vm->board_ops->ferr(v->vm->board, false);
    v->fpu.ferr = false;
}

static void park(struct vcpu *v)
{
    uint32_t mxcsr = MXCSR_DEFAULT;

    area_save(v->fpu.area);
    __asm__ volatile("fninit\n\tldmxcsr %0" : : "m"(mxcsr) : "memory");
    v->fpu.live = false;
    v->stats.fpu_parks++;
}

void fpu_park(struct vcpu *v)
{
    if (v->fpu.live)
        park(v);
    else if (v->fpu_partner && v->fpu_partner->fpu.live)
        park(v->fpu_partner);
}

void fpu_unpark(struct vcpu *v)
{
    if (v->fpu.live)
        return;
    if (v->fpu_partner && v->fpu_partner->fpu.live)
        park(v->fpu_partner);
    __asm__ volatile("fxrstor %0" : : "m"(*(const struct fxsave_bytes *)v->fpu.area) : "memory");
    v->fpu.live = true;
    v->stats.fpu_unparks++;
}

void fpu_reload(struct vcpu *v)
{
    v->fpu.live = false;
    fpu_unpark(v);
}
