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

#include "monitor/cpu/fpu.h"
#include "monitor/memory/page.h"

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

/* image: what is at LAB_CODE. */
static void put(uint8_t *image, uint32_t at, uint64_t value, unsigned size)
{
    memcpy(image + (at - LAB_CODE), &value, size);
}

/* A descriptor: attr is its bits 8-15 and 20-23, limit in its unit. */
static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(attr & 0xff) << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(attr >> 8 & 0xf) << 52 |
           (uint64_t)(base >> 24) << 56;
}

static void put_tables(uint8_t *image)
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
        put(image, LAB_GDT + rows[n].sel, descriptor(rows[n].base, rows[n].limit, rows[n].attr), 8);
    for (uint32_t v = 0; v < 256; v++) {
        uint32_t handler = LAB_HANDLERS + 16 * v;
        put(image, LAB_IDT + 8 * v, (handler & 0xffff) | LAB_SEL_CODE << 16, 4);
        put(image, LAB_IDT + 8 * v + 4, (handler & 0xffff0000) | GATE_INT, 4);
        put(image, handler, 0xb8, 1); /* mov eax, 0xee00 + v; add eax, ebp; hlt */
        put(image, handler + 1, 0xee00 + v, 4);
        put(image, handler + 5, 0xf4e801, 3);
    }
    put(image, LAB_TSS + 4, LAB_STACK, 4); /* ESP0, SS0, the I/O map beyond the limit */
    put(image, LAB_TSS + 8, LAB_SEL_DATA, 2);
    put(image, LAB_TSS + 102, 0x68, 2);
}

const struct micro_state micro_state = {.base = LAB_CODE,
                                        .eip = LAB_CODE,
                                        .esp = LAB_STACK,
                                        .sysenter_esp = LAB_STACK,
                                        .sysenter_eip = LAB_HANDLERS + 16 * 0xf0,
                                        .gdt_base = LAB_GDT,
                                        .gdt_limit = LAB_GDT_LIMIT,
                                        .idt_base = LAB_IDT,
                                        .idt_limit = 0x7ff,
                                        .code = LAB_SEL_CODE,
                                        .data = LAB_SEL_DATA,
                                        .tss = LAB_SEL_TSS,
                                        .ldt = LAB_SEL_LDT};

void micro_image(uint8_t *out, const struct program *p)
{
    memset(out, 0, MICRO_BYTES);
    memcpy(out, p->code, (size_t)(p->end - p->code));
    put_tables(out);
}

void micro_load(struct micro *m, const struct program *p)
{
    micro_image(m->machine.ram.base + LAB_CODE, p);
    vm_ram_written(&m->machine.vm, LAB_CODE, MICRO_BYTES);
    micro_restart(m, p);
}

void micro_restart(struct micro *m, const struct program *p)
{
    VMM_CHECK(micro_enter(m->machine.vcpu, &micro_state, p->esi));
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
