/* SPDX-License-Identifier: MIT */
/*
 * system.c - descriptor-table registers, control and debug registers, HLT, CLI, STI, TSC, MSRs,
 * CPUID, RDRAND, caches.
 *
 * Promises   Privileged instructions raise #GP(0) at CPL > 0 (always so in V86 mode); LLDT SLDT
 *            LTR STR raise #UD in real and V86 mode, where they are not recognised.
 * Source     SDM vol. 2 pages of the instructions; vol. 3A, section 5.9.
 * Not here   What the registers do (monitor/arch/control.h, msr.h, cpuid.h, segment.h, far.h).
 */
#include "monitor/arch/control.h"
#include "monitor/arch/far.h"
#include "monitor/arch/msr.h"
#include "monitor/arch/segment.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/vm.h"
#include "monitor/interp/operand.h"

/* ---- GDTR, IDTR ---- */

/* Limit at +0, base at +2; with a 16-bit operand size the base has 24 bits. */
static struct table_reg table_load(struct vcpu *v, const struct insn *i)
{
    uint32_t off = ea(v, i);
    struct table_reg t;

    require_cpl0(v);
    t.limit = mem_read16(v, i->seg, off);
    t.base = mem_read32(v, i->seg, ea_add(i, off, 2));
    if (i->opsize == 2)
        t.base &= 0xffffff;
    return t;
}

void i_lgdt(struct vcpu *v, const struct insn *i)
{
    v->gdtr = table_load(v, i);
}

void i_lidt(struct vcpu *v, const struct insn *i)
{
    v->idtr = table_load(v, i);
}

/* All 32 bits of the base are stored whatever the operand size. */
static void table_store(struct vcpu *v, const struct insn *i, const struct table_reg *t)
{
    uint8_t image[6];
    unsigned n;

    control_umip_check(v);
    image[0] = (uint8_t)t->limit;
    image[1] = (uint8_t)(t->limit >> 8);
    for (n = 0; n < 4; n++)
        image[2 + n] = (uint8_t)(t->base >> 8 * n);
    mem_write_bytes(v, i->seg, ea(v, i), image, sizeof image);
}

void i_sgdt(struct vcpu *v, const struct insn *i)
{
    table_store(v, i, &v->gdtr);
}

void i_sidt(struct vcpu *v, const struct insn *i)
{
    table_store(v, i, &v->idtr);
}

/* ---- LDTR, TR ---- */

void i_lldt(struct vcpu *v, const struct insn *i)
{
    require_protected(v);
    require_cpl0(v);
    seg_lldt(v, operand_get16(v, i, 0));
}

void i_ltr(struct vcpu *v, const struct insn *i)
{
    require_protected(v);
    require_cpl0(v);
    seg_ltr(v, operand_get16(v, i, 0));
}

void i_sldt(struct vcpu *v, const struct insn *i)
{
    require_protected(v);
    control_umip_check(v);
    operand_put_word(v, i, 0, v->ldtr.sel);
}

void i_str(struct vcpu *v, const struct insn *i)
{
    require_protected(v);
    control_umip_check(v);
    operand_put_word(v, i, 0, v->tr.sel);
}

/* ---- control and debug registers ---- */

/* A 32-bit register receives all of CR0, as every CPU with a 32-bit form does. */
void i_smsw(struct vcpu *v, const struct insn *i)
{
    uint16_t msw = control_smsw(v);

    if (!operand_is_mem(i, 0) && i->operand[0].size == 4)
        v->gpr[i->operand[0].reg] = v->cr0;
    else
        operand_put_word(v, i, 0, msw);
}

void i_lmsw(struct vcpu *v, const struct insn *i)
{
    require_cpl0(v);
    control_lmsw(v, operand_get16(v, i, 0));
}

void i_clts(struct vcpu *v, const struct insn *i)
{
    (void)i;
    control_clts(v);
}

/* The mod field is ignored: ModRM always names two registers. Opcode bit 1: to the system
 * register. */
static inline unsigned modrm_reg(const struct insn *i)
{
    return i->modrm >> 3 & 7;
}
static inline unsigned modrm_rm(const struct insn *i)
{
    return i->modrm & 7;
}

