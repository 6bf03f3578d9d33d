/* SPDX-License-Identifier: MIT */
/* assemble.c - see assemble.h. */
#include "monitor/run/assemble.h"

#include "monitor/cpu/cpuid.h"
#include "monitor/interp/decode_cache.h"
#include "monitor/interp/interp.h"
#include "monitor/memory/dma.h"
#include "monitor/memory/page.h"
#include "monitor/run/lockstep.h"
#include "shadow-mmu/mmu.h"

void vm_set_model(struct vm *vm, const struct cpu_model *model)
{
    vm->cpu_model = model;
    decoder_init(&vm->decoder, cpu_instructions(vm->cpu[0]));
    if (vm->cpu[0]->interp)
        interp_decode_forget(vm->cpu[0]);
}

void vm_assemble(struct vm *vm, const struct vm_parts *parts)
{
    *vm = (struct vm){
        .host = parts->host,
        .ram = parts->ram,
        .ram_size = parts->ram_size,
        .page = parts->page,
        .a20 = true,
        .mem = {.name = "memory"},
        .port = {.name = "port"},
        .cpu_count = 1,
        .cpu = {parts->cpu},
    };
    parts->cpu->vm = vm;
    parts->cpu->host = parts->cpu_host;
    vm_set_model(vm, parts->cpu_model ? parts->cpu_model : cpu_model_at(0));
    mmu_init(parts->cpu);
    interp_init(parts->cpu, parts->interp);
}

/* ---- board -> CPU ---- */

static void board_set_intr(void *opaque, unsigned cpu, bool level)
{
    vm_set_intr(opaque, cpu, level);
}

static void board_raise_nmi(void *opaque, unsigned cpu)
{
    vm_raise_nmi(opaque, cpu);
}

static void board_set_a20(void *opaque, bool enabled)
{
    struct vm *vm = opaque;

    vm_set_a20(vm, enabled);
    if (vm->lockstep)
        lockstep_note_a20(vm->lockstep, enabled);
}

static void board_request(void *opaque, enum pc_request what, uint32_t code)
{
    static const uint8_t reason[] = {
        [PC_POWEROFF] = EXIT_POWEROFF,
        [PC_RESET] = EXIT_RESET,
        [PC_DEBUG_EXIT] = EXIT_DEBUG_EXIT,
    };

    vm_request_exit(opaque, reason[what], code);
}

static void board_deadline_changed(void *opaque)
{
    vm_deadline_changed(opaque);
}

static void board_set_shadow(void *opaque, uint64_t gpa, uint64_t len, bool read_ram,
                             bool write_ram)
{
    struct vm *vm = opaque;
    uint8_t kind = PAGE_RAM;

    if (!read_ram)
        kind = PAGE_ROM | PAGE_OVER | (write_ram ? PAGE_UNDER : 0);
    else if (!write_ram)
        kind = PAGE_ROM;

    vm_set_page_kind(vm, gpa, len, kind);
    if (vm->lockstep)
        lockstep_note_kind(vm->lockstep, gpa, len, kind);
}

static void board_apic_at(void *opaque, uint64_t gpa)
{
    vm_cover_page(opaque, gpa);
}

/* ---- devices -> guest memory ---- */

static unsigned number_of(const struct region *r)
{
    unsigned n = 0;

    while (r->vm->region[n] != r)
        n++;
    return n;
}

static bool device_reads(void *opaque, gpa_t gpa, void *out, uint32_t len)
{
    return vm_dma_read(opaque, gpa, out, len);
}

static bool device_writes(void *opaque, gpa_t gpa, const void *in, uint32_t len)
{
    struct vm *vm = opaque;
    bool whole = vm_dma_write(vm, gpa, in, len);

    if (vm->lockstep)
        lockstep_note_dma(vm->lockstep, gpa, in, len);
    return whole;
}

static uint32_t device_maps(void *opaque, gpa_t gpa, uint32_t len, bool write, struct dma_map *m)
{
    return vm_dma_map(opaque, gpa, len, write, m);
}

static void device_unmaps(void *opaque, struct dma_map *m, uint32_t written)
{
    struct vm *vm = opaque;
    const struct region *r = m->owner;

    vm_dma_unmap(vm, m, written);
    if (!vm->lockstep || !written)
        return;
    if (r)
        lockstep_note_written(vm->lockstep, number_of(r), (uint64_t)(m->bytes - r->host), written);
    else
        lockstep_note_dma(vm->lockstep, (gpa_t)(m->bytes - vm->ram), m->bytes, written);
}

static struct dma vm_dma_of(struct vm *vm)
{
    return (struct dma){.opaque = vm,
                        .read = device_reads,
                        .write = device_writes,
                        .map = device_maps,
                        .unmap = device_unmaps};
}

/* ---- memory of devices ---- */

