/* SPDX-License-Identifier: MIT */
/*
 * x87.c - x87 instructions other than those that move whole environments (x87_env.c), and WAIT.
 *
 * Order      #NM; then a pending error (#MF or FERR#); then the memory operand's faults; then the
 *            instruction.
 * Stores     The destination is probed first, since the stack may be popped. An unmasked response
 *            other than precision leaves memory unwritten (SDM vol. 1, section 8.5): seen in
 *            FSW.ES, which was clear before. Then a CPU does not look at the address either; where
 *            that may happen, the store is tried on the side first.
 * Pointers   We keep FIP, FCS, FDP, FDS and FOP: the CPU's would be addresses in the arena. A CPU
 *            model with CPUID 7.EBX[6] updates the data pointer only when an unmasked exception
 *            came up.
 */
#include "monitor/cpu/cpuid.h"
#include "monitor/interp/fpu_exec.h"

static void record_pointers(struct vcpu *v, const struct insn *i, uint32_t off)
{
    struct vcpu_fpu *f = &v->fpu;
    const struct cpu_model *m = v->vm->cpu_model;

    f->fip = v->eip;
    f->fcs = v->seg[SEG_CS].sel;
    f->fop = (uint16_t)((i->opcode & 7) << 8 | i->modrm);
    if (i->modrm >> 6 == 3)
        return;
    if (m && (m->feat_7_ebx & CPUID_7_EBX_FDP_EXCPTN_ONLY) && !x87_pending(v))
        return;
    f->fdp = off;
    f->fds = v->seg[i->seg].sel;
}

/* Did an unmasked exception keep the CPU from writing? Asked after a store. */
static bool store_suppressed(const struct vcpu *v)
{
    uint16_t fsw = x87_status(v);

    return (fsw & FSW_ES) && (fsw & ~x87_control(v) & FSW_EXCEPTIONS & ~FSW_PE);
}

#define FSW_SUPPRESSING (FSW_EXCEPTIONS & ~FSW_PE)

/* A store to a place that may fault, while exceptions are unmasked: does one of them suppress it?
 * Then it is done; otherwise nothing has happened. */
static bool suppressed_on_the_side(struct vcpu *v, const struct insn *i, const struct fpu_stub *s)
{
    struct fpu_io io = {.at = io.mem};

    if (!(~x87_control(v) & FSW_SUPPRESSING))
        return false;
    fpu_park(v);
    fpu_unpark(v);
    if (!fpu_stub_call(v, s, &io) && store_suppressed(v)) {
        record_pointers(v, i, ea(v, i));
        return true;
    }
    fpu_reload(v);
    return false;
}

static void x87_run(struct vcpu *v, const struct insn *i, const struct fpu_stub *s, gla_t gla)
{
    struct fpu_io io;
    uint16_t what = s->what;
    bool copy = what & (STUB_LOAD | STUB_STORE) && !fpu_mem_open(v, gla, s, &io);
    io.eax = v->gpr[EAX];
    io.flags = v->eflags & EFL_ARITH;
    if (fpu_stub_call(v, s, &io)) {
        x87_error(v);
        return;
    }
    if (what & STUB_EAX_OUT)
        v->gpr[EAX] = io.eax;
    if (what & STUB_FLAGS_OUT)
        v->eflags = (v->eflags & ~EFL_ARITH) | ((uint32_t)io.flags & EFL_ARITH);
    if (!(what & STUB_CONTROL))
        record_pointers(v, i, ea(v, i));
    else if (i->op == OP_fninit)
        v->fpu.fip = v->fpu.fdp = v->fpu.fcs = v->fpu.fds = v->fpu.fop = 0;
    if ((what & STUB_STORE) && copy && ((what & STUB_NOWAIT) || !store_suppressed(v)))
        fpu_mem_store(v, gla, io.mem, s->mem_size);
    if (unlikely(v->fpu.ferr))
        x87_ferr_update(v);
}

void i_x87(struct vcpu *v, const struct insn *i)
{
    gla_t gla = 0;

    x87_check_available(v);
    const struct fpu_stub *s = fpu_stub_get(v, i);
    fpu_unpark(v);
    if (s->what & (STUB_LOAD | STUB_STORE)) {
        if (!(s->what & STUB_NOWAIT) && unlikely(x87_pending(v))) {
            x87_error(v);
            return;
        }
        if ((s->what & (STUB_STORE | STUB_NOWAIT)) == STUB_STORE &&
            unlikely(suppressed_on_the_side(v, i, s)))
            return;
        gla = fpu_mem_linear(v, i, s->mem_size, s->what & STUB_STORE ? SEG_ACC_W : SEG_ACC_R, 1);
    }
    x87_run(v, i, s, gla);
}

void i_fwait(struct vcpu *v, const struct insn *i)
{
    (void)i;
    if ((v->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
        fault_raise(v, VEC_NM, NO_ERROR_CODE);
    if (x87_pending(v))
        x87_error(v);
}
