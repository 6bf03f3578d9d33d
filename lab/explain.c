/* SPDX-License-Identifier: MIT */
/*
 * explain.c - see explain.h. A process runs the micro-guest with the trace stage `emit`
 * (docs/tracing.md) into a file, from which the lines are taken.
 */
#define _GNU_SOURCE
#include "lab/explain.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/linux/sandbox.h"
#include "include/ring1/trace.h"
#include "lab/listing.h"
#include "lab/micro.h"

/* What the child finds out, besides the trace. */
struct shared {
    struct bt_stubs stubs;
    struct seen seen;
};

static _Noreturn void run_child(const struct program *p, struct shared *shared, int fd)
{
    static struct micro m;
    struct error e;

    if (micro_create(&m, EXEC_TRANSLATE, TRACE_BIT(TRACE_EMIT), fd, &e)) {
        say("%s", e.text);
        _exit(1);
    }
    micro_load(&m, p);
    shared->stubs = m.machine.vcpu->translator->stubs;
    if (sandbox_enter(SANDBOX_ON, &(struct sandbox_spec){.ram_fd = m.machine.ram.fd}, &e)) {
        say("%s", e.text);
        _exit(1);
    }
    micro_run(&m, &shared->seen);
    _exit(0);
}

/* Runs p and takes the trace apart. */
static bool make_listing(struct listing *t, const struct program *p, struct shared *shared)
{
    int fd = memfd_create("trace", 0), status;

    fflush(NULL);
    pid_t child = fd < 0 ? -1 : fork();
    if (child == 0)
        run_child(p, shared, fd);
    bool ran = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
               WEXITSTATUS(status) == 0;
    ssize_t len = ran ? pread(fd, t->text, sizeof t->text - 1, 0) : -1;
    if (fd >= 0)
        close(fd);
    if (len <= 0)
        return false;
    t->text[len] = 0;
    t->count = 0;
    for (char *s = strtok(t->text, "\n"); s; s = strtok(NULL, "\n"))
        listing_take(t, s);
    return t->count > 0;
}

static int explain_program(FILE *f, const struct program *p)
{
    static struct listing t;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint32_t eip = LAB_CODE + (uint32_t)(p->at - p->code);
    unsigned first, end;

    if (shared == MAP_FAILED)
        return 1;
    bool found = make_listing(&t, p, shared) && listing_find(&t, eip, &first, &end);
    if (found)
        listing_print(f, &t, &shared->stubs, eip, first, end);
    munmap(shared, sizeof *shared);
    if (found)
        return 0;
    say("nothing of it was translated");
    return 1;
}

/* Bytes in hexadecimal, blanks between them or not, followed by HLT. Their number; 0: they are
 * none. */
static unsigned read_bytes(const char *s, uint8_t *out, unsigned most)
{
    unsigned count = 0;

    for (; *s; s += 2) {
        char digits[3] = {0};
        while (*s == ' ')
            s++;
        if (!*s)
            break;
        if (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]) || count == most)
            return 0;
        memcpy(digits, s, 2);
        out[count++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return count;
}

int explain(FILE *f, const char *what)
{
    uint8_t code[256];
    unsigned rows = 0;
    int status = 0;

    for (unsigned n = 0; n < HOLE_COUNT; n++) {
        const struct hole *h = &holes[n];
        if (strcasecmp(what, h->name) != 0 && strcasecmp(what, insn_op_name(h->op)) != 0)
            continue;
        fprintf(f, "%s%s: %s\n\n", rows++ ? "\n" : "", h->name, h->shows);
        status |= explain_program(f, &programs[n]);
    }
    if (rows)
        return status;
    unsigned count = read_bytes(what, code, sizeof code - 1);
    if (!count)
        return -1;
    code[count] = 0xf4; /* HLT */
    return explain_program(f, &(struct program){.code = code, .at = code, .end = code + count + 1});
}
