/* SPDX-License-Identifier: MIT */
/*
 * lockstep_world.c - see lockstep.h: recording what the real guest sees and does outside of its CPU
 * and RAM, replaying it to the shadow, and how the two are wired up.
 */
#include "include/ring1/fmt.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/interp/interp.h"
#include "monitor/memory/dma.h"
#include "monitor/memory/page.h"
#include "monitor/memory/region.h"
#include "monitor/run/lockstep.h"
#include "shadow-mmu/mmu.h"

/* ---- recording ---- */

void lockstep_record_anew(struct lockstep *ls)
{
    ls->used = ls->taken = ls->implicit_used = 0;
    ls->dma_used = ls->dma_taken = 0;
}

static void record_implicit(struct lockstep *ls, unsigned size, uint32_t off, uint32_t val)
{
    if (ls->running && ls->implicit_used < LOCKSTEP_IMPLICIT)
        ls->implicit[ls->implicit_used++] =
            (struct lockstep_entry){.size = (uint8_t)size, .addr = off, .val = val};
}

static void record(struct lockstep *ls, enum lockstep_kind kind, unsigned size, uint64_t addr,
                   uint32_t val)
{
    if (!ls->running)
        return;
    if (ls->used == LOCKSTEP_LOG) {
        ls->overflow = true;
        return;
    }
    ls->log[ls->used++] = (struct lockstep_entry){
        .kind = (uint8_t)kind, .size = (uint8_t)size, .addr = addr, .val = val};
}

static uint32_t record_mem_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct lockstep *ls = dev;
    uint32_t val = bus_read(&ls->mem, off, size, now);

    if (ls->real->implicit)
        record_implicit(ls, size, off, val);
    else
        record(ls, LOG_MEM_READ, size, off, val);
    return val;
}
static void record_mem_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct lockstep *ls = dev;

    if (!ls->real->implicit)
        record(ls, LOG_MEM_WRITE, size, off, val);
    bus_write(&ls->mem, off, size, val, now);
}
static uint32_t record_port_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct lockstep *ls = dev;
    uint32_t val = bus_read(&ls->port, off, size, now);

    record(ls, LOG_PORT_READ, size, off, val);
    return val;
}
static void record_port_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct lockstep *ls = dev;

    record(ls, LOG_PORT_WRITE, size, off, val);
    bus_write(&ls->port, off, size, val, now);
}

static const struct dev_ops record_mem = {.name = "lockstep memory",
                                          .min_size = 1,
                                          .max_size = 4,
                                          .read = record_mem_read,
                                          .write = record_mem_write};
static const struct dev_ops record_port = {.name = "lockstep ports",
                                           .min_size = 1,
                                           .max_size = 4,
                                           .read = record_port_read,
                                           .write = record_port_write};

void lockstep_note_a20(struct lockstep *ls, bool on)
{
    if (ls->running)
        record(ls, LOG_A20, 0, 0, on);
    else
        vm_set_a20(&ls->shadow, on);
}

void lockstep_note_kind(struct lockstep *ls, gpa_t gpa, uint64_t len, uint8_t kind)
{
    if (ls->running)
        record(ls, LOG_KIND, kind, gpa, (uint32_t)len);
    else
        vm_set_page_kind(&ls->shadow, gpa, len, kind);
}

static void shadow_placed(struct lockstep *ls, unsigned n, gpa_t base, uint64_t off)
{
    struct region *r = ls->shadow.region[n];

    if (r->of)
        vm_region_show(&ls->shadow, r, base, off);
    else
        vm_region_place(&ls->shadow, r, base);
}

void lockstep_note_region(struct lockstep *ls, unsigned n, gpa_t base, uint64_t off)
{
    if (ls->running)
        record(ls, LOG_REGION, n, base, (uint32_t)off);
    else
        shadow_placed(ls, n, base, off);
}

/* Keeps the bytes for an entry of the log. */
static void record_bytes(struct lockstep *ls, enum lockstep_kind kind, unsigned size, uint64_t addr,
                         const void *bytes, uint64_t len)
{
    if (len > LOCKSTEP_DMA - ls->dma_used) {
        ls->overflow = true;
        return;
    }
    memcpy(ls->dma + ls->dma_used, bytes, len);
    ls->dma_used += (unsigned)len;
    record(ls, kind, size, addr, (uint32_t)len);
}

static void shadow_written(struct lockstep *ls, unsigned n, uint64_t off, const uint8_t *bytes,
                           uint64_t len)
{
    struct region *r = ls->shadow.region[n];

    memcpy(r->host + off, bytes, len);
    region_written(&ls->shadow, r, off, len);
}

void lockstep_note_written(struct lockstep *ls, unsigned n, uint64_t off, uint64_t len)
{
    const uint8_t *bytes = ls->real->region[n]->host + off;

    if (ls->running)
        record_bytes(ls, LOG_WRITTEN, n, off, bytes, len);
    else
        shadow_written(ls, n, off, bytes, len);
}