static bool device_places(void *opaque, uint64_t gpa)
{
    struct region *r = opaque;
    bool there = !vm_region_place(r->vm, r, gpa);

    if (r->vm->lockstep)
        lockstep_note_region(r->vm->lockstep, number_of(r), r->base, 0);
    return there;
}

static void device_wrote(void *opaque, uint64_t off, uint64_t len)
{
    struct region *r = opaque;

    region_written(r->vm, r, off, len);
    if (r->vm->lockstep)
        lockstep_note_written(r->vm->lockstep, number_of(r), off, len);
}

static unsigned device_asks(void *opaque, uint64_t *out)
{
    struct region *r = opaque;

    return region_log_collect(r->vm, r, out);
}

int vm_add_memory(struct vm *vm, struct region *r, struct region *twin, uint64_t *log,
                  struct dev_memory *out)
{
    VMM_CHECK(!vm->lockstep == !twin);
    if (vm_region_add(vm, r) || (twin && vm_region_add(&vm->lockstep->shadow, twin)))
        return -1;
    if (log)
        region_log_start(vm, r, log);
    *out = (struct dev_memory){.opaque = r,
                               .bytes = r->host,
                               .size = r->size,
                               .place = device_places,
                               .written = device_wrote,
                               .changed = log ? device_asks : NULL};
    return 0;
}

static bool device_shows(void *opaque, uint64_t gpa, uint64_t off)
{
    struct region *r = opaque;
    bool there = !vm_region_show(r->vm, r, gpa, off);

    if (r->vm->lockstep)
        lockstep_note_region(r->vm->lockstep, number_of(r), r->base, r->off);
    return there;
}

int vm_add_view(struct vm *vm, struct region *r, struct region *twin, struct region *of,
                struct dev_view *out)
{
    VMM_CHECK(!vm->lockstep == !twin);
    struct vm *shadow = twin ? &vm->lockstep->shadow : NULL;
    if (vm_region_view(vm, r, of) ||
        (twin && vm_region_view(shadow, twin, shadow->region[number_of(of)])))
        return -1;
    *out = (struct dev_view){.opaque = r, .size = r->size, .show = device_shows};
    return 0;
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

static bool cpu_nmi_may_come(void *board, unsigned cpu)
{
    return pc_nmi_may_come(board, cpu);
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

static void cpu_event_room(void *board, struct host_room *room)
{
    for (unsigned n = 0; n < HOST_SERIAL_PORTS; n++) {
        unsigned bytes = pc_serial_room(board, n);
        room->serial[n] = (uint8_t)(bytes < HOST_EVENT_BYTES ? bytes : HOST_EVENT_BYTES);
    }
}

static void cpu_event(void *board, const struct host_event *e)
{
    switch ((enum host_event_kind)e->kind) {
    case HOST_SERIAL_INPUT:
        VMM_CHECK(e->len <= pc_serial_room(board, e->unit));
        pc_serial_receive(board, e->unit, e->bytes, e->len, e->at);
        break;
    case HOST_SERIAL_BREAK:
        pc_serial_break(board, e->unit, e->at);
        break;
    case HOST_POWER_BUTTON:
        pc_power_button(board, e->at);
        break;
    }
}

static const struct board_ops board_ops = {
    .intr_ack = cpu_intr_ack,
    .run_until = cpu_run_until,
    .nmi_may_come = cpu_nmi_may_come,
    .apic_base_changed = cpu_apic_base_changed,
    .tsc_deadline_changed = cpu_tsc_deadline_changed,
    .ferr = cpu_ferr,
    .event_room = cpu_event_room,
    .event = cpu_event,
};

void vm_wire_pc(struct vm *vm, struct pc *pc, struct pc_config *cfg)
{
    vm->board_ops = &board_ops;
    vm->board = pc;
    cfg->mem = vm->lockstep ? &vm->lockstep->mem : &vm->mem;
    cfg->port = vm->lockstep ? &vm->lockstep->port : &vm->port;
    cfg->dma = vm_dma_of(vm);
    cfg->ram_size = vm->ram_size;
    cfg->cpu_count = vm->cpu_count;
    cfg->no_apic = !cpu_has_1_edx(vm->cpu[0], CPUID_1_EDX_APIC);
    cfg->guest_tsc_khz = vm->host->guest_tsc_khz;
    cfg->wall_seconds = vm->host->wall_seconds(vm->host->opaque);
    cfg->opaque = vm;
    cfg->set_intr = board_set_intr;
    cfg->raise_nmi = board_raise_nmi;
    cfg->set_a20 = board_set_a20;
    cfg->request = board_request;
    cfg->deadline_changed = board_deadline_changed;
    cfg->set_shadow = board_set_shadow;
    cfg->apic_at = board_apic_at;
}
