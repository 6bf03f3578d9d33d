/* SPDX-License-Identifier: MIT */
/* machine.c - the VM's parts; see monitor.h. */
#include "boot/build.h"
#include "bt/run/bt.h"
#include "devices/vga.h"
#include "host/metal/monitor.h"
#include "host/metal/nucleus/bootinfo.h"
#include "host/metal/nucleus/frames.h"
#include "host/metal/nucleus/insn.h"
#include "host/metal/nucleus/service.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/vcpu.h"
#include "monitor/interp/interp.h"
#include "shadow-mmu/window.h"

#define UMIP 4u /* CPUID.7.0:ECX */

static void serial_send(void *opaque, const uint8_t *bytes, size_t len)
{
    struct metal_port *p = opaque;

    for (size_t n = 0; n < len; n++) {
        p->out[p->len++] = bytes[n];
        if (p->len == METAL_OUT)
            metal_port_flush(p);
    }
}

/* A module's file name ends at the first space; the kernel's arguments follow. */
static const char *arguments(const char *cmdline)
{
    while (*cmdline && *cmdline != ' ')
        cmdline++;
    while (*cmdline == ' ')
        cmdline++;
    return cmdline;
}

static struct boot_image image_of(const struct module *m)
{
    return (struct boot_image){
        .bytes = frame_at(m->bytes.base), .size = m->bytes.size, .name = m->cmdline};
}

static int find_kernel(struct metal *m, const char **why)
{
    const struct bootinfo *b = metal_bootinfo();
    static struct boot_error e;

    if (!b->module_count) {
        *why = "no kernel: the boot loader must give it as the first module";
        return -1;
    }
    m->boot.kernel = image_of(&b->module[m->guest]);
    m->boot.cmdline = arguments(b->module[m->guest].cmdline);
    m->boot.kind = boot_recognise(&m->boot.kernel, &e);
    *why = e.text;
    if (m->boot.kind == BOOT_UNKNOWN)
        return -1;
    for (unsigned n = 1; !m->cfg.each && n < b->module_count && m->boot.module_count < BOOT_MODULES;
         n++)
        m->boot.module[m->boot.module_count++] = image_of(&b->module[n]);
    return 0;
}

/* What runs the guest besides the interpreter. */
static int create_engines(struct metal *m, struct machine_parts *p)
{
    p->bt = metal_alloc(m, bt_size(m->cfg.cache));
    p->window = metal_alloc(m, window_size());
    if (!p->bt || !p->window)
        return -1;
    p->direct_options =
        (struct direct_options){.user = m->cfg.direct_user,
                                .kernel = m->cfg.direct_kernel,
                                .umip = cpuid(0, 0).a >= 7 && (cpuid(7, 0).c & UMIP),
                                .bit_counts = true};
    if ((!m->cfg.direct_user && !m->cfg.direct_kernel) || m->cfg.lab_naive)
        return 0;
    p->direct = metal_alloc(m, direct_size(m->cfg.memory));
    return p->direct ? 0 : -1;
}

static int create_parts(struct metal *m, struct machine_parts *p)
{
    uint8_t *page = metal_alloc(m, m->cfg.memory >> GUEST_PAGE_SHIFT);
    void *interp = metal_alloc(m, interp_size());

    m->pc = metal_alloc(m, pc_size());
    if (!page || !interp || !m->pc)
        return -1;
    *p = (struct machine_parts){.vm = {.host = &m->host,
                                       .cpu_host = &m->cpu,
                                       .ram = frame_at(m->ram),
                                       .ram_size = m->cfg.memory,
                                       .page = page,
                                       .cpu = m->vcpu,
                                       .interp = interp,
                                       .cpu_model = m->cfg.cpu},
                                .pc = m->pc,
                                .boot = &m->boot};
    return m->cfg.interpret ? 0 : create_engines(m, p);
}

static int build(struct metal *m, const char **why)
{
    static struct machine_parts parts;
    static struct pc_config board;

    board = (struct pc_config){
        .acpi = true,
        .debug_exit_base = 0xf4,
        .debug_exit_size = 4,
        .vga_memory = metal_alloc(m, VGA_MEMORY),
        .vga_memory_size = VGA_MEMORY,
        .debugcon = {.opaque = &m->port[0], .send = m->cfg.debugcon ? serial_send : NULL},
    };
    for (unsigned n = 0; n < METAL_PORTS; n++) {
        m->port[n].number = n;
        board.serial[n] = (struct chardev){.opaque = &m->port[n], .send = serial_send};
        board.serial_present[n] = true;
    }
    *why = "the nucleus has no room for the monitor's memory regions";
    if (!board.vga_memory || create_parts(m, &parts))
        return -1;
    return vm_build(&m->vm, &parts, &board, why);
}

int metal_machine_bare(struct metal *m, const char **why)
{
    m->ram = nucleus_call(SERVICE_TAKE_FRAMES, m->cfg.memory, 0, 0, 0);
    if (m->ram == NO_FRAME) {
        *why = "this machine has less memory in one piece than memory= asks for";
        return -1;
    }
    memset(frame_at(m->ram), 0, m->cfg.memory);
    if (build(m, why))
        return -1;
    nucleus_call(SERVICE_VCPU, (uint64_t)m->vcpu, 0, 0, 0);
    return 0;
}

int metal_machine_init(struct metal *m, const char **why)
{
    static struct boot_error e;

    if (find_kernel(m, why) || metal_machine_bare(m, why))
        return -1;
    *why = e.text;
    return boot_start(&m->boot, &m->vm, m->pc, NULL, &e);
}
