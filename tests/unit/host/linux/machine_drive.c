/* SPDX-License-Identifier: MIT */
/* machine_drive.c - what ends beside a whole machine comes to its vCPU's thread soon, whether its
 * guest computes or sleeps; requests to its drive do. */
/* uses: host/linux/machine.c host/linux/loop.c host/linux/waker.c host/linux/block.c */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <signal.h>
#include <time.h>

#include "host/linux/loop.h"
#include "host/linux/machine.h"
#include "tests/rig/block_rig.h"
#include "tests/rig/xorshift.h"

#define ENDS    300u
#define SOON_NS 250000u /* a quarter of a slice; on a quiet host it takes a tenth of that */

/* A multiboot kernel, with the code behind its header. */
static const uint8_t computes[] = {0xeb, 0xfe}; /* jmp . */
static const uint8_t sleeps[] = {
    0xb0, 0xff, 0xe6, 0x21, 0xe6, 0xa1, /* mov al, 0xff; out 0x21, al; out 0xa1, al */
    0xb0, 0x30, 0xe6, 0x43,             /* mov al, 0x30; out 0x43, al: the timer stands still */
    0xfb, 0xf4, 0xeb, 0xfc,             /* sti; hlt; jmp to the sti */
};

static void write_kernel(char *path, const uint8_t *code, size_t len)
{
    uint32_t image[64] = {0x1badb002, 0x10000, 0 - 0x1badb002u - 0x10000, 0x100000, 0x100000, 0,
                          0,          0x100020};

    memcpy(image + 8, code, len);
    strcpy(path, "/tmp/ring1-kernel-XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, image, sizeof image) == sizeof image);
    close(fd);
}

static struct {
    struct machine *m;
    struct completion end; /* of something that takes its time */
    uint64_t posted_ns, took[ENDS];
    unsigned begun, count; /* the poster waits for begun > count; each has one writer */
    struct block_request request;
    uint8_t bytes[4096];
    bool read; /* the request has ended */
} s;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Posts some time after the vCPU's thread has gone back to its guest. */
static void *post(void *unused)
{
    uint32_t seed = 5;
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (unsigned n = 0; n < ENDS; n++) {
        struct timespec moment = {0, 200000 + xorshift(&seed) % 400000};

        while (__atomic_load_n(&s.begun, __ATOMIC_ACQUIRE) <= n)
            sched_yield();
        nanosleep(&moment, NULL);
        s.posted_ns = now_ns();
        completion_post(pc_completions(s.m->pc), &s.end, 0);
    }
    return unused;
}

static void begin_next(void)
{
    completion_begin(pc_completions(s.m->pc), &s.end);
    __atomic_store_n(&s.begun, s.begun + 1, __ATOMIC_RELEASE);
}

static void on_end(void *opaque, int result, ns_t now)
{
    (void)now;
    cr_assert(!result && opaque == &s);
    s.took[s.count++] = now_ns() - s.posted_ns;
    if (s.count < ENDS)
        begin_next();
    else
        raise(SIGTERM);
}

static void on_read(void *opaque, int result, ns_t now)
{
    (void)opaque, (void)now;
    s.read = !result;
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void run(const uint8_t *code, size_t len, enum exec_mode mode, const char *what)
{
    static struct config cfg;
    char kernel[64], image[64];
    struct error e = {.text = ""};
    pthread_t poster;

    memset(&s, 0, sizeof s);
    write_kernel(kernel, code, len);
    block_rig_file(image, 65536);
    cfg = (struct config){.kernel = kernel,
                          .append = "",
                          .ram_size = 32 * MIB,
                          .cpu = cpu_model_at(0),
                          .exec = mode,
                          .cache_size = 16 * MIB,
                          .drive_count = 1};
    strcpy(cfg.drive[0].path, image);
    s.m = zeroed_alloc(sizeof *s.m);
    cr_assert(!machine_create(s.m, &cfg, &e), "%s", e.text);
    struct blockdev dev = block_backend(s.m->drive[0]);
    s.request = (struct block_request){.completion = {.done = on_read},
                                       .op = BLOCK_READ,
                                       .offset = 8192,
                                       .len = sizeof s.bytes,
                                       .pieces = 1,
                                       .piece = {{s.bytes, sizeof s.bytes}}};
    blockdev_submit(&dev, pc_completions(s.m->pc), &s.request);
    s.end = (struct completion){.done = on_end, .opaque = &s};
    begin_next();
    pthread_create(&poster, NULL, post, NULL);
    cr_expect_eq(loop_run(s.m), 128 + SIGTERM, "%s", what);
    pthread_join(poster, NULL);
    cr_expect(s.count == ENDS && s.read && s.bytes[5] == block_rig_byte(8192 + 5));
    qsort(s.took, ENDS, sizeof s.took[0], by_time);
    cr_log_info("%s: half of them take at most %llu ns, nine of ten %llu ns", what,
                (unsigned long long)s.took[ENDS / 2], (unsigned long long)s.took[ENDS / 10 * 9]);
    /* Others may have the CPUs. */
    cr_expect(s.took[ENDS / 2] < SOON_NS, "%s: %llu ns", what,
              (unsigned long long)s.took[ENDS / 2]);
    machine_destroy(s.m);
    unlink(kernel);
    unlink(image);
}

Test(machine_drive, guest_computes)
{
    run(computes, sizeof computes, EXEC_TRANSLATE, "translated");
}

Test(machine_drive, guest_computes_interpreted)
{
    run(computes, sizeof computes, EXEC_INTERPRET, "interpreted");
}

Test(machine_drive, guest_sleeps)
{
    run(sleeps, sizeof sleeps, EXEC_TRANSLATE, "asleep");
}
