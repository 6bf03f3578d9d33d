/* SPDX-License-Identifier: MIT */
/* service.c - see service.h. */
#include "host/metal/nucleus/service.h"

#include "host/metal/nucleus/clock.h"
#include "host/metal/nucleus/console.h"
#include "host/metal/nucleus/direct.h"
#include "host/metal/nucleus/frames.h"
#include "host/metal/nucleus/insn.h"
#include "host/metal/nucleus/lazy.h"
#include "host/metal/nucleus/pages.h"
#include "host/metal/nucleus/power.h"

volatile ns_t service_asked = NS_NEVER;
static struct vcpu *vcpu;

struct vcpu *service_vcpu(void)
{
    return vcpu;
}

/* Waiting for the first interrupt is enough: the caller looks whether it was the right one. */
static void wait_until(ns_t at)
{
    if (at != NS_NEVER)
        clock_arm(at);
    sti_hlt_cli();
    if (service_asked != NS_NEVER) /* the timer was used for the wait */
        clock_arm(service_asked);
}

/* From here on it is as before the first guest, but for the console and the date. */
static void forget_guest(uint64_t ram, uint64_t size)
{
    vcpu = NULL;
    trap_forget();
    console_screen_back();
    service_asked = NS_NEVER;
    direct_host_forget();
    pages_forget();
    lazy_forget();
    if (ram != NO_FRAME)
        frames_give(ram, size);
    clock_restart();
}

static uint64_t serve(struct trap_frame *f)
{
    uint64_t a = f->gpr[6], b = f->gpr[2], c = f->gpr[1], d = f->gpr[8];

    switch ((enum service)f->gpr[0]) {
    case SERVICE_WRITE:
        console_write((const char *)a, b);
        return 0;
    case SERVICE_SEND:
        console_send(c < CONSOLE_PORTS ? (unsigned)c : 0, (const char *)a, b);
        return 0;
    case SERVICE_SCREEN:
        console_screen((const uint16_t *)a, (unsigned)b);
        return 0;
    case SERVICE_RINGS:
        *(struct rings *)a = *trap_rings();
        return 0;
    case SERVICE_TAKE:
        return console_take((uint8_t *)a, b);
    case SERVICE_WAIT:
        wait_until(a);
        return 0;
    case SERVICE_ARM:
        service_asked = a;
        clock_arm(a);
        return 0;
    case SERVICE_MAP:
        return (uint64_t)pages_map(a, b, c, (unsigned)d);
    case SERVICE_UNMAP:
        pages_unmap(a, b);
        return 0;
    case SERVICE_PROTECT:
        return (uint64_t)pages_protect(a, b, (unsigned)c);
    case SERVICE_OPEN:
        return (uint64_t)lazy_open(a, b);
    case SERVICE_DROP:
        lazy_drop(a, b);
        return 0;
    case SERVICE_CLEAR:
        lazy_clear(a, b);
        return 0;
    case SERVICE_REGION:
        return lazy_add(a, b, (enum lazy_kind)c, d);
    case SERVICE_TAKE_FRAMES:
        return frames_take(a);
    case SERVICE_FRAMES_LEFT:
        return frames_left();
    case SERVICE_VCPU:
        vcpu = (struct vcpu *)a;
        return 0;
    case SERVICE_FORGET:
        forget_guest(a, b);
        return 0;
    case SERVICE_PIN:
        return (uint64_t)pages_pin(a);
    case SERVICE_DIRECT:
        break; /* service() */
    case SERVICE_POWER_OFF:
        power_off();
    case SERVICE_PANIC:
        panic(NULL, (const char *)a);
    }
    panic(f, "an unknown service was asked for");
}

void service(struct trap_frame *f)
{
    if (f->gpr[0] == SERVICE_DIRECT)
        direct_enter(f);
    else
        f->gpr[0] = serve(f);
}
