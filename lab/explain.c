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
#include "lab/annotate.h"
#include "lab/micro.h"

#define TEXT_MAX  (256u << 10)
#define LINES_MAX 1024u
#define PREFIX    "emit: "
#define COLD      "cold part of "
#define HEX_AT    15u /* after PREFIX: four blanks, the offset, a blank */
#define TEXT_AT   38u /* and 22 digits, a blank */

/* A line of the trace. */
struct line {
    enum { GUEST, HOST, COLD_PART } kind;
    uint32_t at; /* EIP, or the offset in the arena */
    char *text;
};

/* What the child finds out, besides the trace. */
struct shared {
    struct bt_stubs stubs;
    struct seen seen;
};

struct listing {
    struct line line[LINES_MAX];
    unsigned count;
    char text[TEXT_MAX];
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

static void take_line(struct listing *t, char *text)
{
    struct line *l = &t->line[t->count];

    if (t->count == LINES_MAX || strncmp(text, PREFIX, strlen(PREFIX)) != 0)
        return;
    text += strlen(PREFIX);
    if (strncmp(text, COLD, strlen(COLD)) == 0)
        *l = (struct line){.kind = COLD_PART, .text = text};
    else if (text[0] != ' ')
        *l = (struct line){.kind = GUEST, .at = (uint32_t)strtoul(text, &l->text, 16)};
    else if (strlen(text) > TEXT_AT)
        *l = (struct line){
            .kind = HOST, .at = (uint32_t)strtoul(text, NULL, 16), .text = text + TEXT_AT};
    else
        return;
    if (l->kind == GUEST) {
        char *end;
        l->at = (uint32_t)strtoul(text, &end, 16);
        l->text = end + (*end == ' ');
    }
    t->count++;
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
        take_line(t, s);
    return t->count > 0;
}

/* The block that has the guest's instruction at `eip` is lines [*first, *end). Blocks begin where
 * guest lines follow a cold part, or go back or jump in address. */
static bool find_block(const struct listing *t, uint32_t eip, unsigned *first, unsigned *end)
{
    bool cold = false, here = false;
    uint32_t last = 0;

    *first = 0;
    for (unsigned n = 0; n < t->count; n++) {
        const struct line *l = &t->line[n];
        bool begins = l->kind == GUEST && (cold || l->at <= last || l->at > last + 15);
        if (begins && here) {
            *end = n;
            return true;
        }
        if (begins) {
            *first = n;
            cold = false;
        }
        if (l->kind == GUEST)
            last = l->at;
        cold |= l->kind == COLD_PART;
        here |= l->kind == GUEST && l->at == eip;
    }
    *end = t->count;
    return here;
}

static void print_block(FILE *f, const struct listing *t, const struct bt_stubs *stubs,
                        uint32_t eip, unsigned first, unsigned end)
{
    const char *guest = "", *left = "", *mark = "  ";
    uint32_t cold = 0;

    for (unsigned n = first; n < end; n++)
        if (t->line[n].kind == COLD_PART && n + 1 < end)
            cold = t->line[n + 1].at;
    fprintf(f, "   %-30s %-40s %s\n", "guest", "host", "what for");
    for (unsigned n = first; n < end; n++) {
        const struct line *l = &t->line[n];
        bool alone = n + 1 == end || t->line[n + 1].kind != HOST;
        char note[128];
        if (l->kind == COLD_PART) {
            fprintf(f, "   (the cold part)\n");
            guest = left = "";
            mark = "  ";
        } else if (l->kind == GUEST) {
            guest = left = l->text;
            mark = l->at == eip ? "->" : "  ";
            if (alone)
                fprintf(f, "%s %-30s %-40s %s\n", mark, left, "", "nothing is left of it");
        } else {
            struct host_line h = {.guest = guest,
                                  .text = l->text,
                                  .next = alone ? "" : t->line[n + 1].text,
                                  .at = l->at,
                                  .cold = cold};
            annotate(stubs, &h, note, sizeof note);
            fprintf(f, note[0] ? "%s %-30s %-40s %s\n" : "%s %-30s %s\n", mark, left, l->text,
                    note);
            left = "";
            mark = "  ";
        }
    }
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
    bool found = make_listing(&t, p, shared) && find_block(&t, eip, &first, &end);
    if (found)
        print_block(f, &t, &shared->stubs, eip, first, end);
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
