/* SPDX-License-Identifier: MIT */
/* vm_host.c - struct vmm_host on the bare machine; see monitor.h. General registers only: the
 * guest's FPU registers may be live. */
#include "host/metal/monitor.h"
#include "host/metal/nucleus/clock.h"
#include "host/metal/nucleus/insn.h"
#include "host/metal/nucleus/layout.h"
#include "host/metal/nucleus/lazy.h"
#include "host/metal/nucleus/pages.h"
#include "host/metal/nucleus/service.h"
#include "host/metal/nucleus/windows.h"
#include "include/ring1/direct.h"
#include "monitor/cpu/vcpu.h"
#include "shadow-mmu/window.h"

#define PAGE         4096ull
#define JUMP_MAP     (sizeof(int32_t) << 32)
#define JUMP_STEP    (JUMP_MAP + WINDOW_BYTES_4G)
#define ARENA_SPACE  (1ull << 30) /* below the vCPU */
#define RETURN_STACK (64ull << 10)
#define CODE_ARENA   (4ull << 20)
/* How many runs of pages the windows may hold, which bounds what their page tables take. */
#define WINDOW_RUNS 32768u
#define RDRAND      (1u << 30)
#define FSGSBASE    1u

static uint64_t pages_of(uint64_t size)
{
    return (size + PAGE - 1) & ~(PAGE - 1);
}

static bool region(uint64_t va, uint64_t len, enum lazy_kind kind, uint64_t of)
{
    return nucleus_call(SERVICE_REGION, va, len, kind, of);
}

/* Address space of the heap, with a hole after it. */
static uint64_t heap_space(struct metal *m, uint64_t size)
{
    uint64_t va = HEAP_BASE + m->heap_next;

    m->heap_next += pages_of(size) + (1ull << 21);
    return va;
}

void *metal_alloc(struct metal *m, uint64_t size)
{
    uint64_t va = heap_space(m, size);

    return region(va, pages_of(size), LAZY_ZERO, 0) ? (void *)va : NULL;
}

/* ---- struct vmm_host ---- */

static ns_t host_now(void *opaque)
{
    (void)opaque;
    return clock_now();
}

static int64_t host_wall(void *opaque)
{
    (void)opaque;
    return clock_wall();
}

static bool host_random(void *opaque, uint32_t *out)
{
    uint8_t ok = 0;

    (void)opaque;
    if (cpuid(1, 0).c & RDRAND)
        __asm__ volatile("rdrand %0; setc %1" : "=r"(*out), "=qm"(ok) : : "cc");
    return ok;
}

static bool host_next_event(void *opaque, const struct host_room *room, struct host_event *e)
{
    if (!room->serial[0])
        return false;
    e->at = host_now(opaque);
    e->kind = HOST_SERIAL_INPUT;
    e->unit = 0;
    e->len = (uint8_t)nucleus_call(SERVICE_TAKE, (uint64_t)e->bytes, room->serial[0], 0, 0);
    return e->len;
}

unsigned metal_fpu_call(void *opaque, const void *stub, struct fpu_io *io);

static void host_trace(void *opaque, unsigned stage, const char *text)
{
    (void)opaque, (void)stage;
    metal_say("%s", text);
}

/* The timer is only ever moved forward: when it comes too early, the nucleus sets it again. */
static void host_arm(void *opaque, ns_t at)
{
    (void)opaque;
    if (at < service_asked)
        nucleus_call(SERVICE_ARM, at, 0, 0, 0);
}

static uint64_t window_at(struct metal *m, unsigned n, gla_t gla)
{
    return m->cpu.window_base[n] + gla;
}

static unsigned rights_of(unsigned rights)
{
    return (rights & HOST_MAP_WRITE ? PAGES_WRITE : 0) | (rights & HOST_MAP_USER ? PAGES_USER : 0) |
           (rights & HOST_MAP_EXEC ? PAGES_EXEC : 0);
}

static int host_window_map(void *opaque, unsigned n, gla_t gla, uint64_t at, uint64_t len,
                           unsigned rights)
{
    struct metal *m = opaque;

    return (int)nucleus_call(SERVICE_MAP, window_at(m, n, gla), m->ram + at, len,
                             rights_of(rights));
}

static int host_window_unmap(void *opaque, unsigned n, gla_t gla, uint64_t len)
{
    nucleus_call(SERVICE_UNMAP, window_at(opaque, n, gla), len, 0, 0);
    return 0;
}

static int host_window_protect(void *opaque, unsigned n, gla_t gla, uint64_t len, unsigned rights)
{
    return (int)nucleus_call(SERVICE_PROTECT, window_at(opaque, n, gla), len, rights_of(rights), 0);
}

