/* SPDX-License-Identifier: MIT */
/*
 * save.c - a machine saved in the middle of what it does (monitor/run/save.h): it goes on in
 * another process as it would have in this one, and bytes that are not whole are refused.
 *
 * Time is lockstep's, counted in instructions, so that the rest of a run is the same each time;
 * where blocks begin it depends on what was translated already, so the ends' times may be some
 * nanoseconds apart.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "devices/pc_board.h"
#include "host/linux/machine.h"
#include "monitor/cpu/fpu.h"
#include "monitor/run/assemble.h"
#include "monitor/run/lockstep.h"
#include "monitor/run/save.h"
#include "tests/rig/xorshift.h"

#define HEADER   36u /* devices/snapshot.c */
#define SLICE_NS 1000000u
#define OUTPUT   65536u
#define FRAME    0xe0000000u
#define MOVED    0xe4000000u
#define FRAME_SZ (8u << 12)
#define COMMANDS "run=echo one two;ps;fib 20;primes 20000;sleep 1;uptime;primes 30000;poweroff"

struct run {
    struct machine *m;
    struct config cfg;
    char out[OUTPUT];
    unsigned len;
    unsigned reason;
    struct region frame, twin; /* memory of a device that the machine has besides */
    struct dev_memory device;
    uint64_t log[1];
};

static void capture(void *opaque, const uint8_t *bytes, size_t len)
{
    struct run *r = opaque;

    for (; len-- && r->len < OUTPUT - 1; bytes++)
        r->out[r->len++] = (char)*bytes;
}

static void add_frame(struct run *r)
{
    r->frame = (struct region){.name = "frame", .kind = REGION_FRAME, .size = FRAME_SZ};
    r->frame.host = guest_ram_add(&r->m->ram, FRAME_SZ, &r->frame.at);
    r->frame.page = zeroed_alloc(FRAME_SZ >> 12);
    r->twin = r->frame;
    r->twin.host = zeroed_alloc(FRAME_SZ);
    r->twin.page = zeroed_alloc(FRAME_SZ >> 12);
    cr_assert(!vm_add_memory(&r->m->vm, &r->frame, &r->twin, r->log, &r->device));
    cr_assert(r->device.place(r->device.opaque, FRAME));
}

static struct run *run_new(void)
{
    struct run *r = calloc(1, sizeof *r);
    struct error e = {.text = ""};
    const char *tiny = getenv("RING1_TINY");

    cr_assert(r && tiny, "RING1_TINY names the guest");
    r->cfg = (struct config){.kernel = tiny,
                             .vga = true,
                             .append = COMMANDS,
                             .ram_size = 16 * MIB,
                             .cpu = cpu_model_at(0),
                             .rtc_base = RTC_DATE,
                             .rtc_date = 1700000000,
                             .acpi = true,
                             .serial_count = 1,
                             .serial = {{.kind = CONSOLE_NULL}},
                             .exec = EXEC_LOCKSTEP,
                             .cache_size = 16 * MIB};
    r->m = zeroed_alloc(sizeof *r->m);
    cr_assert(r->m && !machine_create(r->m, &r->cfg, &e), "%s", e.text);
    r->m->pc->uart[0].chr = (struct chardev){.opaque = r, .send = capture};
    add_frame(r);
    return r;
}

static void run_free(struct run *r)
{
    machine_destroy(r->m);
    free(r);
}

/* To the first stop between slices after `insns` instructions, or to its end. */
static void run_on(struct run *r, uint64_t insns)
{
    while (r->m->lockstep->insns < insns) {
        r->reason = vcpu_run(r->m->vcpu, SLICE_NS);
        fpu_park(r->m->vcpu);
        if (r->reason == EXIT_HALT)
            cr_assert(lockstep_wait(r->m->lockstep), "halted, and no timer runs: a lost deadline");
        else if (r->reason != EXIT_SLICE)
            break;
    }
    if (r->reason != EXIT_SLICE && r->reason != EXIT_HALT)
        pc_flush(r->m->pc);
}

static struct snapshot save(struct run *r)
{
    struct snapshot s = {.size = vm_save_bound(&r->m->vm)};

    s.bytes = malloc(s.size);
    cr_assert(s.bytes && vm_save(&r->m->vm, r->m->pc, &s), "%s", s.error);
    s.size = s.at;
    return s;
}

static bool load(struct run *r, const struct snapshot *from)
{
    struct snapshot s = {.bytes = from->bytes, .size = from->size};

    return vm_load(&r->m->vm, r->m->pc, &s);
}

/* What two processes tell each other. */
struct shared {
    size_t size;
    uint8_t bytes[20 * MIB];
    unsigned len, reason;
    char out[OUTPUT];
    size_t end_size;
    uint8_t end[20 * MIB];
};

static void tell_end(struct run *r, struct shared *to)
{
    struct snapshot s = save(r);

    to->reason = r->reason;
    to->len = r->len;
    memcpy(to->out, r->out, r->len);
    to->end_size = s.size;
    memcpy(to->end, s.bytes, s.size);
    free(s.bytes);
}

