/* SPDX-License-Identifier: MIT */
/*
 * final_state.c - runs a guest as `ring1 run` does and prints what it leaves behind: exit status,
 * registers, FPU, and a checksum of RAM. Usage: final_state OPTION...
 *
 * With -exec lockstep, whose time is counted, two runs of a guest print the same.
 */
#include <stdio.h>

#include "cli/options.h"
#include "host/linux/loop.h"
#include "host/linux/machine.h"
#include "monitor/cpu/fpu.h"
#include "monitor/run/lockstep.h"

/* FNV-1a, eight bytes at a time. */
static uint64_t checksum(const void *bytes, uint64_t len)
{
    const uint64_t *word = bytes;
    uint64_t sum = 0xcbf29ce484222325;

    for (uint64_t n = 0; n < len / 8; n++)
        sum = (sum ^ word[n]) * 0x100000001b3;
    return sum;
}

static void print_words(const char *name, const uint32_t *word, unsigned count)
{
    printf("%s", name);
    for (unsigned n = 0; n < count; n++)
        printf(" %08x", word[n]);
    printf("\n");
}

static void print_segment(const char *name, const struct seg *s)
{
    printf("%s %04x attr %04x base %08x limit %08x\n", name, s->sel, s->attr, s->base, s->limit);
}

static void print_fpu(struct vcpu *v)
{
    const struct vcpu_fpu *f = &v->fpu;

    fpu_park(v);
    printf("x87 pointers %04x:%08x %04x:%08x opcode %04x\n", f->fcs, f->fip, f->fds, f->fdp,
           f->fop);
    printf("fpu");
    for (unsigned n = 0; n < 288; n++)
        if (n < 8 || n >= 24) /* the pointers there are the host's */
            printf("%s%02x", n % 32 ? "" : "\n  ", f->area[n]);
    printf("\n");
}

static void print_cpu(struct vcpu *v)
{
    static const char *const names[SEG_COUNT] = {"es", "cs", "ss", "ds", "fs", "gs"};
    uint32_t cr[4] = {v->cr0, v->cr2, v->cr3, v->cr4};

    print_words("gpr", v->gpr, GPR_COUNT);
    printf("eip %08x eflags %08x cpl %u shadow %u\n", v->eip, v->eflags, v->cpl, v->shadow_next);
    for (unsigned n = 0; n < SEG_COUNT; n++)
        print_segment(names[n], &v->seg[n]);
    print_segment("ldtr", &v->ldtr);
    print_segment("tr", &v->tr);
    printf("gdtr %08x %04x idtr %08x %04x\n", v->gdtr.base, v->gdtr.limit, v->idtr.base,
           v->idtr.limit);
    print_words("cr0 cr2 cr3 cr4", cr, 4);
    print_words("dr", v->dr, 8);
    printf("msrs %016llx\n", (unsigned long long)checksum(&v->msr, sizeof v->msr));
}

int main(int argc, char **argv)
{
    struct machine *m = zeroed_alloc(sizeof *m);
    struct config cfg;
    struct error e = {.text = "that asks for help"};
    static char buffer[1 << 14];

    setvbuf(stdout, buffer, _IOFBF, sizeof buffer); /* the sandbox lets nobody ask what stdout is */
    if (options_parse(&cfg, argc - 1, argv + 1, &e) != OPTIONS_RUN || machine_create(m, &cfg, &e)) {
        say("%s", e.text);
        return 1;
    }
    printf("status %d\n", loop_run(m));
    if (m->lockstep)
        printf("time %llu\n", (unsigned long long)vm_now(&m->vm));
    print_cpu(m->vcpu);
    print_fpu(m->vcpu);
    printf("ram %016llx\n", (unsigned long long)checksum(m->ram.base, m->ram.size));
    machine_destroy(m);
    return 0;
}