static int jump_map_open(void *opaque, uint64_t at, uint64_t bytes)
{
    (void)opaque;
    return (int)nucleus_call(SERVICE_OPEN, at, bytes, 0, 0);
}

static void jump_map_drop(void *opaque, uint64_t at, uint64_t bytes)
{
    (void)opaque;
    nucleus_call(SERVICE_DROP, at, bytes, 0, 0);
}

static void jump_map_clear(void *opaque, uint64_t map)
{
    (void)opaque;
    nucleus_call(SERVICE_CLEAR, map, JUMP_MAP, 0, 0);
}

/* ---- creation ---- */

/* Makes an arena of `size` bytes that is executable at `rx`. */
static bool arena(struct metal *m, struct host_code_arena *a, uint64_t size, uint64_t rx)
{
    uint8_t *rw = metal_alloc(m, size);

    *a = (struct host_code_arena){.rw = rw, .rx = (const uint8_t *)rx, .size = size};
    return rw && region(rx, pages_of(size), LAZY_VIEW, (uint64_t)rw);
}

static bool jump_maps(struct vcpu_host *h)
{
    for (unsigned n = 0; n < HOST_JUMP_MAPS; n++) {
        h->jump_map[n] = JUMP_BASE + n * JUMP_STEP;
        if (!region(h->jump_map[n], JUMP_MAP, LAZY_SPARSE, 0))
            return false;
    }
    h->jump_map_open = jump_map_open;
    h->jump_map_drop = jump_map_drop;
    h->jump_map_clear = jump_map_clear;
    return true;
}

static unsigned host_direct_run(void *opaque, struct direct_regs *r)
{
    struct metal *m = opaque;

    r->timed = m->cfg.count;
    r->ticks = 0;
    unsigned why = (unsigned)nucleus_call(SERVICE_DIRECT, (uint64_t)r, 0, 0, 0);
    m->direct_ticks[r->cpl == 3] += r->ticks;
    return why;
}

static bool windows(struct vcpu_host *h)
{
    for (unsigned n = 0; n < HOST_WINDOWS; n++) {
        h->window_base[n] = windows_base(n);
        if (nucleus_call(SERVICE_PIN, h->window_base[n], 0, 0, 0))
            return false;
    }
    h->direct_run = host_direct_run;
    h->window_count = HOST_WINDOWS;
    h->window_runs = WINDOW_RUNS;
    h->window_map = host_window_map;
    h->window_unmap = host_window_unmap;
    h->window_protect = host_window_protect;
    h->gs_base_free = cpuid(0, 0).a >= 7 && (cpuid(7, 0).b & FSGSBASE);
    return true;
}

static bool vcpu_memory(struct metal *m)
{
    uint64_t at = VCPU_BASE + ARENA_SPACE, size = pages_of(sizeof *m->vcpu);

    m->vcpu = (struct vcpu *)at;
    m->cpu.return_limit = at + size + PAGE;
    m->cpu.return_top = m->cpu.return_limit + RETURN_STACK;
    return region(at, size, LAZY_ZERO, 0) &&
           region(m->cpu.return_limit, RETURN_STACK, LAZY_ZERO, 0);
}

int metal_host_init(struct metal *m, const char **why)
{
    struct cpuid_regs one = cpuid(1, 0);

    m->host = (struct vmm_host){
        .opaque = m,
        .now_ns = host_now,
        .random32 = host_random,
        .wall_seconds = host_wall,
        .trace = host_trace,
        .next_event = host_next_event,
        .guest_tsc_khz = clock_tsc_khz(),
        .host_feat_1_ecx = one.c,
        .host_feat_1_edx = one.d,
        .host_feat_7_ebx = cpuid(0, 0).a >= 7 ? cpuid(7, 0).b : 0,
        .host_rep_flags = true, /* an emulator has them too, whatever vendor it names */
    };
    m->cpu = (struct vcpu_host){
        .opaque = m,
        .fpu_call = metal_fpu_call,
        .arm_timer = host_arm,
    };
    *why = "the nucleus has no room for the monitor's memory regions";
    if (!vcpu_memory(m) || !jump_maps(&m->cpu) ||
        !arena(m, &m->cpu.stubs, CODE_ARENA, heap_space(m, CODE_ARENA)))
        return -1;
    if (m->cfg.interpret)
        return 0;
    if (!arena(m, &m->cpu.cache, m->cfg.cache, VCPU_BASE) || !windows(&m->cpu))
        return -1;
    return 0;
}
