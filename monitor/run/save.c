/* SPDX-License-Identifier: MIT */
/* save.c - see save.h. */
#include "monitor/run/save.h"

#include "devices/pc.h"
#include "include/ring1/mem.h"
#include "monitor/arch/segment.h"
#include "monitor/cpu/cpu_state.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/fpu_image.h"
#include "monitor/memory/page.h"
#include "monitor/memory/region.h"
#include "monitor/run/lockstep.h"

#define MACHINE        "ring1 machine"
#define CPU            "cpu"
#define RAM            "ram"
#define VERSION        1u
#define REGION_VERSION 2u /* 2: with the offset of views */
#define CPU_VERSION    2u /* 2: without next_eip */
#define MODEL_LEN      32u
#define BOARD_ROOM     (18u << 20) /* more than all chips together, with video memory */
#define PAGE_ZERO      0u
#define PAGE_FULL      1u
#define TIME_MAX       ((ns_t)1 << 60) /* 36 years: sums of times do not overflow */
#define SHADOW_BITS    (SHADOW_STI | SHADOW_MOVSS)
#define EFLAGS_NEVER   (1u << 3 | 1u << 5 | 1u << 15 | 0xffc00000u)

size_t vm_save_bound(const struct vm *vm)
{
    uint64_t size = vm->ram_size;

    for (unsigned n = 0; n < vm->region_count; n++)
        size += vm->region[n]->size;
    return (size_t)(size + (size >> GUEST_PAGE_SHIFT)) + BOARD_ROOM;
}

/* ---- a CPU ---- */

static void put_element(struct snapshot *s, const struct cpu_state_row *r, const void *at)
{
    const struct seg *seg = at;
    const struct table_reg *table = at;

    if (r->kind == STATE_SEG) {
        snapshot_put_int(s, seg->sel, 2);
        snapshot_put_int(s, seg->attr, 2);
        snapshot_put_int(s, seg->base, 4);
        snapshot_put_int(s, seg->limit, 4);
        snapshot_put_int(s, seg->acc, 1);
    } else if (r->kind == STATE_TABLE) {
        snapshot_put_int(s, table->base, 4);
        snapshot_put_int(s, table->limit, 2);
    } else {
        snapshot_put(s, at, cpu_state_width(r));
    }
}

void cpu_save(struct vcpu *v, struct snapshot *s)
{
    fpu_park(v);
    snapshot_begin(s, CPU, CPU_VERSION);
    for (const struct cpu_state_row *r = cpu_state; r < cpu_state + cpu_state_rows; r++) {
        if (!(r->uses & STATE_SAVED))
            continue;
        snapshot_put_int(s, r->kind, 1);
        snapshot_put_int(s, r->count, 2);
        for (unsigned n = 0; n < r->count; n++)
            put_element(s, r, cpu_state_get(v, r, n));
    }
    snapshot_end(s);
}

static bool get_seg(struct snapshot *s, struct seg *seg)
{
    *seg = (struct seg){.sel = (uint16_t)snapshot_get_int(s, 2)};
    seg->attr = (uint16_t)snapshot_get_int(s, 2);
    seg->base = (uint32_t)snapshot_get_int(s, 4);
    seg->limit = (uint32_t)snapshot_get_int(s, 4);
    uint8_t acc = (uint8_t)snapshot_get_int(s, 1);

    seg_derive(seg, acc != 0);
    if (acc == (SEG_ACC_R | SEG_ACC_W | SEG_ACC_X)) /* CS in real mode: segment.c */
        seg->acc |= seg->acc & SEG_ACC_W ? SEG_ACC_X : 0;
    return seg->acc == acc || snapshot_refuse(s, "a segment is impossible");
}

static bool get_element(struct snapshot *s, const struct cpu_state_row *r, void *at)
{
    struct table_reg *table = at;

    switch ((enum cpu_state_kind)r->kind) {
    case STATE_SEG:
        return get_seg(s, at);
    case STATE_TABLE:
        table->base = (uint32_t)snapshot_get_int(s, 4);
        table->limit = (uint16_t)snapshot_get_int(s, 2);
        return !s->error;
    case STATE_BOOL:
        *(bool *)at = snapshot_get_int(s, 1);
        return !s->error;
    default:
        return snapshot_get(s, at, cpu_state_width(r));
    }
}

static bool get_rows(struct vcpu *v, struct snapshot *s)
{
    for (const struct cpu_state_row *r = cpu_state; r < cpu_state + cpu_state_rows; r++) {
        if (!(r->uses & STATE_SAVED))
            continue;
        if (snapshot_get_int(s, 1) != r->kind || snapshot_get_int(s, 2) != r->count)
            return snapshot_refuse(s, "a CPU has other registers");
        for (unsigned n = 0; n < r->count; n++)
            if (!get_element(s, r, (uint8_t *)v + r->at + (size_t)n * cpu_state_width(r)))
                return false;
    }
    return snapshot_close(s);
}

