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
    struct lockstep *ls = zeroed_alloc(sizeof *ls);
    struct lockstep_config cfg = {.cpu = zeroed_alloc(sizeof *cfg.cpu),
                                  .interp = zeroed_alloc(interp_size()),
                                  .ram = zeroed_alloc(m->ram.size),
                                  .page = zeroed_alloc(page_bytes(m)),
                                  .say = print_line};
    int err = code_arena_create(&cfg.stubs, CODE_ARENA);

    if (!ls || !cfg.cpu || !cfg.interp || !cfg.ram || !cfg.page || err)
        return error_set(e, "the host has not enough memory for a second guest beside the first");
    lockstep_init(ls, &m->vm, &cfg);
    m->lockstep = ls;
    return 0;
}

void host_lockstep_destroy(struct machine *m)
{
    struct lockstep *ls = m->lockstep;

    if (!ls)
        return;
    if (!ls->diverged)
        say("lockstep: no difference in %llu blocks, %llu instructions",
            (unsigned long long)ls->blocks, (unsigned long long)ls->insns);
    struct host_code_arena stubs = ls->shadow_cpu_host.stubs;
    m->vm.host = ls->host;
    m->vcpu->host = ls->cpu_host;
    m->vm.lockstep = NULL;
    m->lockstep = NULL;
    munmap(ls->b->interp, interp_size());
    munmap(ls->b, sizeof *ls->b);
    munmap(ls->shadow.ram, m->ram.size);
    munmap(ls->shadow.page, page_bytes(m));
    code_arena_destroy(&stubs);
    munmap(ls, sizeof *ls);
}
