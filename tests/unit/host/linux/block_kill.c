/* SPDX-License-Identifier: MIT */
/* block_kill.c - a process that writes and flushes is killed at any moment: what a flush had
 * ended for is in the image, and no sector is half of one write and half of another. */
/* uses: host/linux/block.c host/linux/block_raw.c host/linux/block_nbd.c */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/rig/block_rig.h"
#include "tests/rig/xorshift.h"

#define SECTORS 256u
#define SIZE    (SECTORS * 4096u) /* each written sector of 512 is at the begin of 4096 */

static struct block_rig t;
static char path[64];

/* What the writer tells before and after. */
struct word {
    uint32_t sector, generation;
    bool flushed; /* all that was written up to here */
};

static struct {
    uint32_t begun, flushed;
} last[SECTORS]; /* generations */

static void fill(uint8_t *bytes, uint32_t generation)
{
    for (unsigned n = 0; n < 512; n += 4)
        memcpy(bytes + n, &generation, 4);
}

/* Writes for ever. */
static _Noreturn void writer(int to, uint32_t seed, uint32_t generation)
{
    static uint8_t bytes[512];

    if (block_rig_open(&t, SANDBOX_OFF))
        _exit(2);
    for (;; generation++) {
        struct word w = {xorshift(&seed) % SECTORS, generation, false};

        fill(bytes, generation);
        if (write(to, &w, sizeof w) != sizeof w ||
            block_rig_write(&t, (uint64_t)w.sector * 4096, bytes, 512))
            _exit(3);
        if (xorshift(&seed) % 4)
            continue;
        w.flushed = true;
        if (block_rig_flush(&t) || write(to, &w, sizeof w) != sizeof w)
            _exit(4);
    }
}

static void note(const struct word *w)
{
    if (!w->flushed)
        last[w->sector].begun = w->generation;
    else
        for (unsigned n = 0; n < SECTORS; n++)
            last[n].flushed = last[n].begun;
}

/* Runs the writer for some time; returns the generation that it came to. */
static uint32_t one_life(uint32_t *seed, uint32_t generation)
{
    int p[2], status;
    struct word w = {0};
    struct timespec life = {0, (long)(xorshift(seed) % 20000000)};

    cr_assert_eq(pipe(p), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(p[0]);
        writer(p[1], *seed, generation);
    }
    close(p[1]);
    cr_assert_eq(read(p[0], &w, sizeof w), sizeof w, "the writer did not begin");
    note(&w);
    fcntl(p[0], F_SETFL,
          O_NONBLOCK); /* the pipe holds 64 KiB: it is emptied while the time passes */
    for (unsigned n = 0; n < 20; n++) {
        struct timespec part = {0, life.tv_nsec / 20};

        nanosleep(&part, NULL);
        while (read(p[0], &w, sizeof w) == sizeof w)
            note(&w);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    cr_assert(WIFSIGNALED(status), "the writer ended by itself: %x", status);
    while (read(p[0], &w, sizeof w) == sizeof w)
        note(&w);
    close(p[0]);
    return w.generation + 1;
}

/* Opens the image again, as soon as the dead one's server has let it go. */
static void open_again(void)
{
    for (unsigned n = 0; block_rig_open(&t, SANDBOX_OFF); n++) {
        struct timespec moment = {0, 50000000};

        cr_assert(n < 400, "%s", t.e.text);
        block_rig_close(&t);
        nanosleep(&moment, NULL);
    }
}

static void check(unsigned life)
{
    uint8_t bytes[512];
    uint32_t g, other;

    for (unsigned n = 0; n < SECTORS; n++) {
        cr_assert_eq(block_rig_read(&t, n * 4096ull, bytes, 512), 0);
        memcpy(&g, bytes, 4);
        for (unsigned at = 4; at < 512; at += 4) {
            memcpy(&other, bytes + at, 4);
            cr_assert_eq(other, g, "life %u, sector %u: half a write", life, n);
        }
        cr_assert(g >= last[n].flushed && g <= last[n].begun,
                  "life %u, sector %u: %u is there; %u was flushed, %u begun", life, n, g,
                  last[n].flushed, last[n].begun);
        last[n].begun = last[n].flushed = g;
    }
}

static void kill_often(unsigned lives, uint32_t seed)
{
    uint32_t generation = 1;

    memset(last, 0, sizeof last);
    for (unsigned n = 0; n < lives; n++) {
        generation = one_life(&seed, generation);
        open_again();
        check(n);
        block_rig_close(&t);
    }
    cr_expect(generation > lives, "only %u writes", generation);
}

Test(block_kill, nothing_flushed_is_lost_raw)
{
    uint8_t zero[4096] = {0};

    block_rig_file(path, 0);
    int fd = open(path, O_WRONLY);
    for (unsigned n = 0; n < SECTORS; n++)
        cr_assert_eq(write(fd, zero, sizeof zero), sizeof zero);
    close(fd);
    strcpy(t.spec.path, path);
    strcpy(t.spec.format, "raw");
    kill_often(100, 42);
    unlink(path);
}

#ifdef HAVE_LIBNBD

Test(block_kill, nothing_flushed_is_lost_qcow2)
{
    char command[200];

    if (system("command -v qemu-nbd qemu-img >/dev/null"))
        cr_skip_test("qemu-utils is not installed");
    block_rig_file(path, 0);
    snprintf(command, sizeof command, "qemu-img create -q -f qcow2 %s %u", path, SIZE);
    cr_assert_eq(system(command), 0);
    strcpy(t.spec.path, path);
    kill_often(15, 4711);
    snprintf(command, sizeof command, "qemu-img check -q -f qcow2 %s", path);
    /* 3: clusters that nothing refers to, the price of a kill; anything else is damage. */
    int status = system(command);
    cr_expect(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3),
              "qemu-img check: %x", status);
    unlink(path);
}

#endif