/* Does the CPU keep the invariants of vcpu.h? */
static bool possible(const struct vcpu *v)
{
    bool real = !(v->cr0 & CR0_PE);

    if (v->cpl > 3 || (v->shadow & ~SHADOW_BITS) || (v->shadow_next & ~SHADOW_BITS))
        return false;
    if (!(v->eflags & EFL_FIXED1) || (v->eflags & EFLAGS_NEVER))
        return false;
    if ((v->dr[6] & ~DR6_WRITABLE) != DR6_ONES || (v->dr[7] & ~DR7_WRITABLE) != DR7_ONES ||
        (v->dr6_pending & ~DR6_WRITABLE))
        return false;
    if (real && ((v->cr0 & CR0_PG) || (v->eflags & EFL_VM) || v->cpl != 0))
        return false;
    return !(v->eflags & EFL_VM) || v->cpl == 3;
}

/* The image is this host's to load: FXRSTOR takes no bit of MXCSR that its CPU lacks. */
static void fit_fpu(struct vcpu *v, uint32_t mask)
{
    uint32_t mxcsr = image_get32(v->fpu.area, FX_MXCSR);

    image_put32(v->fpu.area, FX_MXCSR_MASK, mask);
    image_put32(v->fpu.area, FX_MXCSR, mxcsr & mask);
}

/* Refuses the CPU's state and resets the CPU, which can run then. */
static bool refuse_cpu(struct vcpu *v, struct snapshot *s)
{
    vcpu_reset(v);
    return snapshot_refuse(s, "a CPU's state is impossible");
}

bool cpu_load(struct vcpu *v, struct snapshot *s)
{
    fpu_park(v);
    uint32_t mask = image_get32(v->fpu.area, FX_MXCSR_MASK);

    if (!snapshot_open(s, CPU, CPU_VERSION))
        return false;
    bool whole = get_rows(v, s);
    fit_fpu(v, mask ? mask : MXCSR_MASK_DEFAULT);
    if (!whole || !possible(v))
        return refuse_cpu(v, s);
    v->next_eip = v->eip;
    v->dr_armed = v->dr[7] & DR7_ENABLES;
    v->outcome = 0;
    v->delivering = 0xff;
    v->exit_reason = EXIT_NONE;
    v->lacked = NULL;
    v->bt.x87_full = v->bt.x87_bare = 0;
    vcpu_attended(v, ~ATT_KICK);
    vcpu_attend(v, ATT_MODE | ATT_TIME | (v->intr_line ? ATT_INTR : 0) |
                       (v->nmi_pending ? ATT_NMI : 0));
    mmu_flush_all(v);
    return true;
}

/* ---- RAM and regions ---- */

static bool is_zero(const uint8_t *page)
{
    return !page[0] && !memcmp(page, page + 1, GUEST_PAGE_SIZE - 1);
}

static void put_pages(struct snapshot *s, const uint8_t *bytes, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += GUEST_PAGE_SIZE) {
        bool zero = is_zero(bytes + at);

        snapshot_put_int(s, zero ? PAGE_ZERO : PAGE_FULL, 1);
        if (!zero)
            snapshot_put(s, bytes + at, GUEST_PAGE_SIZE);
    }
}

static void get_pages(struct snapshot *s, uint8_t *bytes, uint64_t size)
{
    for (uint64_t at = 0; at < size && !s->error; at += GUEST_PAGE_SIZE) {
        if (snapshot_get_int(s, 1) != PAGE_ZERO)
            snapshot_get(s, bytes + at, GUEST_PAGE_SIZE);
        else if (!is_zero(bytes + at))
            memset(bytes + at, 0, GUEST_PAGE_SIZE);
    }
}

static void save_memory(const struct vm *vm, struct snapshot *s)
{
    snapshot_begin(s, RAM, VERSION);
    put_pages(s, vm->ram, vm->ram_size);
    snapshot_end(s);
    for (unsigned n = 0; n < vm->region_count; n++) {
        const struct region *r = vm->region[n];

        snapshot_begin(s, r->name, REGION_VERSION);
        snapshot_put_int(s, r->size, 8);
        snapshot_put_int(s, r->base, 8);
        snapshot_put_int(s, r->off, 8);
        if (!r->of)
            put_pages(s, r->host, r->size);
        snapshot_end(s);
    }
}

