/* SPDX-License-Identifier: MIT */
/*
 * io.c - IN OUT INS OUTS.
 *
 * Promises   Permission (IOPL, TSS bitmap) first, also of a REP that has nothing to do; INS has
 *            checked that its destination can be written before the port is read, so that no device
 *            loses a byte to a page fault. Bytes of an access beyond port 0xffff read as ones and
 *            are not written.
 * Source     SDM vol. 1, chapter 19; vol. 2A: IN, INS; vol. 2B: OUT, OUTS.
 */
#include "monitor/arch/control.h"
#include "monitor/arch/segment.h"
#include "monitor/cpu/breakpoint.h"
#include "monitor/cpu/trace.h"
#include "monitor/interp/rep.h"

#define PORT_LAST 0xffffu

static uint32_t bus_in(struct vm *vm, uint32_t port, unsigned size)
{
    uint32_t val = bus_read(&vm->port, port, size, vm_now(vm));

    if (trace_wants(vm, TRACE_ACCESSES))
        trace_access(vm, &vm->port, false, port, size, val);
    return val;
}

static void bus_out(struct vm *vm, uint32_t port, unsigned size, uint32_t val)
{
    if (trace_wants(vm, TRACE_ACCESSES))
        trace_access(vm, &vm->port, true, port, size, val);
    bus_write(&vm->port, port, size, val, vm_now(vm));
}

static uint32_t port_read(struct vcpu *v, uint16_t port, unsigned size)
{
    uint32_t val = 0xffffffffu;
    unsigned n;

    v->stats.port_reads++;
    if (v->dr_armed)
        breakpoint_note_access(v, port, size, BREAK_IO);
    if (port + size - 1 <= PORT_LAST)
        return bus_in(v->vm, port, size);
    for (n = 0; port + n <= PORT_LAST; n++) {
        val &= ~(0xffu << 8 * n);
        val |= (bus_in(v->vm, port + n, 1) & 0xff) << 8 * n;
    }
    return val;
}

static void port_write(struct vcpu *v, uint16_t port, unsigned size, uint32_t val)
{
    unsigned n;

    v->stats.port_writes++;
    if (v->dr_armed)
        breakpoint_note_access(v, port, size, BREAK_IO);
    if (size < 4)
        val &= (1u << 8 * size) - 1;
    if (port + size - 1 <= PORT_LAST) {
        bus_out(v->vm, port, size, val);
        return;
    }
    for (n = 0; port + n <= PORT_LAST; n++)
        bus_out(v->vm, port + n, 1, val >> 8 * n & 0xff);
}

/* E4-E7: immediate byte; EC-EF: DX. */
static uint16_t port_number(const struct vcpu *v, const struct insn *i)
{
    return i->opcode & 8 ? (uint16_t)v->gpr[EDX] : (uint16_t)(i->imm & 0xff);
}

/* Even opcodes move a byte, odd ones a word or doubleword. */
static unsigned port_size(const struct insn *i)
{
    return i->opcode & 1 ? i->opsize : 1;
}

void i_in(struct vcpu *v, const struct insn *i)
{
    uint16_t port = port_number(v, i);
    unsigned size = port_size(i);

    io_check(v, port, size);
    reg_put(v, EAX, size, port_read(v, port, size));
}

void i_out(struct vcpu *v, const struct insn *i)
{
    uint16_t port = port_number(v, i);
    unsigned size = port_size(i);

    io_check(v, port, size);
    port_write(v, port, size, v->gpr[EAX]);
}

/* A device may ask for anything: look up after every element, but not for an interrupt that is
 * masked. */
static uint32_t io_urgent(const struct vcpu *v)
{
    return v->eflags & EFL_IF ? ~0u : ~ATT_INTR;
}

static bool ins_step(struct vcpu *v, const struct insn *i)
{
    uint16_t port = (uint16_t)v->gpr[EDX];
    uint32_t off = rep_reg(v, i, EDI), val;
    gla_t gla;

    gla = seg_linear(v, SEG_ES, off, i->opsize, SEG_ACC_W);
    lin_probe(v, gla, i->opsize, lin_how(v) | MMU_WRITE);
    val = port_read(v, port, i->opsize);
    mem_write(v, SEG_ES, off, i->opsize, val);
    rep_reg_add(v, i, EDI, rep_stride(v, i));
    return true;
}

static bool outs_step(struct vcpu *v, const struct insn *i)
{
    uint16_t port = (uint16_t)v->gpr[EDX];
    uint32_t val;

    val = mem_read(v, i->seg, rep_reg(v, i, ESI), i->opsize);
    port_write(v, port, i->opsize, val);
    rep_reg_add(v, i, ESI, rep_stride(v, i));
    return true;
}

void i_ins(struct vcpu *v, const struct insn *i)
{
    io_check(v, (uint16_t)v->gpr[EDX], i->opsize);
    rep_loop(v, i, ins_step, NULL, io_urgent(v));
}

void i_outs(struct vcpu *v, const struct insn *i)
{
    io_check(v, (uint16_t)v->gpr[EDX], i->opsize);
    rep_loop(v, i, outs_step, NULL, io_urgent(v));
}
