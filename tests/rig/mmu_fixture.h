/* SPDX-License-Identifier: MIT */
/*
 * mmu_fixture.h - a VM with RAM, a recording device and one CPU, without board or decoder; for
 * tests of memory, control registers, CPUID and MSRs.
 */
#ifndef RING1_TESTS_RIG_MMU_FIXTURE_H
#define RING1_TESTS_RIG_MMU_FIXTURE_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/arch/control.h"
#include "monitor/arch/exception.h"
#include "monitor/arch/msr.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/vm.h"
#include "monitor/memory/page.h"
#include "shadow-mmu/access.h"
#include "tests/rig/null_host.h"

#define FX_RAM      (16u << 20)
#define FX_MMIO     0xf0000000u
#define FX_NO_FAULT 0xffu

struct fx_log {
    unsigned reads, writes;
    uint32_t off[16], val[16];
    unsigned size[16];
};

static struct vm fx_vm;
static struct vcpu *fx_cpu;
static struct vmm_host fx_host;
static struct fx_log fx_log;
static struct null_world fx_world;

static uint32_t fx_dev_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    (void)dev, (void)now;
    fx_log.off[fx_log.reads % 16] = off;
    fx_log.size[fx_log.reads++ % 16] = size;
    return 0x44332211u >> (off & 3) * 8;
}

static void fx_dev_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    (void)dev, (void)now;
    fx_log.off[fx_log.writes % 16] = off;
    fx_log.val[fx_log.writes % 16] = val;
    fx_log.size[fx_log.writes++ % 16] = size;
}

static const struct dev_ops fx_dev = {
    .name = "recorder", .min_size = 1, .max_size = 4, .read = fx_dev_read, .write = fx_dev_write};
/* Flat 4-GiB segments, CPL 0, protected mode, paging off. */
static struct vcpu *fx_open(const char *model)
{
    const struct cpu_model *m = cpu_model_find(model);

    cr_assert(m);
    fx_host = null_host(&fx_world);
    fx_host.random32 = NULL; /* no RDRAND */
    fx_cpu = null_zeroed(sizeof *fx_cpu);
    null_vm(&fx_vm, &fx_world, &fx_host, fx_cpu, NULL, FX_RAM, m);
    cr_assert(bus_add(&fx_vm.mem, FX_MMIO, FX_MMIO + 0xffff, &fx_dev, NULL, 0) == 0);
    fx_cpu->delivering = 0xff;
    fx_cpu->eflags = EFL_FIXED1;
    fx_cpu->cr0 = CR0_ET | CR0_PE;
    fx_cpu->dr[6] = 0xffff0ff0;
    fx_cpu->dr[7] = 0x400;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        fx_cpu->seg[i] =
            (struct seg){.attr = 0xc093, .limit = ~0u, .hi = ~0u, .acc = SEG_ACC_R | SEG_ACC_W};
    msr_reset(fx_cpu);
    mmu_flush_all(fx_cpu);
    return fx_cpu;
}

/* Vector raised by fn(v, arg), or FX_NO_FAULT; *f has the error code. */
static unsigned fx_try(void (*fn)(struct vcpu *, void *), void *arg, struct fault *f)
{
    struct fault scratch;

    return fault_catch(fx_cpu, fn, arg, f ? f : &scratch) ? (f ? f : &scratch)->vector
                                                          : FX_NO_FAULT;
}

static inline void fx_put32(gpa_t gpa, uint32_t val)
{
    memcpy(fx_vm.ram + gpa, &val, 4);
}
static inline void fx_put64(gpa_t gpa, uint64_t val)
{
    memcpy(fx_vm.ram + gpa, &val, 8);
}
static inline uint32_t fx_get32(gpa_t gpa)
{
    uint32_t val;
    memcpy(&val, fx_vm.ram + gpa, 4);
    return val;
}

/* One access as data of fx_try(fx_access, ...). */
struct fx_op {
    gla_t gla;
    unsigned size, how;
    uint64_t val; /* written, or read */
};

static inline void fx_access(struct vcpu *v, void *arg)
{
    struct fx_op *op = arg;

    if (op->how & MMU_WRITE)
        lin_write_bytes(v, op->gla, &op->val, op->size, op->how);
    else
        lin_read_bytes(v, op->gla, &op->val, op->size, op->how);
}

#endif