static bool load_region(struct vm *vm, struct snapshot *s, struct region *r)
{
    if (!snapshot_open(s, r->name, REGION_VERSION))
        return false;
    if (snapshot_get_int(s, 8) != r->size)
        return snapshot_refuse(s, "a region of memory has another size");
    gpa_t base = snapshot_get_int(s, 8);
    uint64_t off = snapshot_get_int(s, 8);
    if (!r->of) {
        get_pages(s, r->host, r->size);
        region_written(vm, r, 0, r->size);
    }
    if (r->of ? vm_region_show(vm, r, base, off) : vm_region_place(vm, r, base))
        return snapshot_refuse(s, "a region of memory cannot lie where it lay");
    return snapshot_close(s);
}

static bool load_memory(struct vm *vm, struct snapshot *s)
{
    if (!snapshot_open(s, RAM, VERSION))
        return false;
    get_pages(s, vm->ram, vm->ram_size);
    vm_ram_written(vm, 0, vm->ram_size);
    if (!snapshot_close(s))
        return false;
    for (unsigned n = 0; n < vm->region_count; n++)
        if (!load_region(vm, s, vm->region[n]))
            return false;
    return true;
}

/* ---- the machine ---- */

static void put_model(const struct vm *vm, char *out)
{
    memset(out, 0, MODEL_LEN);
    for (unsigned n = 0; n < MODEL_LEN - 1 && vm->cpu_model->name[n]; n++)
        out[n] = vm->cpu_model->name[n];
}

bool vm_save(struct vm *vm, const struct pc *pc, struct snapshot *s)
{
    char model[MODEL_LEN];

    s->at = 0;
    s->error = NULL;
    for (unsigned n = 0; n < vm->cpu_count; n++)
        if (vm->cpu[n]->exit_reason != EXIT_NONE)
            return snapshot_refuse(s, "the guest waits for the host: vcpu_run() first");
    put_model(vm, model);
    snapshot_begin(s, MACHINE, VERSION);
    snapshot_put_int(s, vm_now(vm), 8);
    snapshot_put_int(s, vm->ram_size, 8);
    snapshot_put_int(s, vm->cpu_count, 4);
    snapshot_put(s, model, sizeof model);
    snapshot_put_int(s, vm->a20, 1);
    snapshot_put_int(s, vm->lockstep ? vm->lockstep->random : 0, 8);
    snapshot_end(s);
    for (unsigned n = 0; n < vm->cpu_count; n++)
        cpu_save(vm->cpu[n], s);
    pc_save(pc, s);
    save_memory(vm, s);
    return !s->error;
}

ns_t vm_saved_at(const struct snapshot *s)
{
    struct snapshot copy = {.bytes = s->bytes, .size = s->size};

    if (!snapshot_open(&copy, MACHINE, VERSION))
        return NS_NEVER;
    ns_t at = snapshot_get_int(&copy, 8);
    return copy.error || at > TIME_MAX ? NS_NEVER : at;
}

struct saved_machine {
    ns_t now;
    bool a20;
    uint64_t random;
};

static bool load_machine(const struct vm *vm, struct snapshot *s, struct saved_machine *m)
{
    char model[MODEL_LEN], saved[MODEL_LEN];

    put_model(vm, model);
    if (!snapshot_open(s, MACHINE, VERSION))
        return false;
    m->now = snapshot_get_int(s, 8);
    uint64_t ram_size = snapshot_get_int(s, 8);
    uint64_t cpu_count = snapshot_get_int(s, 4);
    snapshot_get(s, saved, sizeof saved);
    m->a20 = snapshot_get_int(s, 1);
    m->random = snapshot_get_int(s, 8);
    if (!snapshot_close(s))
        return false;
    if (ram_size != vm->ram_size || cpu_count != vm->cpu_count)
        return snapshot_refuse(s, "the machine has another amount of RAM or other CPUs");
    if (memcmp(model, saved, sizeof model) != 0)
        return snapshot_refuse(s, "the machine has another CPU model");
    if (m->now > TIME_MAX || (!vm->lockstep && vm_now(vm) < m->now))
        return snapshot_refuse(s, "the machine's time is before that of the snapshot");
    return true;
}

bool vm_load(struct vm *vm, struct pc *pc, struct snapshot *s)
{
    struct saved_machine m = {0};

    s->at = 0;
    s->error = NULL;
    if (!snapshot_check(s) || !load_machine(vm, s, &m))
        return false;
    for (unsigned n = 0; n < vm->cpu_count; n++)
        if (!cpu_load(vm->cpu[n], s))
            return false;
    vm_set_a20(vm, m.a20);
    if (!pc_load(pc, s, m.now) || !load_memory(vm, s))
        return false;
    if (s->at != s->size)
        return snapshot_refuse(s, "there is more than a machine");
    vm->next_deadline = 0; /* the run loop looks at the board's timers first */
    if (vm->lockstep)
        lockstep_loaded(vm->lockstep, m.now, m.random);
    return true;
}
