/* SPDX-License-Identifier: MIT */
/* uses: bt/run/bt.c, bt/cache/invalidate.c */
/*
 * bt_heat.c - how often code is interpreted before it is translated: not at all, as often as an
 * option says, or some times when its page is translated at another linear address.
 */
#include "tests/rig/bt_rig.h"

#include <criterion/criterion.h>

#include "bt/run/adapt.h"
#include "bt/run/run_priv.h"

#define RAM       (4u << 20)
#define DIRECTORY 0x200000u
#define CODE      0x1000u
#define STACK     0x9000u
#define SPACES    8u
#define LARGE     0x83u /* P, W, PS */

/* inc eax; jmp to the next instruction; hlt: two blocks */
static const uint8_t program[] = {0x40, 0xeb, 0x00, 0xf4};

/* Physical 0 to 4 MiB are at linear 0, 4, 8, ... MiB too. */
static struct bt_rig *rig(const struct bt_options *options)
{
    struct bt_rig *r = bt_rig_zeroed(sizeof *r);

    bt_rig_signals();
    bt_rig_create(r, RAM, true);
    bt_rig_options(r, options);
    for (unsigned n = 0; n < SPACES; n++)
        memcpy(r->vm.ram + DIRECTORY + 4 * n, &(uint32_t){LARGE}, 4);
    memcpy(r->vm.ram + CODE, program, sizeof program);
    bt_rig_wrote(r, 0, RAM);
    return r;
}

/* Runs the program at its n-th address; returns how many blocks were translated. */
static unsigned run(struct bt_rig *r, unsigned n)
{
    struct vcpu *v = r->cpu;
    uint64_t before = v->stats.bt_blocks;

    bt_rig_flat(r, 0);
    v->cr4 |= CR4_PSE;
    v->cr3 = DIRECTORY;
    v->cr0 |= CR0_PG;
    v->gpr[ESP] = STACK;
    v->eip = v->next_eip = (n << 22) + CODE;
    mmu_flush_all(v);
    bt_rig_run(r);
    cr_assert(v->gpr[EAX] == 1 && v->eip == (n << 22) + CODE + sizeof program);
    return (unsigned)(v->stats.bt_blocks - before);
}

Test(bt_heat, code_is_translated_at_once)
{
    struct bt_rig *r = rig(NULL);

    cr_expect(run(r, 0) > 0);
    cr_expect(run(r, 0) == 0);
}

Test(bt_heat, elsewhere_only_when_it_is_hot)
{
    struct bt_rig *r = rig(NULL);

    run(r, 0);
    for (unsigned n = 1; n < SPACES; n++) {
        for (unsigned k = 0; k < BT_HEAT_ALIASED; k++)
            cr_expect(run(r, n) == 0, "address %u, run %u", n, k);
        cr_expect(run(r, n) > 0);
        cr_expect(run(r, n) == 0 && run(r, 0) == 0);
    }
    /* The first after a flush is the one that is translated. */
    bt_flush(r->cpu);
    cr_expect(run(r, 3) > 0 && run(r, 0) == 0);
}

/* The physical page has become another program's. */
Test(bt_heat, what_was_overwritten_does_not_count)
{
    struct bt_rig *r = rig(NULL);

    run(r, 0);
    bt_rig_wrote(r, CODE, sizeof program);
    cr_expect(run(r, 1) > 0 && run(r, 0) == 0);
}

/* Code that keeps being written is translated when it has run for a while since. */
Test(bt_heat, what_is_written_often)
{
    struct bt_rig *r = rig(NULL);

    for (unsigned n = 0; n < BT_WRITTEN_OFTEN; n++) {
        cr_expect(run(r, 0) > 0, "after %u writes", n);
        bt_rig_wrote(r, CODE, 1);
    }
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned k = 0; k < BT_HEAT_WRITTEN; k++)
            cr_assert(run(r, 0) == 0, "turn %u, run %u", turn, k);
        cr_expect(run(r, 0) > 0 && run(r, 0) == 0);
        bt_rig_wrote(r, CODE, 1);
    }
    r->world.now += NS_PER_SEC;
    adapt_tick(r->cpu); /* where the translator looks at the time */
    cr_expect(run(r, 0) > 0, "after a pause");
    bt_rig_wrote(r, CODE, 1);
    cr_expect(run(r, 0) > 0, "and a write");
}

Test(bt_heat, options)
{
    struct bt_rig *r = rig(&(struct bt_options){.no_aliased = true});

    for (unsigned n = 0; n < SPACES; n++)
        cr_expect(run(r, n) > 0);
    r = rig(&(struct bt_options){.heat = 3, .no_aliased = true});
    for (unsigned n = 0; n < 2; n++)
        cr_expect(run(r, n) + run(r, n) + run(r, n) == 0 && run(r, n) > 0);
}

/* What was counted is forgotten in the end: else everything would look hot. */
Test(bt_heat, cools_down)
{
    struct bt_rig *r = rig(&(struct bt_options){.heat = 2});
    struct bt *bt = r->cpu->translator;

    cr_expect(run(r, 0) == 0 && bt->heat.sum > 0);
    bt->heat.sum = BT_HEAT_SUM - 1;
    cr_expect(run(r, 0) == 0 && bt->heat.sum < 4);
    cr_expect(run(r, 0) == 0, "what ran before still counts");
    cr_expect(run(r, 0) + run(r, 0) > 0);
}
