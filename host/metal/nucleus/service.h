/* SPDX-License-Identifier: MIT */
/*
 * service.h - what code at CPL 1 asks the nucleus for, by nucleus_call().
 *
 * Promises   Arguments and answers are in registers; general registers only. Pointers are the
 *            monitor's own: they are trusted, as the monitor's core is.
 */
#ifndef RING1_HOST_METAL_SERVICE_H
#define RING1_HOST_METAL_SERVICE_H

#include "include/ring1/types.h"

enum service {
    SERVICE_WRITE,       /* bytes, length: to the console */
    SERVICE_SEND,        /* bytes, length, port: to COM1 (0) or COM2 (1) alone */
    SERVICE_SCREEN,      /* cells, cursor: console_screen() */
    SERVICE_RINGS,       /* struct rings *: trap_rings() */
    SERVICE_TAKE,        /* buffer, size: input; answers the number of bytes */
    SERVICE_WAIT,        /* host time: sleeps until then or until any interrupt */
    SERVICE_ARM,         /* host time: break in then */
    SERVICE_MAP,         /* va, pa, length, rights: pages_map() */
    SERVICE_UNMAP,       /* va, length */
    SERVICE_PROTECT,     /* va, length, rights */
    SERVICE_OPEN,        /* va, length: lazy_open() */
    SERVICE_DROP,        /* va, length: lazy_drop() */
    SERVICE_CLEAR,       /* va, length: lazy_clear() */
    SERVICE_REGION,      /* va, length, enum lazy_kind, of: lazy_add() */
    SERVICE_TAKE_FRAMES, /* size: frames_take() */
    SERVICE_FRAMES_LEFT,
    SERVICE_VCPU,   /* struct vcpu *: whose traps are to be served */
    SERVICE_PIN,    /* va: pages_pin() */
    SERVICE_FORGET, /* its RAM or NO_FRAME, size: the guest is gone, and all that was made for it */
    SERVICE_DIRECT, /* struct direct_regs *: direct_enter() */
    SERVICE_POWER_OFF, /* ends; does not come back */
    SERVICE_PANIC,     /* text */
};

/* entry.S. At CPL 1 only. */
uint64_t nucleus_call(enum service s, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
_Noreturn void enter_ring1(void (*rip)(void), uint64_t rsp);

/* CPL 0: serves the call in *f. Defined in service.c, called by trap(). */
struct trap_frame;
void service(struct trap_frame *f);

/* What trap() needs to know of the vCPU. */
struct vcpu;
struct vcpu *service_vcpu(void);
/* Host time that SERVICE_ARM asked for last; NS_NEVER when it came. */
extern volatile ns_t service_asked;

#endif