void i_mov_cr(struct vcpu *v, const struct insn *i)
{
    if (i->opcode & 2)
        control_write_cr(v, modrm_reg(i), v->gpr[modrm_rm(i)]);
    else
        v->gpr[modrm_rm(i)] = control_read_cr(v, modrm_reg(i));
}

void i_mov_dr(struct vcpu *v, const struct insn *i)
{
    if (i->opcode & 2)
        control_write_dr(v, modrm_reg(i), v->gpr[modrm_rm(i)]);
    else
        v->gpr[modrm_rm(i)] = control_read_dr(v, modrm_reg(i));
}

void i_invlpg(struct vcpu *v, const struct insn *i)
{
    control_invlpg(v, i->seg, ea(v, i));
}

/* Guest caches do not exist: memory is always coherent. */
void i_invd(struct vcpu *v, const struct insn *i)
{
    (void)i;
    require_cpl0(v);
}

void i_wbinvd(struct vcpu *v, const struct insn *i)
{
    (void)i;
    require_cpl0(v);
}

/* ---- HLT, interrupt flag ---- */

void i_hlt(struct vcpu *v, const struct insn *i)
{
    (void)i;
    require_cpl0(v);
    v->halted = true;
    vcpu_attend(v, ATT_KICK); /* the run loop waits */
}

void i_cli(struct vcpu *v, const struct insn *i)
{
    (void)i;
    eflags_cli(v);
}

void i_sti(struct vcpu *v, const struct insn *i)
{
    (void)i;
    eflags_sti(v);
}

/* CLAC, STAC: not at CPL > 0; the CPL of V86 mode is 3. */
static void smap_flag(struct vcpu *v, uint32_t ac)
{
    if (v->cpl != 0)
        fault_ud(v);
    v->eflags = (v->eflags & ~EFL_AC) | ac;
}

void i_clac(struct vcpu *v, const struct insn *i)
{
    (void)i;
    smap_flag(v, 0);
}

void i_stac(struct vcpu *v, const struct insn *i)
{
    (void)i;
    smap_flag(v, EFL_AC);
}

/* ---- counters, MSRs, CPUID, random numbers ---- */

static void put_edx_eax(struct vcpu *v, uint64_t val)
{
    v->gpr[EAX] = (uint32_t)val;
    v->gpr[EDX] = (uint32_t)(val >> 32);
}

void i_rdtsc(struct vcpu *v, const struct insn *i)
{
    (void)i;
    put_edx_eax(v, control_rdtsc(v));
}

/* No performance counters: every counter number is out of range. */
void i_rdpmc(struct vcpu *v, const struct insn *i)
{
    (void)i;
    fault_gp0(v);
}

void i_rdmsr(struct vcpu *v, const struct insn *i)
{
    (void)i;
    require_cpl0(v);
    put_edx_eax(v, msr_read(v, v->gpr[ECX]));
}

void i_wrmsr(struct vcpu *v, const struct insn *i)
{
    (void)i;
    require_cpl0(v);
    msr_write(v, v->gpr[ECX], (uint64_t)v->gpr[EDX] << 32 | v->gpr[EAX]);
}

void i_cpuid(struct vcpu *v, const struct insn *i)
{
    struct cpuid_result r = cpuid_leaf(v, v->gpr[EAX], v->gpr[ECX]);

    (void)i;
    v->gpr[EAX] = r.eax;
    v->gpr[EBX] = r.ebx;
    v->gpr[ECX] = r.ecx;
    v->gpr[EDX] = r.edx;
}

/* CF = 1 with a number; CF = 0 and 0 when there is none. */
void i_rdrand(struct vcpu *v, const struct insn *i)
{
    const struct vmm_host *h = v->vm->host;
    uint32_t val = 0;
    bool ok = h->random32(h->opaque, &val);

    reg_put(v, i->operand[0].reg, i->operand[0].size, ok ? val : 0);
    v->eflags = (v->eflags & ~EFL_ARITH) | (ok ? EFL_CF : 0);
}

/* There is no system-management mode to return from. */
void i_rsm(struct vcpu *v, const struct insn *i)
{
    (void)i;
    fault_ud(v);
}
