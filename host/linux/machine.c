/* SPDX-License-Identifier: MIT */
/* machine.c - see machine.h. The wires between board (devices), CPU (monitor) and this process. */
#define _GNU_SOURCE
#include "host/linux/machine.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "host/linux/lockstep.h"
#include "monitor/fpu.h"
#include "monitor/interp/interp.h"
#include "monitor/lockstep.h"
#include "shadow-mmu/window.h"

#define VGA_HOLE     0xa0000u
#define VGA_HOLE_LEN 0x20000u

/* ---- board -> machine ---- */

static void board_set_intr(void *opaque, unsigned cpu, bool level)
{
    struct machine *m = opaque;
    vm_set_intr(&m->vm, cpu, level);
}

static void board_raise_nmi(void *opaque, unsigned cpu)
{
    struct machine *m = opaque;
    vm_raise_nmi(&m->vm, cpu);
}

static void board_set_a20(void *opaque, bool enabled)
{
    struct machine *m = opaque;
    vm_set_a20(&m->vm, enabled);
    if (m->lockstep)
        lockstep_note_a20(m->lockstep, enabled);
}

static void board_request(void *opaque, enum pc_request what, uint32_t code)
{
    struct machine *m = opaque;
    static const uint8_t reason[] = {
        [PC_POWEROFF] = EXIT_POWEROFF,
        [PC_RESET] = EXIT_RESET,
        [PC_DEBUG_EXIT] = EXIT_DEBUG_EXIT,
    };

    vm_request_exit(&m->vm, reason[what], code);
}

static void board_deadline_changed(void *opaque)
{
    struct machine *m = opaque;
    vm_deadline_changed(&m->vm);
}

static void board_set_rom(void *opaque, uint64_t gpa, uint64_t len, bool rom)
{
    struct machine *m = opaque;
    vm_set_page_kind(&m->vm, gpa, len, rom ? PAGE_ROM : PAGE_RAM);
    if (m->lockstep)
        lockstep_note_kind(m->lockstep, gpa, len, rom ? PAGE_ROM : PAGE_RAM);
}

/* ---- CPU -> board ---- */

static int cpu_intr_ack(void *board, unsigned cpu)
{
    return pc_intr_ack(board, cpu);
}

static ns_t cpu_run_until(void *board, ns_t now)
{
    return pc_run_until(board, now);
}

static void cpu_apic_base_changed(void *board, unsigned cpu, uint64_t value)
{
    pc_apic_base_changed(board, cpu, value);
}

static void cpu_tsc_deadline_changed(void *board, unsigned cpu, uint64_t guest_tsc)
{
    pc_tsc_deadline_changed(board, cpu, guest_tsc);
}

static void cpu_ferr(void *board, bool level)
{
    pc_ferr(board, level);
}

static const struct board_ops board_ops = {
    .intr_ack = cpu_intr_ack,
    .run_until = cpu_run_until,
    .apic_base_changed = cpu_apic_base_changed,
    .tsc_deadline_changed = cpu_tsc_deadline_changed,
    .ferr = cpu_ferr,
};

/* ---- building ---- */

/* Translated code does without windows where the host has no address space for them. */
static int create_windows(struct machine *m, struct error *e)
{
    struct vmm_host *h = &m->host.host;

    if (m->cfg->bt.soft_only)
        return 0;
    host_windows_create(&m->host.window, h, m->ram.fd);
    if (!h->window_count)
        return 0;
    m->window_memory = zeroed_alloc(window_size());
    if (!m->window_memory)
        return error_set(e, "the host has not enough memory for the monitor");
    window_init(m->vcpu, m->window_memory);
    return 0;
}

static int create_translator(struct machine *m, struct error *e)
{
    if (m->cfg->exec == EXEC_INTERPRET)
        return 0;
    if (vm_host_init_translation(&m->host, m->cfg->cache_size, e))
        return -1;
    m->bt_memory_size = bt_size(m->host.host.cache.size);
    m->bt_memory = zeroed_alloc(m->bt_memory_size);
    if (!m->bt_memory)
        return error_set(e,
                         "the host has not enough memory for a code cache of %llu MiB; see "
                         "-cache-size",
                         (unsigned long long)(m->cfg->cache_size / MIB));
    struct bt_options options = m->cfg->bt;
    if (m->cfg->exec ==
        EXEC_LOCKSTEP) /* block by block, each with a known number of instructions */
        options.split_at_branches = options.no_chain = options.no_return_stack = true;
    bt_init(m->vcpu, m->bt_memory, &options);
    return create_windows(m, e);
}

static int create_vm(struct machine *m, struct error *e)
{
    struct vm *vm = &m->vm;

    vm->host = &m->host.host;
    vm->ram = m->ram.base;
    vm->ram_size = m->ram.size;
    vm->page = zeroed_alloc(m->ram.size >> GUEST_PAGE_SHIFT); /* all PAGE_RAM */
    m->interp_memory = zeroed_alloc(interp_size());
    m->pc = zeroed_alloc(pc_size());
    if (!vm->page || !m->interp_memory || !m->pc)
        return error_set(e, "the host has not enough memory for the monitor");
    vm->a20 = true;
    vm->mem.name = "memory";
    vm->port.name = "port";
    decoder_init(&vm->decoder);
    vm->cpu_model = m->cfg->cpu;
    vm->cpu_count = 1;
    vm->cpu[0] = m->vcpu;
    vm->board_ops = &board_ops;
    vm->board = m->pc;
    m->vcpu->vm = vm;
    interp_init(m->vcpu, m->interp_memory);
    vm_set_page_kind(vm, VGA_HOLE, VGA_HOLE_LEN, PAGE_MMIO);
    if (create_translator(m, e))
        return -1;
    return m->cfg->exec == EXEC_LOCKSTEP ? host_lockstep_create(m, e) : 0;
}

