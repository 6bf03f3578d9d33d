/* SPDX-License-Identifier: MIT */
/*
 * save.c - hostile snapshots: a machine that was saved while it ran random code is changed byte by
 * byte, often with checksums made right again, cut off, put together anew, and loaded. It is
 * refused with one sentence, or it is a state in which a machine can be: it runs on, is saved, and
 * what was saved loads again. Nothing beyond the bytes is read (they end at an inaccessible page).
 */
#define _GNU_SOURCE
#include "monitor/run/save.h"

#include "devices/pc.h"
#include "host/linux/code_arena.h"
#include "monitor/cpu/fpu.h"
#include "monitor/memory/page.h"
#include "tests/fuzz/cpu_fuzz.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rig/null_host.h"

#define HEADER   36u /* devices/snapshot.c: name, version, length, checksum */
#define AT_LEN   20u
#define AT_SUM   28u
#define SECTIONS 64u
#define CLOCK_NS 100000u
#define SLICE_NS 300000u
#define LATE     ((ns_t)1 << 58) /* not so far from the latest time of a snapshot */

static struct {
    struct null_world world;
    struct vmm_host host;
    struct vm vm;
    struct vcpu *cpu;
    struct pc *pc;
    uint8_t *end;  /* of the bytes that are loaded */
    uint8_t *work; /* what is changed */
    size_t room;
    const char *error; /* of the last load */
    size_t section;    /* in which */
    unsigned long long loaded, refused;
} m;

static void drop(void *opaque, const uint8_t *bytes, size_t len)
{
    (void)opaque, (void)bytes, (void)len;
}

static void silent(void *opaque, unsigned stage, const char *text)
{
    (void)opaque, (void)stage, (void)text;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
    if (host_fpu_signal(info, context))
        return;
    fuzz_write("a signal\n", 9);
    fuzz_say_seed();
    signal(sig, SIG_DFL);
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void build_board(void)
{
    struct pc_config cfg = {.cmdline = "fuzz",
                            .acpi = true,
                            .debug_exit_base = 0xf4,
                            .debug_exit_size = 4,
                            .testdev = true,
                            .serial = {{.send = drop}, {.send = drop}},
                            .serial_present = {true, true}};
    const char *why = null_pc(&m.vm, m.pc, &cfg);

    if (why)
        fuzz_fail(why);
    vm_set_page_kind(&m.vm, 0xa0000, 0x20000, PAGE_MMIO);
    m.world.now = 0;
}

static void build_once(void)
{
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGFPE, &sa, NULL);
    sigaction(SIGILL, &sa, NULL);
    m.world.step = CLOCK_NS;
    m.host = null_host(&m.world);
    m.host.trace = silent;
    if (code_arena_create(&m.world.cpu_host.stubs, 1u << 18))
        fuzz_fail("no code arena");
    m.cpu = null_zeroed(sizeof *m.cpu);
    m.pc = null_zeroed(pc_size());
    null_vm(&m.vm, &m.world, &m.host, m.cpu, NULL, RAM_BYTES, NULL);
    build_board();
    m.room = (vm_save_bound(&m.vm) + NULL_PAGE - 1) & ~(size_t)(NULL_PAGE - 1);
    m.end = (uint8_t *)null_zeroed(m.room) + m.room;
    m.work = null_zeroed(m.room);
}

/* A machine that was reset, whatever was half loaded before, and is then in the middle of
 * something. */
static void start(void)
{
    if (m.world.now > LATE)
        build_board();
    pc_reset(m.pc, m.world.now);
    vcpu_reset(m.cpu);
    vm_set_a20(&m.vm, true);
    m.vm.next_deadline = 0;
    memset(m.vm.ram, 0, RAM_BYTES);
    tables_make(m.vm.ram);
    code_make(m.vm.ram);
    vm_ram_written(&m.vm, 0, RAM_BYTES);
    state_make(m.cpu);
}

/* False: the guest has ended; the machine is as new. */
static bool run(unsigned slices)
{
    for (unsigned n = 0; n < slices || m.cpu->exit_reason != EXIT_NONE; n++) {
        unsigned reason = vcpu_run(m.cpu, SLICE_NS);
        fpu_park(m.cpu);
        const char *wrong = state_wrong(m.cpu);
        if (wrong)
            fuzz_fail(wrong);
        if (reason == EXIT_HALT && m.vm.next_deadline != NS_NEVER &&
            m.vm.next_deadline > m.world.now)
            m.world.now = m.vm.next_deadline;
        else if (reason != EXIT_SLICE && reason != EXIT_HALT)
            return false;
    }
    return true;
}

