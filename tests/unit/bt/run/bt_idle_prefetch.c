/* SPDX-License-Identifier: MIT */
/*
 * bt_idle_prefetch.c - an idle guest: what its wakes run is noted, prefetched, and forgotten when
 * it is no longer true (bt/run/idle_prefetch.h). That prefetching pays is a measurement
 * (docs/PERFORMANCE.md, "Where the time of an idle Debian guest goes").
 */
#include "tests/rig/bt_rig.h"

#include <criterion/criterion.h>

#include "bt/run/run_priv.h"

#define RAM   (64u << 10)
#define IDT   0x1000u
#define GDT   0x1800u
#define CODE  0x2000u
#define NMI   0x2100u
#define STACK 0x4000u
#define DATA  0x8000u

/* hlt; inc ecx; add [DATA], ecx; mov edx, ebx; dec edx; jnz -3; jmp back. ebx: length of a wake */
static const uint8_t program[] = {0xf4, 0x41, 0x01, 0x0d, 0,    0x80, 0,   0,
                                  0x89, 0xda, 0x4a, 0x75, 0xfd, 0xeb, 0xf1};
#define WOKEN (CODE + 1)
static const uint8_t handler[] = {0x46, 0xcf}; /* inc esi; iret */

static struct bt_rig *rig_new(const struct bt_options *options)
{
    static const uint32_t gdt[] = {0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300};
    static const uint32_t gate[] = {0x00080000 | NMI, 0x8e00};
    struct bt_rig *r = bt_rig_zeroed(sizeof *r);

    bt_rig_signals();
    bt_rig_create(r, RAM, true);
    bt_rig_options(r, options);
    bt_rig_flat(r, 0);
    memcpy(r->vm.ram + GDT, gdt, sizeof gdt);
    memcpy(r->vm.ram + IDT + 2 * sizeof gate, gate, sizeof gate);
    memcpy(r->vm.ram + CODE, program, sizeof program);
    memcpy(r->vm.ram + NMI, handler, sizeof handler);
    bt_rig_wrote(r, 0, RAM);
    r->cpu->gdtr = (struct table_reg){.base = GDT, .limit = sizeof gdt - 1};
    r->cpu->idtr = (struct table_reg){.base = IDT, .limit = 0x7ff};
    r->cpu->eip = r->cpu->next_eip = CODE;
    r->cpu->gpr[ESP] = STACK;
    r->cpu->gpr[EBX] = 1;
    r->cpu->eflags |= EFL_IF; /* without it the CPU would be halted for good */
    cr_assert(bt_rig_run(r) == EXIT_HALT);
    return r;
}

static void wake(struct bt_rig *r, unsigned times)
{
    while (times--) {
        r->cpu->nmi_pending = true;
        vcpu_attend(r->cpu, ATT_KICK);
        cr_assert(bt_rig_run(r) == EXIT_HALT);
    }
}

static const struct idle_prefetch *noted(const struct bt_rig *r)
{
    return &r->cpu->translator->idle;
}

static bool has(const struct idle_prefetch *w, uint64_t host)
{
    for (unsigned n = 0; n < w->count; n++)
        if (w->line[n] == host / WAKE_LINE)
            return true;
    return false;
}

static const struct bt_block *block_at(const struct bt_rig *r, gla_t gla)
{
    return cache_find(&r->cpu->translator->cache, gla, gla, r->cpu->bt.context);
}

Test(bt_idle_prefetch, lines_of_code_and_operands_are_noted)
{
    struct bt_rig *r = rig_new(NULL);
    const struct idle_prefetch *w = noted(r);
    const struct bt_block *b;

    wake(r, 40);
    cr_assert(w->count && !w->learning);
    cr_expect(r->cpu->gpr[ECX] == 40 && r->cpu->gpr[ESI] == 40);
    b = block_at(r, WOKEN);
    cr_assert(b);
    for (uint32_t at = b->entry; at < b->hot_end; at++)
        cr_expect(has(w, bt_host_address(r->cpu->translator, at)), "arena offset 0x%x", at);
    cr_expect(has(w, bt_host_address(r->cpu->translator, 0)), "stubs");
    cr_expect(has(w, (uint64_t)(uintptr_t)&r->cpu->bt.jump[0].entry[WOKEN]));
    if (r->cpu->bt.context & CTX_WINDOW)
        cr_expect(has(w, r->cpu->bt.window_now + DATA));
    uint64_t before = r->cpu->stats.wake_lines;
    wake(r, 1);
    cr_expect(r->cpu->stats.wake_lines == before + w->count);
}

Test(bt_idle_prefetch, most_wakes_run_translated)
{
    struct bt_rig *r = rig_new(NULL);

    wake(r, 5000);
    uint64_t before = r->cpu->stats.insns;
    wake(r, 1);
    uint64_t one = r->cpu->stats.insns - before; /* the callouts' own do not count */
    wake(r, 4000);
    uint64_t each = sizeof program; /* more than a wake has instructions */
    cr_expect(r->cpu->stats.insns - before <= 4001 * one + 2 * each);
    cr_expect(r->cpu->gpr[ECX] == 9001);
}

Test(bt_idle_prefetch, a_flush_forgets)
{
    struct bt_rig *r = rig_new(NULL);

    wake(r, 40);
    bt_flush(r->cpu);
    wake(r, 1);
    cr_expect(noted(r)->learning, "anew");
    wake(r, 39);
    cr_expect(noted(r)->count);
    cr_expect(has(noted(r), bt_host_address(r->cpu->translator, block_at(r, WOKEN)->entry)));
}

Test(bt_idle_prefetch, a_busy_guest_notes_nothing)
{
    struct bt_rig *r = rig_new(NULL);

    r->cpu->gpr[EBX] = 100000;
    wake(r, 100);
    cr_expect(noted(r)->count == 0 && r->cpu->stats.wake_lines == 0);
    cr_expect(r->cpu->stats.insns < 100000, "given up: %llu",
              (unsigned long long)r->cpu->stats.insns);
    cr_expect(r->cpu->gpr[ECX] == 100);
}

Test(bt_idle_prefetch, the_knob)
{
    struct bt_options options = {.no_idle_prefetch = true};
    struct bt_rig *r = rig_new(&options);

    wake(r, 100);
    cr_expect(noted(r)->count == 0 && r->cpu->gpr[ECX] == 100);
}
