/* SPDX-License-Identifier: MIT */
/*
 * block.c - `ring1 holes explain --block`: a process runs the guest with the trace stage `emit`
 * into a pipe. The reader keeps the present block only, and ends the guest after it has the wanted
 * one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/linux/loop.h"
#include "host/linux/machine.h"
#include "include/ring1/trace.h"
#include "lab/explain.h"
#include "lab/listing.h"

#define GUEST_RAM  (256ull << 20)
#define GUEST_CODE (32ull << 20)
#define CHUNK      65536u
#define LINE_BYTES 512u

static _Noreturn void run_guest(const struct explain_guest *g, struct bt_stubs *stubs, int fd)
{
    static struct machine m;
    static struct config cfg;
    struct error e;

    cfg = (struct config){.kernel = g->kernel,
                          .initrd = g->initrd,
                          .append = g->append,
                          .ram_size = GUEST_RAM,
                          .cpu = cpu_model_at(0),
                          .acpi = true,
                          .no_reboot = true,
                          .serial_count = 1,
                          .serial = {{.kind = CONSOLE_NULL}},
                          .exec = EXEC_TRANSLATE,
                          .cache_size = GUEST_CODE,
                          .sandbox = SANDBOX_ON};
    if (machine_create(&m, &cfg, &e)) {
        say("%s", e.text);
        _exit(1);
    }
    m.host.trace_fd = fd;
    m.host.host.trace_mask = TRACE_BIT(TRACE_EMIT);
    *stubs = m.vcpu->translator->stubs;
    loop_run(&m);
    _exit(0);
}

/* The block that is being read. */
struct reader {
    struct listing now;
    size_t used; /* of now.text */
    uint32_t at;
    unsigned first, end;
};

/* One line; true: the wanted block is complete, and is lines [first, end). */
static bool read_line(struct reader *r, const char *line, size_t len)
{
    struct listing *t = &r->now;

    if (len >= LINE_BYTES)
        return false;
    if (t->count > LINES_MAX - 2 || r->used + len + 1 > TEXT_MAX) { /* a block is shorter */
        t->count = 0;
        r->used = 0;
    }
    char *copy = t->text + r->used;
    memcpy(copy, line, len);
    copy[len] = 0;
    unsigned before = t->count;
    listing_take(t, copy);
    if (t->count == before)
        return false;
    r->used += len + 1;
    if (t->line[before].kind != GUEST || !listing_find(t, r->at, &r->first, &r->end))
        return false;
    return r->end < t->count;
}

/* Reads until the block is there, the guest ends or the time is over. */
static bool read_trace(struct reader *r, int fd, unsigned seconds)
{
    static char text[CHUNK + 1];
    size_t kept = 0;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    for (time_t end = now.tv_sec + seconds; now.tv_sec < end;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, 200);
        ssize_t n = ready > 0 ? read(fd, text + kept, CHUNK - kept) : 0;
        if (ready > 0 && n <= 0)
            break;
        kept += (size_t)n;
        size_t from = 0;
        for (char *nl; (nl = memchr(text + from, '\n', kept - from));
             from = (size_t)(nl - text) + 1)
            if (read_line(r, text + from, (size_t)(nl - text) - from))
                return true;
        memmove(text, text + from, kept - from);
        kept = kept - from < LINE_BYTES ? kept - from : 0;
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    return listing_find(&r->now, r->at, &r->first, &r->end);
}

int explain_block(FILE *f, uint32_t at, const struct explain_guest *g)
{
    static struct reader r;
    struct bt_stubs *stubs =
        mmap(NULL, sizeof *stubs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ends[2], status = 0;

    if (stubs == MAP_FAILED || pipe(ends)) {
        say("cannot start a guest: %s", refusal(errno));
        return 1;
    }
    fflush(NULL);
    r.at = at;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run_guest(g, stubs, ends[1]);
    }
    close(ends[1]);
    bool found = child > 0 && read_trace(&r, ends[0], g->seconds);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    close(ends[0]);
    if (found)
        listing_print(f, &r.now, stubs, at, r.first, r.end);
    else if (!(WIFEXITED(status) && WEXITSTATUS(status) == 1)) /* which has said why */
        say("the guest translated no code at 0x%08x within %u seconds", at, g->seconds);
    munmap(stubs, sizeof *stubs);
    return !found;
}