static size_t save(uint8_t *to)
{
    struct snapshot s = {.bytes = to, .size = m.room};

    if (!vm_save(&m.vm, m.pc, &s))
        fuzz_fail(s.error);
    return s.at;
}

/* devices/snapshot.c's, as an enemy has it. */
static uint64_t sum(const uint8_t *p, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u, word;

    for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
        memcpy(&word, p, sizeof word);
        h = (h ^ word) * 0x100000001b3u;
        h ^= h >> 32;
    }
    while (len--)
        h = (h ^ *p++) * 0x100000001b3u;
    return h;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

/* Where the sections of m.work begin. */
static unsigned sections(size_t size, size_t *at)
{
    unsigned count = 0;

    for (size_t p = 0; p < size && count < SECTIONS;
         p += HEADER + (size_t)get64(m.work + p + AT_LEN))
        at[count++] = p;
    return count;
}

/* Some bytes of some sections; numbers at which checks go wrong are often among them. */
static void change(size_t size)
{
    static const uint64_t edges[] = {0,          1,          0x7f,       0x80,
                                     0xff,       0x7fffffff, 0x80000000, 0xffffffff,
                                     1ull << 60, INT64_MAX,  1ull << 63, UINT64_MAX};
    size_t at[SECTIONS];
    unsigned count = sections(size, at);

    for (unsigned n = 1 + rnd(3); n; n--) {
        uint8_t *section = m.work + at[rnd(count)];
        uint64_t len = get64(section + AT_LEN), edge = PICK(edges);
        unsigned width = 1u << rnd(4);
        if (!len)
            continue;
        for (unsigned k = 1 + rnd(4); k; k--) {
            uint64_t where = rnd(len < 0x10000 ? (uint32_t)len : 0x10000);
            if (where + width > len)
                continue;
            if (chance(50))
                memcpy(section + HEADER + where, &edge, width);
            else
                section[HEADER + where] ^= (uint8_t)(1u << rnd(8));
        }
        uint64_t right = sum(section + HEADER, (size_t)len);
        if (chance(95))
            memcpy(section + AT_SUM, &right, sizeof right);
    }
    if (chance(10)) /* in a header */
        m.work[at[rnd(count)] + rnd(HEADER)] ^= (uint8_t)(1u << rnd(8));
}

static bool load(size_t size)
{
    struct snapshot s = {.bytes = m.end - size, .size = size};

    memcpy(s.bytes, m.work, size);
    ns_t at = vm_saved_at(&s);
    if (at != NS_NEVER && at > m.world.now)
        m.world.now = at;
    if (vm_load(&m.vm, m.pc, &s))
        return true;
    m.error = s.error;
    m.section = s.section;
    FUZZ_CHECK(s.error && strlen(s.error) > 10 && strlen(s.error) < 100 && !strchr(s.error, '\n'));
    return false;
}

/* What was saved is refused. */
static _Noreturn void refused_own(void)
{
    fprintf(stderr, "%s: ", (const char *)m.work + m.section);
    fuzz_fail(m.error);
}

static void one(void)
{
    start();
    while (!run(rnd(8)))
        start();
    size_t size = save(m.work);
    if (!load(size))
        refused_own();
    size = save(m.work);
    for (unsigned n = 0; n < 8; n++) {
        change(size);
        size_t part = chance(10) ? rnd((uint32_t)size) : size;
        if (!load(part)) {
            m.refused++;
            start();
            size = save(m.work);
            continue;
        }
        m.loaded++;
        if (!run(1 + rnd(8)))
            start();
        size = save(m.work);
        if (!load(size))
            refused_own();
    }
    pc_flush(m.pc);
}

int main(int argc, char **argv)
{
    fuzz_name = argv[0];
    build_once();
    int status = fuzz_main(argc, argv, one);
    printf("%llu loaded, %llu refused\n", m.loaded, m.refused);
    return status || !m.loaded || !m.refused;
}