void lockstep_note_dma(struct lockstep *ls, gpa_t gpa, const void *bytes, uint32_t len)
{
    if (ls->running)
        record_bytes(ls, LOG_DMA, 0, gpa, bytes, len);
    else
        vm_dma_write(&ls->shadow, gpa, bytes, len);
}

/* ---- replaying ---- */

static void object(struct lockstep *ls, const char *what, uint64_t addr, unsigned size,
                   uint32_t val)
{
    if (!ls->why[0])
        fmt_line(ls->why, sizeof ls->why, "the interpreter %s 0x%llx, %u bytes, value 0x%x", what,
                 (unsigned long long)addr, size, val);
}

static void replay_bytes(struct lockstep *ls, const struct lockstep_entry *e)
{
    const uint8_t *bytes = ls->dma + ls->dma_taken;

    ls->dma_taken += e->val;
    if (e->kind == LOG_DMA)
        vm_dma_write(&ls->shadow, e->addr, bytes, e->val);
    else
        shadow_written(ls, e->size, e->addr, bytes, e->val);
}

/* Changes of the memory map, and what devices wrote to memory, that came with the entry before. */
void lockstep_replay_map(struct lockstep *ls)
{
    for (; ls->taken < ls->used; ls->taken++) {
        const struct lockstep_entry *e = &ls->log[ls->taken];
        if (e->kind == LOG_A20)
            vm_set_a20(&ls->shadow, e->val != 0);
        else if (e->kind == LOG_KIND)
            vm_set_page_kind(&ls->shadow, e->addr, e->val, e->size);
        else if (e->kind == LOG_REGION)
            shadow_placed(ls, e->size, e->addr, e->val);
        else if (e->kind == LOG_DMA || e->kind == LOG_WRITTEN)
            replay_bytes(ls, e);
        else
            return;
    }
}

/* The next entry if it is of this kind, else NULL. */
static const struct lockstep_entry *replay(struct lockstep *ls, enum lockstep_kind kind)
{
    lockstep_replay_map(ls); /* what a device did to memory before it answered a read */
    const struct lockstep_entry *e = &ls->log[ls->taken];

    if (ls->taken == ls->used || e->kind != kind)
        return NULL;
    ls->taken++;
    lockstep_replay_map(ls);
    return e;
}

static uint32_t replay_read(struct lockstep *ls, enum lockstep_kind kind, uint64_t addr,
                            unsigned size)
{
    const struct lockstep_entry *e = replay(ls, kind);

    if (e && e->addr == addr && e->size == size)
        return e->val;
    object(ls, kind == LOG_MEM_READ ? "alone reads device memory" : "alone reads port", addr, size,
           0);
    return 0;
}

static void replay_write(struct lockstep *ls, enum lockstep_kind kind, uint64_t addr, unsigned size,
                         uint32_t val)
{
    const struct lockstep_entry *e = replay(ls, kind);

    if (!e || e->addr != addr || e->size != size || e->val != val)
        object(ls, kind == LOG_MEM_WRITE ? "alone writes device memory" : "alone writes port", addr,
               size, val);
}

static uint32_t replay_implicit(struct lockstep *ls, uint32_t off, unsigned size, ns_t now)
{
    for (unsigned n = 0; n < ls->implicit_used; n++)
        if (ls->implicit[n].addr == off && ls->implicit[n].size == size)
            return ls->implicit[n].val;
    return bus_read(&ls->mem, off, size, now);
}

static uint32_t replay_mem_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct lockstep *ls = dev;

    if (ls->shadow.implicit)
        return replay_implicit(ls, off, size, now);
    return replay_read(dev, LOG_MEM_READ, off, size);
}
static void replay_mem_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct lockstep *ls = dev;

    (void)now;
    if (ls->shadow.implicit)
        return;
    replay_write(dev, LOG_MEM_WRITE, off, size, val);
}
static uint32_t replay_port_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    (void)now;
    return replay_read(dev, LOG_PORT_READ, off, size);
}
static void replay_port_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    (void)now;
    replay_write(dev, LOG_PORT_WRITE, off, size, val);
}

static const struct dev_ops replay_mem = {.name = "lockstep memory",
                                          .min_size = 1,
                                          .max_size = 4,
                                          .read = replay_mem_read,
                                          .write = replay_mem_write};
static const struct dev_ops replay_port = {.name = "lockstep ports",
                                           .min_size = 1,
                                           .max_size = 4,
                                           .read = replay_port_read,
                                           .write = replay_port_write};

/* ---- the two worlds ---- */

static ns_t world_now(void *opaque)
{
    return ((const struct lockstep *)opaque)->now;
}
static bool world_random(void *opaque, uint32_t *out)
{
    struct lockstep *ls = opaque;

    /* Knuth's linear congruence; its high bits are good enough for a guest that is examined. */
    ls->random = ls->random * 6364136223846793005u + 1442695040888963407u;
    *out = (uint32_t)(ls->random >> 32);
    record(ls, LOG_RANDOM, sizeof *out, 0, *out);
    return true;
}
static bool shadow_random(void *opaque, uint32_t *out)
{
    struct lockstep *ls = opaque;
    const struct lockstep_entry *e = replay(ls, LOG_RANDOM);

    if (!e) {
        object(ls, "alone reads a random number", 0, 4, 0);
        return false;
    }
    *out = e->val;
    return true;
}
static int64_t world_wall(void *opaque)
{
    const struct vmm_host *h = ((const struct lockstep *)opaque)->host;

    return h->wall_seconds(h->opaque);
}
/* Passes an event from outside to the real guest, whose devices answer both, with the time that
 * both see. */
