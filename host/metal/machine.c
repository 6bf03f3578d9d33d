/* SPDX-License-Identifier: MIT */
/* machine.c - the VM's parts; see monitor.h. */
#include "bt/run/bt.h"
#include "direct/direct.h"
#include "host/metal/monitor.h"
#include "host/metal/nucleus/bootinfo.h"
#include "host/metal/nucleus/frames.h"
#include "host/metal/nucleus/insn.h"
#include "host/metal/nucleus/service.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/vcpu.h"
#include "monitor/interp/interp.h"
#include "monitor/memory/page.h"
#include "monitor/run/assemble.h"
#include "shadow-mmu/window.h"

#define UMIP         4u /* CPUID.7.0:ECX */
#define VGA_HOLE     0xa0000u
#define VGA_HOLE_LEN 0x20000u

static void serial_send(void *opaque, const uint8_t *bytes, size_t len)
{
    struct metal *m = opaque;

    for (size_t n = 0; n < len; n++) {
        m->out[m->out_len++] = bytes[n];
        if (m->out_len == METAL_OUT)
            metal_flush(m);
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
    m->boot.kernel = image_of(&b->module[0]);
    m->boot.cmdline = arguments(b->module[0].cmdline);
    m->boot.kind = boot_recognise(&m->boot.kernel, &e);
    *why = e.text;
    if (m->boot.kind == BOOT_UNKNOWN)
        return -1;
    for (unsigned n = 1; n < b->module_count && m->boot.module_count < BOOT_MODULES; n++)
        m->boot.module[m->boot.module_count++] = image_of(&b->module[n]);
    return 0;
}

static int create_vm(struct metal *m, const char **why)
{
    uint8_t *page = metal_alloc(m->cfg.memory >> GUEST_PAGE_SHIFT);
    void *interp = metal_alloc(interp_size());

    *why = "the nucleus has no room for the monitor's memory regions";
    m->pc = metal_alloc(pc_size());
    if (!page || !interp || !m->pc)
        return -1;
    vm_assemble(&m->vm, &(struct vm_parts){.host = &m->host,
                                           .cpu_host = &m->cpu,
                                           .ram = frame_at(m->ram),
                                           .ram_size = m->cfg.memory,
                                           .page = page,
                                           .cpu = m->vcpu,
                                           .interp = interp,
                                           .cpu_model = NULL});
    vm_set_page_kind(&m->vm, VGA_HOLE, VGA_HOLE_LEN, PAGE_MMIO);
    if (m->cfg.interpret)
        return 0;
    void *bt = metal_alloc(bt_size(m->cfg.cache)), *window = metal_alloc(window_size());
    static const struct bt_options options;
    if (!bt || !window)
        return -1;
    window_init(m->vcpu, window);
    bt_init(m->vcpu, bt, &options);
    struct direct_options o = {.user = m->cfg.direct_user,
                               .kernel = m->cfg.direct_kernel,
                               .umip = cpuid(0, 0).a >= 7 && (cpuid(7, 0).c & UMIP)};
    if (!o.user && !o.kernel)
        return 0;
    void *direct = metal_alloc(direct_size(m->cfg.memory));
    if (!direct)
        return -1;
    direct_init(m->vcpu, direct, &o);
    return 0;
}

static int create_board(struct metal *m, const char **why)
{
    const struct boot *b = &m->boot;
    struct pc_config pc = {
        .cmdline = b->cmdline,
        .kernel = b->kernel.bytes,
        .kernel_size = (uint32_t)b->kernel.size,
        .initrd = b->module_count ? b->module[0].bytes : NULL,
        .initrd_size = b->module_count ? (uint32_t)b->module[0].size : 0,
        .acpi = true,
        .debug_exit_base = 0xf4,
        .debug_exit_size = 4,
        .serial = {{.opaque = m, .send = serial_send}},
        .serial_present = {true},
    };

    vm_wire_pc(&m->vm, m->pc, &pc);
    return pc_init(m->pc, &pc, why);
}

int metal_machine_init(struct metal *m, const char **why)
{
    static struct boot_error e;

    if (find_kernel(m, why))
        return -1;
    m->ram = nucleus_call(SERVICE_TAKE_FRAMES, m->cfg.memory, 0, 0, 0);
    if (m->ram == NO_FRAME) {
        *why = "this machine has less memory in one piece than memory= asks for";
        return -1;
    }
    memset(frame_at(m->ram), 0, m->cfg.memory);
    if (create_vm(m, why) || create_board(m, why))
        return -1;
    nucleus_call(SERVICE_VCPU, (uint64_t)m->vcpu, 0, 0, 0);
    *why = e.text;
    return boot_start(&m->boot, &m->vm, m->pc, NULL, &e);
}
