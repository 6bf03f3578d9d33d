/* SPDX-License-Identifier: MIT */
/* trap.c - see trap.h. */
#include "host/metal/nucleus/trap.h"

#include "host/metal/nucleus/clock.h"
#include "host/metal/nucleus/console.h"
#include "host/metal/nucleus/direct.h"
#include "host/metal/nucleus/insn.h"
#include "host/metal/nucleus/layout.h"
#include "host/metal/nucleus/lazy.h"
#include "host/metal/nucleus/service.h"
#include "include/ring1/direct.h"
#include "monitor/cpu/engine.h"
#include "monitor/cpu/vcpu.h"

#define ERROR_PRESENT 1u
#define ERROR_WRITE   2u
#define ERROR_FETCH   16u

static struct rings rings;

const struct rings *trap_rings(void)
{
    return &rings;
}

void trap_forget(void)
{
    rings = (struct rings){0};
}

/* f: as the CPU pushed it, when guest code ran. */
static void ring_seen(const struct trap_frame *f, const struct vcpu *v)
{
    rings.seen[f->cs & 3][v->cpl & 3]++;
}

/* Labels in fpu_call.S, not functions. */
extern const uint8_t fpu_call_return[], fpu_call_fault[];

static void regs_get(struct host_regs *r, const struct trap_frame *f)
{
    for (unsigned n = 0; n < 16; n++)
        r->gpr[n] = f->gpr[n];
    r->gpr[4] = f->rsp;
    r->rip = f->rip;
    r->rflags = f->rflags;
    r->cs = (uint16_t)f->cs;
    r->ss = (uint16_t)f->ss;
}

static void regs_set(struct trap_frame *f, const struct host_regs *r)
{
    for (unsigned n = 0; n < 16; n++)
        f->gpr[n] = r->gpr[n];
    f->rsp = r->gpr[4];
    f->rip = r->rip;
    f->rflags = r->rflags;
}

static enum trap_kind kind_of(const struct trap_frame *f)
{
    if (f->vector == VEC_DB)
        return TRAP_STEP;
    if (f->vector != VEC_PF)
        return TRAP_OTHER;
    if (f->error & ERROR_FETCH)
        return TRAP_FETCH;
    return f->error & ERROR_WRITE ? TRAP_WRITE : TRAP_READ;
}

/* Asks the engines whether the trap was their code's. */
static bool trap_of_engine(struct trap_frame *f)
{
    struct vcpu *v = service_vcpu();
    struct host_regs r;

    if (!v || (f->cs & 3) != 1)
        return false;
    regs_get(&r, f);
    if (!engines_host_trap(v, &r, kind_of(f), read_cr2()))
        return false;
    ring_seen(f, v);
    regs_set(f, &r);
    return true;
}

/* An exception of the guest's instruction in a stub (monitor/interp/fpu_stub.h): its caller is told
 * the vector. */
static bool trap_of_stub(struct trap_frame *f)
{
    if ((f->cs & 3) != 1 || *(const uint64_t *)f->rsp != (uint64_t)fpu_call_return)
        return false;
    f->rip = (uint64_t)fpu_call_fault;
    f->gpr[0] = f->vector;
    return true;
}

/* A debug trap that no engine takes is no error: whoever asked for it may have left meanwhile. */
static void debug_trap(struct trap_frame *f)
{
    if (!trap_of_engine(f))
        f->rflags &= ~(uint64_t)EFL_TF;
}

static void break_in(struct trap_frame *f, uint32_t why)
{
    struct vcpu *v = service_vcpu();
    struct host_regs r;

    if (!v)
        return;
    vcpu_attend(v, why);
    if (direct_is(f)) {
        ring_seen(f, v);
        direct_leave(f, DIRECT_ASKED);
        return;
    }
    if ((f->cs & 3) != 1)
        return;
    regs_get(&r, f);
    if (engines_break_in(v, &r)) {
        ring_seen(f, v);
        regs_set(f, &r);
    }
}

static void timer(struct trap_frame *f)
{
    ns_t asked = service_asked;

    if (asked == NS_NEVER)
        return;
    if (asked > clock_now()) { /* farther away than the timer can count, or a wait's */
        clock_arm(asked);
        return;
    }
    service_asked = NS_NEVER;
    break_in(f, ATT_TIME | ATT_KICK);
}

static void interrupt(struct trap_frame *f)
{
    if (f->vector == VECTOR_SPURIOUS)
        return;
    if (clock_interrupt((unsigned)f->vector)) {
        timer(f);
        return;
    }
    console_interrupt();
    break_in(f, ATT_KICK);
}

/* The engines' words come first: what follows the registers may fault. */
static _Noreturn void give_up(const struct trap_frame *f, const char *what)
{
    static struct engine_report said;
    static bool again; /* the tables that engines read may be broken */
    struct vcpu *v = service_vcpu();

    if (v && !again) {
        again = true;
        engines_report(v, f->rip, &said);
        console_write(said.text, said.len);
    }
    panic(f, what);
}

uint64_t trap_count;

void trap(struct trap_frame *f)
{
    trap_count++;
    if (f->vector >= VECTOR_PIC) {
        if (f->vector == VECTOR_SERVICE) {
            service(f);
            return;
        }
        interrupt(f);
        if (direct_is(f) && direct_would_lose())
            direct_leave(f, DIRECT_ASKED);
        return;
    }
    if (direct_is(f) && f->vector != VEC_NMI && f->vector != VEC_DF && f->vector != VEC_MC) {
        ring_seen(f, service_vcpu());
        direct_leave(f, (unsigned)f->vector);
        return;
    }
    switch (f->vector) {
    case VEC_DB:
        debug_trap(f);
        return;
    case VEC_PF:
        if (!(f->error & ERROR_PRESENT) || (f->error & ERROR_WRITE))
            if (lazy_fault(read_cr2(), f->error & ERROR_WRITE))
                return;
        if (trap_of_engine(f))
            return;
        break;
    case VEC_NMI:
        give_up(f, "a non-maskable interrupt came");
    default:
        if (trap_of_engine(f) || trap_of_stub(f))
            return;
    }
    give_up(f, "a trap that nobody expected");
}