/* Waits for the snapshot, runs it to its end. */
static _Noreturn void other_process(int go, struct shared *sh)
{
    char c;

    alarm(60);
    if (read(go, &c, 1) != 1)
        _exit(2);
    struct run *r = run_new();
    struct snapshot s = {.bytes = sh->bytes, .size = sh->size};
    if (!vm_load(&r->m->vm, r->m->pc, &s)) {
        fprintf(stderr, "load: %s\n", s.error);
        _exit(3);
    }
    run_on(r, UINT64_MAX);
    tell_end(r, sh);
    _exit(0);
}

static size_t section_len(const uint8_t *section)
{
    uint64_t len;

    memcpy(&len, section + 20, sizeof len);
    return (size_t)len;
}

static const uint8_t *section_of(const struct shared *sh, const char *name)
{
    const uint8_t *at = sh->end;

    while (at < sh->end + sh->end_size && strcmp((const char *)at, name) != 0)
        at += HEADER + section_len(at);
    cr_assert(at < sh->end + sh->end_size, "no section %s", name);
    return at;
}

static void expect_same(const struct shared *a, const struct shared *b, const char *name)
{
    const uint8_t *x = section_of(a, name), *y = section_of(b, name);

    cr_expect(section_len(x) == section_len(y) && !memcmp(x, y, HEADER + section_len(x)),
              "%s differs at the end", name);
}

Test(save, goes_on_in_another_process)
{
    struct shared *sh =
        mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct shared *mine = calloc(1, sizeof *mine);
    const char *given = getenv("SEED");
    uint32_t seed = given ? (uint32_t)strtoul(given, NULL, 0) : (uint32_t)time(NULL), x = seed;
    uint64_t at = 20000 + xorshift(&x) % 1500000;
    int go[2], status;

    cr_assert(sh != MAP_FAILED && mine && !pipe(go));
    pid_t pid = fork();
    if (!pid) {
        close(go[1]);
        other_process(go[0], sh);
    }
    alarm(100);
    struct run *r = run_new();
    run_on(r, at);
    cr_assert(r->reason == EXIT_SLICE || r->reason == EXIT_HALT, "seed %u: the guest has ended",
              seed);
    unsigned before = r->len;
    cr_assert(r->device.place(r->device.opaque, MOVED));
    memcpy(r->device.bytes + 0x2ffe, "\x11\x22\x33\x44", 4);
    r->device.written(r->device.opaque, 0x2ffe, 4);
    struct snapshot s = save(r);
    sh->size = s.size;
    memcpy(sh->bytes, s.bytes, s.size);
    cr_assert(write(go[1], "g", 1) == 1);
    run_on(r, UINT64_MAX);
    tell_end(r, mine);
    cr_assert(waitpid(pid, &status, 0) == pid && status == 0, "seed %u: status %d", seed, status);
    cr_expect(r->reason == EXIT_POWEROFF && sh->reason == EXIT_POWEROFF, "%u %u", r->reason,
              sh->reason);
    cr_expect(strstr(r->out, "turning off") != NULL, "%s", r->out);
    cr_expect(sh->len == r->len - before && !memcmp(sh->out, r->out + before, sh->len),
              "seed %u: another output:\n%s\ninstead of\n%s", seed, sh->out, r->out + before);
    expect_same(sh, mine, "cpu");
    expect_same(sh, mine, "ram");
    expect_same(sh, mine, "frame");
    cr_expect(section_len(section_of(sh, "frame")) > 0x2000, "its bytes are there");
    run_free(r);
}

/* Each way to cut it off, near a section's border, and a byte changed in each section: an error,
 * and never more. */
Test(save, refuses_what_is_not_whole)
{
    struct run *r = run_new();
    unsigned sections = 0;

    run_on(r, 50000);
    struct snapshot s = save(r), again;
    cr_assert(load(r, &s));
    again = save(r);
    cr_expect(again.size == s.size && !memcmp(again.bytes, s.bytes, s.size),
              "what was loaded is what was saved");
    for (size_t at = 0; at < s.size; at += HEADER + section_len(s.bytes + at), sections++) {
        size_t cuts[] = {at, at + 1, at + HEADER - 1, at + HEADER + section_len(s.bytes + at) / 2};

        for (unsigned n = 0; n < ARRAY_LEN(cuts); n++) {
            struct snapshot cut = {.bytes = s.bytes, .size = cuts[n]};
            cr_expect(cuts[n] == s.size || !load(r, &cut), "cut off at %zu", cuts[n]);
        }
        for (size_t n = 0; n < HEADER + section_len(again.bytes + at); n += 1 + n / 2) {
            s.bytes[at + n] ^= 0x10;
            cr_expect(!load(r, &s), "byte %zu of %s", n, s.bytes + at);
            s.bytes[at + n] ^= 0x10;
        }
    }
    cr_expect(sections >= 20, "%u sections", sections);
    cr_expect(load(r, &s), "and whole it is taken again");
    free(s.bytes);
    free(again.bytes);
    run_free(r);
}
