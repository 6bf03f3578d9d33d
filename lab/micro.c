/* SPDX-License-Identifier: MIT */
/* micro.c - see micro.h. The machine is `ring1 run`'s own, started with a kernel of one
 * instruction; RAM and CPU are set afterwards. */
#define _GNU_SOURCE
#include "lab/micro.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "monitor/arch/segment.h"
#include "monitor/cpu/fpu.h"
#include "monitor/memory/page.h"
#include "shadow-mmu/mmu.h"

#define KERNEL   0x00600000u
#define SLICE_NS 1000000ull
#define SLICES   1000u
#define GATE_INT 0x8e00u /* 32-bit interrupt gate, DPL 0, present */

/* A multiboot header with addresses (section 3.1 of the specification), and HLT. */
static const uint32_t kernel[] = {0x1badb002, 0x00010000,  0u - (0x1badb002u + 0x00010000u),
                                  KERNEL,     KERNEL,      0,
                                  0,          KERNEL + 32, 0xf4};

static int kernel_file(char *path, size_t cap, struct error *e)
{
    int fd = memfd_create("micro-guest", 0);

    if (fd < 0 || write(fd, kernel, sizeof kernel) != (ssize_t)sizeof kernel)
        return error_set(e, "cannot make the micro-guest's file: %s", refusal(errno));
    snprintf(path, cap, "/proc/self/fd/%d", fd);
    return 0;
}

int micro_create(struct micro *m, enum exec_mode exec, uint32_t trace, int trace_fd,
                 struct error *e)
{
    static char path[64];
    static const uint16_t masks[] = {0x21, 0xa1}; /* of the 8259s: the PC's timer runs already */

    if (kernel_file(path, sizeof path, e))
        return -1;
    m->cfg = (struct config){.kernel = path,
                             .append = "",
                             .ram_size = 8 * MIB,
                             .cpu = cpu_model_at(0),
                             .exec = exec,
                             .cache_size = CACHE_MIN,
                             .sandbox = SANDBOX_OFF};
    if (machine_create(&m->machine, &m->cfg, e))
        return -1;
    for (unsigned n = 0; n < ARRAY_LEN(masks); n++)
        bus_write(&m->machine.vm.port, masks[n], 1, 0xff, vm_now(&m->machine.vm));
    if (trace) {
        m->machine.host.trace_fd = trace_fd;
        m->machine.host.host.trace_mask = trace;
    }
    return 0;
}

static void put(uint8_t *ram, uint32_t at, uint64_t value, unsigned size)
{
    memcpy(ram + at, &value, size);
}

/* A descriptor: attr is its bits 8-15 and 20-23, limit in its unit. */
static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(attr & 0xff) << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(attr >> 8 & 0xf) << 52 |
           (uint64_t)(base >> 24) << 56;
}

static void put_tables(uint8_t *ram)
{
    static const struct {
        uint16_t sel, attr;
        uint32_t base, limit;
    } rows[] = {
        {LAB_SEL_CODE, 0xc9b, 0, 0xfffff},      {LAB_SEL_DATA, 0xc93, 0, 0xfffff},
        {LAB_SEL_USER_CODE, 0xcfb, 0, 0xfffff}, {LAB_SEL_USER_DATA, 0xcf3, 0, 0xfffff},
        {LAB_SEL_TSS, 0x08b, LAB_TSS, 0x67},    {LAB_SEL_BASED, 0x493, LAB_DATA, 0xfff},
        {LAB_SEL_SPARE, 0xc92, 0, 0xfffff},     {LAB_SEL_LDT, 0x082, LAB_DATA, 0},
    };

    for (unsigned n = 0; n < ARRAY_LEN(rows); n++)
        put(ram, LAB_GDT + rows[n].sel, descriptor(rows[n].base, rows[n].limit, rows[n].attr), 8);
    for (uint32_t v = 0; v < 256; v++) {
        uint32_t handler = LAB_HANDLERS + 16 * v;
        put(ram, LAB_IDT + 8 * v, (handler & 0xffff) | LAB_SEL_CODE << 16, 4);
        put(ram, LAB_IDT + 8 * v + 4, (handler & 0xffff0000) | GATE_INT, 4);
        put(ram, handler, 0xb8, 1); /* mov eax, 0xee00 + v; add eax, ebp; hlt */
        put(ram, handler + 1, 0xee00 + v, 4);
        put(ram, handler + 5, 0xf4e801, 3);
    }
    put(ram, LAB_TSS + 4, LAB_STACK, 4); /* ESP0, SS0, the I/O map beyond the limit */
    put(ram, LAB_TSS + 8, LAB_SEL_DATA, 2);
    put(ram, LAB_TSS + 102, 0x68, 2);
}

static void set_segment(struct vcpu *v, struct seg *s, uint16_t sel)
{
    struct descriptor d;

    VMM_CHECK(descriptor_fetch(v, sel, &d));
    seg_from_descriptor(s, sel, d);
}

void micro_load(struct micro *m, const struct program *p)
{
    uint8_t *ram = m->machine.ram.base;

    memset(ram + LAB_CODE, 0, LAB_PAGES * GUEST_PAGE_SIZE);
    memcpy(ram + LAB_CODE, p->code, (size_t)(p->end - p->code));
    put_tables(ram);
    vm_ram_written(&m->machine.vm, LAB_CODE, LAB_PAGES * GUEST_PAGE_SIZE);
    micro_restart(m, p);
}

void micro_restart(struct micro *m, const struct program *p)
{
    struct vcpu *v = m->machine.vcpu;

    v->halted = false;
    v->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE;
    v->cr4 = 0;
    v->eflags = EFL_FIXED1;
    v->gdtr = (struct table_reg){.base = LAB_GDT, .limit = LAB_GDT_LIMIT};
    v->idtr = (struct table_reg){.base = LAB_IDT, .limit = 0x7ff};
    v->cpl = 0;
    memset(v->gpr, 0, sizeof v->gpr);
    v->gpr[ESP] = LAB_STACK;
    v->gpr[ESI] = p->esi;
    v->eip = v->next_eip = LAB_CODE;
    v->msr.sysenter_cs = LAB_SEL_CODE;
    v->msr.sysenter_esp = LAB_STACK;
    v->msr.sysenter_eip = LAB_HANDLERS + 16 * 0xf0;
    for (unsigned n = 0; n < SEG_COUNT; n++)
        set_segment(v, &v->seg[n], n == SEG_CS ? LAB_SEL_CODE : LAB_SEL_DATA);
    set_segment(v, &v->tr, LAB_SEL_TSS);
    set_segment(v, &v->ldtr, LAB_SEL_LDT);
    mmu_flush_all(v);
    vcpu_attend(v, ATT_MODE);
}

static uint64_t time_stamp(void)
{
    uint32_t lo, hi;

    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

void micro_run(struct micro *m, struct seen *out)
{
    struct vcpu *v = m->machine.vcpu;
    unsigned reason = EXIT_SLICE;
    uint64_t start = time_stamp();

    for (unsigned n = 0; n < SLICES && reason == EXIT_SLICE; n++) {
        reason = vcpu_run(v, SLICE_NS);
        fpu_park(v);
        vm_host_serve_trace(&m->machine.host);
    }
    out->cycles = time_stamp() - start;
    out->callouts = v->stats.bt_callouts;
    out->ended = reason == EXIT_HALT || reason == EXIT_SHUTDOWN_HALT;
    out->eax = v->gpr[EAX];
    out->iflag = v->eflags & EFL_IF;
    out->translated = v->stats.bt_blocks > 0;
}