static int open_consoles(struct machine *m, struct error *e)
{
    static const char *const names[CONSOLES] = {"serial port 1", "serial port 2", "serial port 3",
                                                "serial port 4", "the debug port"};
    static const struct console_spec none = {.kind = CONSOLE_NONE};

    for (unsigned i = 0; i < CONSOLES; i++) {
        const struct console_spec *spec = &none;
        if (i == MAX_SERIAL)
            spec = &m->cfg->debugcon;
        else if (i < m->cfg->serial_count)
            spec = &m->cfg->serial[i];
        if (console_open(&m->console[i], spec, names[i], e))
            return -1;
        m->console_count++;
    }
    return 0;
}

static void no_send(void *opaque, const uint8_t *bytes, size_t len)
{
    (void)opaque, (void)bytes, (void)len;
}

static struct chardev chardev_of(struct console *c)
{
    struct chardev none = {0};

    if (c->kind == CONSOLE_NONE)
        return none;
    return c->out ? (struct chardev){.opaque = c->out, .send = out_ring_put}
                  : (struct chardev){.send = no_send};
}

static int create_board(struct machine *m, struct error *e)
{
    const struct config *cfg = m->cfg;
    const struct boot_files *b = &m->boot;
    const char *why = "unknown reason";
    struct pc_config pc = {
        .mem = m->lockstep ? &m->lockstep->mem : &m->vm.mem,
        .port = m->lockstep ? &m->lockstep->port : &m->vm.port,
        .ram_size = m->ram.size,
        .ram = m->ram.base,
        .cpu_count = 1,
        .guest_tsc_khz = m->host.host.guest_tsc_khz,
        .wall_seconds = m->host.host.wall_seconds(m->host.host.opaque),
        .cmdline = b->append,
        .kernel = b->kernel.data,
        .kernel_size = (uint32_t)b->kernel.size,
        .initrd = b->module_count ? b->module[0].data : NULL,
        .initrd_size = b->module_count ? (uint32_t)b->module[0].size : 0,
        .acpi = cfg->acpi,
        .debug_exit_base = cfg->debug_exit ? (int)cfg->debug_exit_base : -1,
        .debug_exit_size = (int)cfg->debug_exit_size,
        .testdev = cfg->testdev,
        .debugcon = chardev_of(&m->console[MAX_SERIAL]),
        .opaque = m,
        .set_intr = board_set_intr,
        .raise_nmi = board_raise_nmi,
        .set_a20 = board_set_a20,
        .request = board_request,
        .deadline_changed = board_deadline_changed,
        .set_rom = board_set_rom,
    };

    for (unsigned i = 0; i < MAX_SERIAL; i++) {
        pc.serial[i] = chardev_of(&m->console[i]);
        pc.serial_present[i] = m->console[i].kind != CONSOLE_NONE;
    }
    if (pc_init(m->pc, &pc, &why))
        return error_set(e, "the board cannot be built: %s", why);
    return 0;
}

int machine_create(struct machine *m, const struct config *cfg, struct error *e)
{
    struct vcpu *v;

    m->cfg = cfg;
    m->ram.fd = m->host.trace_fd = m->host.clock.timer = -1;
    v = zeroed_alloc(sizeof *v);
    if (!v)
        return error_set(e, "the host has not enough memory for the monitor");
    m->vcpu = v;
    if (boot_open(&m->boot, cfg->kernel, cfg->initrd, cfg->append, e) ||
        guest_ram_create(&m->ram, cfg->ram_size, e) || vm_host_init(&m->host, cfg, v, e) ||
        create_vm(m, e) || open_consoles(m, e) || create_board(m, e))
        return -1;
    return machine_reset(m, e);
}

int machine_reset(struct machine *m, struct error *e)
{
    struct boot_entry entry;
    uint32_t rsdp;

    fpu_park(m->vcpu);
    pc_reset(m->pc, vm_now(&m->vm));
    vcpu_reset(m->vcpu);
    vm_set_a20(&m->vm, true); /* as firmware leaves it */
    m->vm.next_deadline = 0;  /* look at the board's timers first */
    rsdp = pc_build_tables(m->pc);
    if (boot_load(&m->boot, m->ram.base, m->ram.size, rsdp, &entry, e))
        return -1;
    boot_enter(m->vcpu, &entry);
    if (m->lockstep)
        lockstep_sync(m->lockstep);
    return 0;
}

static void unmap(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

void machine_destroy(struct machine *m)
{
    for (unsigned i = 0; i < m->console_count; i++)
        console_close(&m->console[i]);
    m->console_count = 0;
    boot_close(&m->boot);
    host_lockstep_destroy(m);
    vm_host_destroy(&m->host);
    unmap(m->pc, pc_size());
    unmap(m->interp_memory, interp_size());
    unmap(m->bt_memory, m->bt_memory_size);
    unmap(m->window_memory, window_size());
    unmap(m->vm.page, m->ram.size >> GUEST_PAGE_SHIFT);
    guest_ram_destroy(&m->ram);
    unmap(m->vcpu, sizeof *m->vcpu);
    m->pc = NULL;
    m->vcpu = NULL;
    m->interp_memory = m->bt_memory = m->window_memory = NULL;
    m->vm.page = NULL;
}

void machine_last_words(struct machine *m)
{
    vm_host_flush_trace(&m->host);
    for (unsigned i = 0; i < m->console_count; i++)
        console_flush_now(&m->console[i]);
}
