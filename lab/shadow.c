/* SPDX-License-Identifier: MIT */
/* shadow.c - see shadow.h. */
#define _GNU_SOURCE
#include "lab/shadow.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/micro.h"

/* What the guest does between two HLTs, and its page faults in it. */
static const struct {
    const char *text;
    uint32_t page; /* whose entry is shown */
    unsigned faults;
} steps[] = {
    {"turns paging on", SHADOW_PAGE, 0},     {"reads page A", SHADOW_PAGE, 0},
    {"reads page A again", SHADOW_PAGE, 0},  {"writes page A", SHADOW_PAGE, 0},
    {"writes page A again", SHADOW_PAGE, 0}, {"reads page B, which is not present", SHADOW_LATE, 1},
    {"reads page B again", SHADOW_LATE, 0},  {"leads page A elsewhere, INVLPG", SHADOW_PAGE, 0},
    {"reads page A", SHADOW_PAGE, 0},
};
#define STEPS ARRAY_LEN(steps)

struct watched {
    bool ended;
    uint32_t entry;
    uint64_t hidden, true_faults, delivered, mapped, unmapped;
};

static struct watched look(const struct micro *m, const struct seen *s, unsigned step)
{
    const struct vcpu_stats *t = &m->machine.vcpu->stats;
    struct watched w = {.ended = s->ended,
                        .hidden = t->hidden_faults,
                        .true_faults = t->true_faults,
                        .delivered = t->page_faults,
                        .mapped = t->window_maps,
                        .unmapped = t->window_unmaps};

    memcpy(&w.entry, m->machine.ram.base + SHADOW_PTE(steps[step].page), sizeof w.entry);
    return w;
}

static _Noreturn void run_child(struct watched *out)
{
    extern const uint8_t lab_shadow[], lab_at_shadow[], lab_end_shadow[];
    const struct program p = {.code = lab_shadow, .at = lab_at_shadow, .end = lab_end_shadow};
    static struct micro m;
    struct seen s = {0};
    struct error e;

    if (micro_create(&m, EXEC_TRANSLATE, 0, -1, &e)) {
        say("%s", e.text);
        _exit(1);
    }
    micro_load(&m, &p);
    out[0] = look(&m, &s, 0);
    for (unsigned n = 0; n < STEPS; n++) {
        m.machine.vcpu->halted = false;
        micro_run(&m, &s);
        out[n + 1] = look(&m, &s, n);
    }
    _exit(0);
}

static void put_entry(FILE *f, uint32_t e)
{
    fprintf(f, "0x%08x %s%s%s", e, e & 1 ? "P" : "-", e & 0x20 ? "A" : "-", e & 0x40 ? "D" : "-");
}

static int print(FILE *f, const struct watched *w)
{
    unsigned bad = 0;

    fprintf(f, "%-36s %7s %7s %7s %7s %9s  %s\n", "the guest", "hidden", "true", "its #PF",
            "mapped", "unmapped", "its PTE of that page");
    for (unsigned n = 1; n <= STEPS; n++) {
        const struct watched *a = &w[n - 1], *b = &w[n];
        fprintf(f, "%-36s %7u %7u %7u %7u %9u  ", steps[n - 1].text,
                (unsigned)(b->hidden - a->hidden), (unsigned)(b->true_faults - a->true_faults),
                (unsigned)(b->delivered - a->delivered), (unsigned)(b->mapped - a->mapped),
                (unsigned)(b->unmapped - a->unmapped));
        put_entry(f, b->entry);
        fputc('\n', f);
        bad += !b->ended || b->delivered - a->delivered != steps[n - 1].faults;
    }
    fprintf(f, "\n"
               "hidden   page faults of the host's CPU that the monitor answered from the guest's "
               "page tables:\n         the guest never hears of them\n"
               "true     those that the guest's own tables say, or that a device answers\n"
               "its #PF  page faults that the guest's kernel handled\n"
               "mapped   pages that the monitor put into its window of the guest's address space, "
               "its shadow\n         page table; unmapped: and took away\n"
               "P A D    present, accessed, dirty, as the guest's table in memory has them\n");
    return bad != 0;
}

int shadow(FILE *f)
{
    size_t size = (STEPS + 1) * sizeof(struct watched);
    struct watched *w = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 1;

    if (w == MAP_FAILED)
        return 1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        run_child(w);
    if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
        WEXITSTATUS(status) == 0)
        status = print(f, w);
    else
        status = 1;
    munmap(w, size);
    return status;
}