static bool world_event(void *opaque, const struct host_room *room, struct host_event *e)
{
    const struct lockstep *ls = opaque;
    const struct vmm_host *h = ls->host;
    bool some = h->next_event && h->next_event(h->opaque, room, e);

    e->at = ls->now;
    return some;
}
static void world_trace(void *opaque, unsigned stage, const char *text)
{
    const struct vmm_host *h = ((const struct lockstep *)opaque)->host;

    h->trace(h->opaque, stage, text);
}
static int shadow_ack(void *board, unsigned cpu)
{
    (void)board, (void)cpu;
    return -1;
}
static ns_t shadow_until(void *board, ns_t now)
{
    (void)board, (void)now;
    return NS_NEVER;
}
/* As pc_apic_base_changed() does for the real guest. */
static void shadow_apic_base_changed(void *board, unsigned cpu, uint64_t value)
{
    struct lockstep *ls = board;

    (void)cpu;
    vm_cover_page(&ls->shadow, value >> 11 & 1 ? value & 0xffffff000ull : UINT64_MAX);
}
static const struct board_ops shadow_board = {.intr_ack = shadow_ack,
                                              .run_until = shadow_until,
                                              .apic_base_changed = shadow_apic_base_changed};

static void put_between(struct lockstep *ls, struct vm *vm)
{
    ls->host = vm->host;
    ls->real_host = *vm->host;
    ls->real_host.opaque = ls;
    ls->real_host.now_ns = world_now;
    ls->real_host.random32 = world_random;
    ls->real_host.wall_seconds = world_wall;
    ls->real_host.next_event = world_event;
    ls->real_host.trace = world_trace;
    ls->real_host.guest_tsc_khz = LOCKSTEP_TSC_KHZ;
    vm->host = &ls->real_host;
    ls->cpu_host = ls->a->host;
    ls->real_cpu_host = *ls->cpu_host;
    ls->real_cpu_host.arm_timer = NULL; /* every block looks at the time */
    ls->real_cpu_host.spent_ns = NULL;  /* what adapts shall do so the same each time */
    ls->a->host = &ls->real_cpu_host;
    vm->lockstep = ls;
    vm->observer = &lockstep_observer;
    vm->observer_self = ls;
    ls->mem = vm->mem;
    ls->port = vm->port;
    vm->mem = (struct bus){.name = ls->mem.name};
    vm->port = (struct bus){.name = ls->port.name};
    VMM_CHECK(!bus_add(&vm->mem, 0, UINT32_MAX, &record_mem, ls, 0) &&
              !bus_add(&vm->port, 0, 0xffff, &record_port, ls, 0));
}

void lockstep_init(struct lockstep *ls, struct vm *vm, const struct lockstep_config *cfg)
{
    ls->real = vm;
    ls->a = vm->cpu[0];
    ls->b = cfg->cpu;
    ls->opaque = cfg->opaque;
    ls->say = cfg->say;
    put_between(ls, vm);
    engine_add(ls->a, &lockstep_engine);
    ls->shadow_host = ls->real_host;
    ls->shadow_host.random32 = shadow_random;
    ls->shadow_host.trace_mask = 0;
    ls->shadow_cpu_host = (struct vcpu_host){
        .opaque = ls->cpu_host->opaque, .fpu_call = ls->cpu_host->fpu_call, .stubs = cfg->stubs};
    ls->b->host = &ls->shadow_cpu_host;
    ls->shadow = (struct vm){.host = &ls->shadow_host,
                             .ram = cfg->ram,
                             .ram_size = vm->ram_size,
                             .page = cfg->page,
                             .a20 = vm->a20,
                             .mem = {.name = "memory"},
                             .port = {.name = "port"},
                             .cpu_model = vm->cpu_model,
                             .cpu_count = 1,
                             .cpu = {ls->b},
                             .board_ops = &shadow_board,
                             .board = ls,
                             .next_deadline = NS_NEVER};
    ls->b->vm = &ls->shadow;
    ls->a->fpu_partner = ls->b;
    ls->b->fpu_partner = ls->a;
    decoder_init(&ls->shadow.decoder, cpu_instructions(ls->a));
    VMM_CHECK(!bus_add(&ls->shadow.mem, 0, UINT32_MAX, &replay_mem, ls, 0) &&
              !bus_add(&ls->shadow.port, 0, 0xffff, &replay_port, ls, 0));
    mmu_init(ls->b);
    interp_init(ls->b, cfg->interp);
    vcpu_reset(ls->b);
}
