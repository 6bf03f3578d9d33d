/* SPDX-License-Identifier: MIT */
/* machine.c - see machine.h. What this process gives the machine
 * (boot/build.h). */
#define _GNU_SOURCE
#include "host/linux/machine.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bt/run/bt.h"
#include "host/linux/code_arena.h"
#include "host/linux/jump_map.h"
#include "host/linux/lockstep.h"
#include "host/linux/signals.h"
#include "monitor/interp/interp.h"
#include "shadow-mmu/window.h"

static void unmap(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

/* As many as the host has address space for: all; one for the supervisor, six for programs and the
 * empty one; one, one and one; none. Only all of them need all jump maps. */
static void reserve_windows(struct machine *m)
{
    static const unsigned counts[] = {HOST_WINDOWS, HOST_WINDOWS - WINDOW_SUPERS + 1, 3};
    struct vcpu_host *h = &m->host.cpu;

    for (unsigned n = 0; n < ARRAY_LEN(counts) && !h->window_count; n++) {
        if (counts[n] < HOST_WINDOWS)
            jump_maps_lessen(h);
        if (counts[n] < HOST_WINDOWS || jump_maps_all(h))
            host_windows_create(&m->host.window, h, m->ram.fd, counts[n]);
    }
}

/* Translated code does without windows where the host has no address space or memory for them. */
static void create_windows(struct machine *m)
{
    struct vcpu_host *h = &m->host.cpu;

    if (!m->cfg->bt.soft_only)
        reserve_windows(m);
    if (!h->window_count) {
        jump_maps_lessen(h);
        return;
    }
    m->window_memory = zeroed_alloc(window_size());
    if (m->window_memory)
        return;
    say("the host gives no memory for the books of the guest's mappings (%s); the guest will be "
        "slower without",
        refusal(errno));
    host_windows_destroy(&m->host.window);
    h->window_count = 0;
}

/* Memory for `size` bytes of translated code and for what the translator has to know about it. */
static int try_cache(struct machine *m, uint64_t size)
{
    m->bt_memory_size = bt_size(size);
    m->bt_memory = zeroed_alloc(m->bt_memory_size);
    int err = m->bt_memory ? code_arena_create_near(&m->host.cpu.cache, size, m->vcpu) : -ENOMEM;
    if (err) {
        unmap(m->bt_memory, m->bt_memory_size);
        m->bt_memory = NULL;
    }
    return err;
}

/* As big as asked for, or as the host allows: it is a bound, not a need. */
static int create_cache(struct machine *m, struct error *e)
{
    uint64_t size = m->cfg->cache_size;
    int err = try_cache(m, size), first = err;

    while (err && size >= 2 * CACHE_MIN) {
        size = size / 2 & ~(uint64_t)GUEST_PAGE_MASK;
        err = try_cache(m, size);
    }
    if (err)
        return error_set(e, "the host gives no memory for translated code: %s; see -cache-size",
                         refusal(-err));
    if (first)
        say("the host gives no %llu MiB for translated code (%s); %llu MiB must do",
            (unsigned long long)(m->cfg->cache_size / MIB), refusal(-first),
            (unsigned long long)(size / MIB));
    return 0;
}

static int create_translator(struct machine *m, struct machine_parts *p, struct error *e)
{
    if (m->cfg->exec == EXEC_INTERPRET)
        return 0;
    if (vm_host_init_translation(&m->host, m->vcpu, e) || create_cache(m, e))
        return -1;
    create_windows(m);
    p->window = m->window_memory;
    p->bt = m->bt_memory;
    p->bt_options = m->cfg->bt;
    if (m->cfg->exec != EXEC_LOCKSTEP)
        return 0;
    /* By blocks, each with a known number of instructions. */
    p->bt_options.count_exits = p->bt_options.no_chain = p->bt_options.no_return_stack = true;
    if (host_lockstep_create(m, e))
        return -1;
    p->lockstep = m->lockstep;
    p->shadow = &m->shadow;
    return 0;
}

/* Where the host gives no memory that windows can show (ulimit -f, say), the guest's accesses go
 * through the bus. */
static int create_video(struct machine *m)
{
    struct machine_video *s;

    if (!m->cfg->vga)
        return 0;
    s = m->video = zeroed_alloc(sizeof *s);
    if (!s)
        return -1;
    s->bytes = guest_ram_add(&m->ram, VGA_MEMORY, &s->at);
    if (!s->bytes) {
        unmap(s, sizeof *s);
        m->video = NULL;
        m->video_by_bus = zeroed_alloc(VGA_MEMORY);
        return m->video_by_bus ? 0 : -1;
    }
    if (m->cfg->exec == EXEC_LOCKSTEP)
        s->twin = zeroed_alloc(VGA_MEMORY);
    return s->bytes && (s->twin || m->cfg->exec != EXEC_LOCKSTEP) ? 0 : -1;
}

static int create_parts(struct machine *m, struct machine_parts *p, struct error *e)
{
    m->page = zeroed_alloc(m->ram.size >> GUEST_PAGE_SHIFT); /* all PAGE_RAM */
    m->interp_memory = zeroed_alloc(interp_size());
    m->pc = zeroed_alloc(pc_size());
    if (!m->page || !m->interp_memory || !m->pc || create_video(m))
        return error_set(e, "the host has not enough memory for the monitor");
    *p = (struct machine_parts){.vm = {.host = &m->host.host,
                                       .cpu_host = &m->host.cpu,
                                       .ram = m->ram.base,
                                       .ram_size = m->ram.size,
                                       .page = m->page,
                                       .cpu = m->vcpu,
                                       .interp = m->interp_memory,
                                       .cpu_model = m->cfg->cpu},
                                .video = m->video,
                                .pc = m->pc,
                                .boot = &m->boot.boot};
    return create_translator(m, p, e);
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
    m->host.console = m->console;
    m->host.consoles = CONSOLES;
    return 0;
}

static struct chardev chardev_of(struct console *c)
{
    struct chardev none = {0};

    if (c->kind == CONSOLE_NONE)
        return none;
    return c->out ? (struct chardev){.opaque = c->out, .send = out_ring_put}
                  : (struct chardev){.send = out_drop};
}

/* Images are opened and locked, and their threads wait for requests. */
static int open_drives(struct machine *m, struct error *e)
{
    for (unsigned i = 0; i < m->cfg->drive_count; i++) {
        const struct drive_spec *spec = &m->cfg->drive[i];
        struct block_drive *d;

        if (spec->at == DRIVE_DETACHED)
            continue;
        d = calloc(1, sizeof *d);
        if (!d)
            return error_set(e, "the host has not enough memory for the monitor");
        m->drive[spec->at] = d;
        if (block_open(d, spec, m->cfg->sandbox, e) || block_start(d, e))
            return -1;
    }
    return 0;
}

static void close_drives(struct machine *m)
{
    for (unsigned i = 0; i < IDE_DRIVES; i++) {
        if (m->drive[i]) {
            block_close(m->drive[i]);
            block_complain(m->drive[i]); /* of the last flush */
        }
        free(m->drive[i]);
        m->drive[i] = NULL;
    }
}

static void give_drives(const struct machine *m, struct pc_config *board)
{
    for (unsigned i = 0; i < IDE_DRIVES; i++)
        if (m->drive[i])
            board->ide[i] =
                (struct pc_drive){.kind = m->drive[i]->spec->cdrom ? DRIVE_CD : DRIVE_DISK,
                                  .block = block_backend(m->drive[i])};
    board->ide_always = board->firmware;
}

static void wire_completions(struct machine *m)
{
    struct completion_queue *q = pc_completions(m->pc);

    q->wake = waker_wake;
    q->wake_opaque = &m->waker;
}

static int build(struct machine *m, const struct machine_parts *parts, struct error *e)
{
    const struct config *cfg = m->cfg;
    const char *why = "unknown reason";
    struct pc_config board = {
        .acpi = cfg->acpi,
        .firmware = m->boot.boot.kind == BOOT_FIRMWARE,
        .nographic = cfg->nographic,
        .boot = cfg->boot,
        .file = m->firmware.file,
        .file_count = m->firmware.file_count,
        .debugcon_port = cfg->debugcon_port,
        .debug_exit_base = cfg->debug_exit ? (int)cfg->debug_exit_base : -1,
        .debug_exit_size = (int)cfg->debug_exit_size,
        .testdev = cfg->testdev,
        .debugcon = chardev_of(&m->console[MAX_SERIAL]),
        .vga_memory = m->video_by_bus,
        .vga_memory_size = VGA_MEMORY,
    };

    for (unsigned i = 0; i < MAX_SERIAL; i++) {
        board.serial[i] = chardev_of(&m->console[i]);
        board.serial_present[i] = m->console[i].kind != CONSOLE_NONE;
    }
    give_drives(m, &board);
    if (vm_build(&m->vm, parts, &board, &why))
        return error_set(e, "the board cannot be built: %s", why);
    wire_completions(m);
    return 0;
}

/* What the guest starts with: a kernel, or without one a BIOS. */
static int open_start(struct machine *m, struct error *e)
{
    const struct config *cfg = m->cfg;

    if (cfg->kernel)
        return boot_open(&m->boot, cfg->kernel, cfg->initrd, cfg->append, e);
    m->boot.boot = (struct boot){.kind = BOOT_FIRMWARE, .cmdline = ""};
    return firmware_open(&m->firmware, cfg, e);
}

static int start(struct machine *m, struct error *e)
{
    struct boot_error why;

    if (boot_start(&m->boot.boot, &m->vm, m->pc, memory_clear, &why))
        return error_set(e, "%s", why.text);
    return 0;
}

int machine_create(struct machine *m, const struct config *cfg, struct error *e)
{
    struct machine_parts parts;
    struct vcpu *v;

    m->cfg = cfg;
    m->ram.fd = m->host.trace_fd = m->host.clock.timer = m->waker.fd = -1;
    v = cfg->exec == EXEC_INTERPRET ? zeroed_alloc(sizeof *v) : vcpu_memory_create(sizeof *v);
    if (!v)
        return error_set(e, "%s",
                         cfg->exec == EXEC_INTERPRET
                             ? "the host has not enough memory for the monitor"
                             : NO_ADDRESS_SPACE);
    m->vcpu = v;
    if (open_start(m, e) || guest_ram_create(&m->ram, cfg->ram_size, e) ||
        vm_host_init(&m->host, cfg, e) || create_parts(m, &parts, e) || signals_install(m, e) ||
        open_consoles(m, e) || waker_create(&m->waker, e) || open_drives(m, e) ||
        build(m, &parts, e) || (!cfg->kernel && firmware_place(&m->firmware, &m->ram, &m->vm, e)))
        return -1;
    return start(m, e);
}

/* What the board's devices asked the host for may still write to the guest's memory. */
static void await_completions(struct machine *m)
{
    static const struct timespec a_little = {.tv_nsec = 100 * 1000};
    struct completion_queue *q = pc_completions(m->pc);

    completion_deliver(q, vm_now(&m->vm), UINT_MAX);
    while (completion_pending(q)) {
        ppoll(NULL, 0, &a_little, NULL);
        completion_deliver(q, vm_now(&m->vm), UINT_MAX);
    }
}

int machine_reset(struct machine *m, struct error *e)
{
    await_completions(m);
    pc_restarted(m->pc);
    return start(m, e);
}

void machine_destroy(struct machine *m)
{
    for (unsigned i = 0; i < m->console_count; i++)
        console_close(&m->console[i]);
    m->console_count = 0;
    close_drives(m); /* before what requests point to is gone */
    waker_destroy(&m->waker);
    boot_close(&m->boot);
    firmware_close(&m->firmware);
    host_lockstep_destroy(m);
    vm_host_destroy(&m->host);
    unmap(m->pc, pc_size());
    unmap(m->interp_memory, interp_size());
    if (m->video)
        unmap(m->video->twin, VGA_MEMORY);
    unmap(m->video, sizeof *m->video);
    unmap(m->video_by_bus, VGA_MEMORY);
    unmap(m->bt_memory, m->bt_memory_size);
    unmap(m->window_memory, window_size());
    unmap(m->page, m->ram.size >> GUEST_PAGE_SHIFT);
    guest_ram_destroy(&m->ram);
    unmap(m->vcpu, sizeof *m->vcpu);
    m->pc = NULL;
    m->video = NULL;
    m->video_by_bus = NULL;
    m->vcpu = NULL;
    m->interp_memory = m->bt_memory = m->window_memory = NULL;
    m->page = m->vm.page = NULL;
}

void machine_abandon(struct machine *m)
{
    for (unsigned i = 0; i < CONSOLES; i++)
        console_abandon(&m->console[i]);
}

void machine_last_words(struct machine *m)
{
    vm_host_flush_trace(&m->host);
    for (unsigned i = 0; i < m->console_count; i++)
        console_flush_now(&m->console[i]);
}
