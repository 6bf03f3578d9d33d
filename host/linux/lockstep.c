/* SPDX-License-Identifier: MIT */
/* lockstep.c - see lockstep.h. */
#define _GNU_SOURCE
#include "host/linux/lockstep.h"

#include <string.h>
#include <sys/mman.h>

#include "host/linux/code_arena.h"
#include "host/linux/machine.h"
#include "monitor/interp/interp.h"
#include "monitor/run/lockstep.h"

#define CODE_ARENA (4u << 20) /* the interpreter's FPU stubs */

static void print_line(void *opaque, const char *line)
{
    (void)opaque;
    say("%s", line);
}

static size_t page_bytes(const struct machine *m)
{
    return m->ram.size >> GUEST_PAGE_SHIFT;
}

int host_lockstep_create(struct machine *m, struct error *e)
{
    struct lockstep_config *s = &m->shadow;

    *s = (struct lockstep_config){.cpu = zeroed_alloc(sizeof *s->cpu),
                                  .interp = zeroed_alloc(interp_size()),
                                  .ram = zeroed_alloc(m->ram.size),
                                  .page = zeroed_alloc(page_bytes(m)),
                                  .say = print_line};
    m->lockstep = zeroed_alloc(sizeof *m->lockstep);
    int err = code_arena_create(&s->stubs, CODE_ARENA);
    if (!m->lockstep || !s->cpu || !s->interp || !s->ram || !s->page || err)
        return error_set(e, "the host has not enough memory for a second guest beside the first");
    return 0;
}

static void release(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

void host_lockstep_destroy(struct machine *m)
{
    struct lockstep *ls = m->lockstep;
    struct lockstep_config *s = &m->shadow;

    if (ls && ls->real) {
        if (!ls->diverged)
            say("lockstep: no difference in %llu blocks, %llu instructions",
                (unsigned long long)ls->blocks, (unsigned long long)ls->insns);
        m->vm.host = ls->host;
        m->vcpu->host = ls->cpu_host;
        m->vm.lockstep = NULL;
    }
    release(s->interp, interp_size());
    release(s->cpu, sizeof *s->cpu);
    release(s->ram, m->ram.size);
    release(s->page, page_bytes(m));
    code_arena_destroy(&s->stubs);
    release(ls, sizeof *ls);
    m->lockstep = NULL;
    *s = (struct lockstep_config){0};
}
