/* SPDX-License-Identifier: MIT */
/* uses: bt/run/exits.c */
/*
 * bt_exits.c - what a trap of translated code does to the guest, when the host's CPU reports one
 * that another host would not have reported.
 */
#include "tests/rig/bt_rig.h"

#include <criterion/criterion.h>

#include "bt/cache/context.h"
#include "bt/run/run_priv.h"
#include "monitor/cpu/fault.h"

#define RAM       (4u << 20)
#define DIRECTORY 0x100000u
#define TABLE     0x101000u
#define CODE      0x1000u
#define NEAR      0x5000u /* was accessed before */
#define FAR       0x6000u /* was not */
#define PRESENT   (PTE_P | PTE_W)

static const struct {
    const char *name;
    uint8_t code[5];
    bool wants_alignment;
} rows[] = {
    {"CVTTPD2PI mm7, [esi]", {0x66, 0x0f, 0x2c, 0x3e, 0xf4}, true},
    {"ADDPS xmm0, [esi]", {0x0f, 0x58, 0x06, 0xf4}, true},
    {"MOVUPS xmm0, [esi]", {0x0f, 0x10, 0x06, 0xf4}, false},
    {"MOVQ mm0, [esi]", {0x0f, 0x6f, 0x06, 0xf4}, false},
    {"MOV eax, [esi]", {0x8b, 0x06, 0xf4}, false},
};

static struct bt_rig *r;

static uint32_t entry(uint32_t gla)
{
    uint32_t e;

    memcpy(&e, r->vm.ram + TABLE + 4 * (gla >> GUEST_PAGE_SHIFT), 4);
    return e;
}

static void start(unsigned row)
{
    r = bt_rig_zeroed(sizeof *r);
    bt_rig_signals();
    bt_rig_create(r, RAM, true);
    memcpy(r->vm.ram + DIRECTORY, &(uint32_t){TABLE | PRESENT}, 4);
    for (uint32_t page = 0; page < 16; page++)
        memcpy(r->vm.ram + TABLE + 4 * page, &(uint32_t){page << GUEST_PAGE_SHIFT | PRESENT}, 4);
    memcpy(r->vm.ram + CODE, rows[row].code, sizeof rows[row].code);
    bt_rig_wrote(r, 0, RAM);
    bt_rig_flat(r, 0);
    r->cpu->cr3 = DIRECTORY;
    r->cpu->cr0 |= CR0_PG;
    mmu_flush_all(r->cpu);
    r->cpu->eip = r->cpu->next_eip = CODE;
    r->cpu->gpr[ESI] = NEAR;
    bt_rig_run(r);
    cr_assert(r->cpu->stats.bt_blocks, "%s: nothing was translated", rows[row].name);
}

/* The host says that it could not read at `gla` for the instruction at CODE. */
static void trap(struct vcpu *v, void *gla)
{
    struct bt *bt = v->translator;

    for (uint32_t n = 0; n < bt->cache.site_count; n++)
        if (bt->cache.sites[n].eip == CODE)
            v->bt.exit_arg = n;
    v->eip = v->next_eip = CODE;
    v->gpr[ESI] = *(uint32_t *)gla;
    v->bt.trap_kind = TRAP_READ;
    v->bt.trap_addr = v->bt.window[ctx_user(v->bt.context)] + *(uint32_t *)gla;
    bt_handle_trap(v, bt);
}

/* #GP for an operand that is not aligned comes before its page: as in the interpreter, whatever
 * the host's CPU finds first. */
Test(bt_exits, misaligned_before_the_page)
{
    for (unsigned row = 0; row < ARRAY_LEN(rows); row++) {
        struct fault f;
        uint32_t gla = FAR + 5;
        bool raised;

        start(row);
        cr_assert(entry(NEAR) & PTE_A && !(entry(FAR) & PTE_A));
        raised = fault_catch(r->cpu, trap, &gla, &f);
        cr_expect(raised == rows[row].wants_alignment, "%s", rows[row].name);
        cr_expect(!raised || f.vector == VEC_GP, "%s", rows[row].name);
        cr_expect(!(entry(FAR) & PTE_A) == raised, "%s", rows[row].name);
    }
}

Test(bt_exits, aligned_on_another_page)
{
    for (unsigned row = 0; row < ARRAY_LEN(rows); row++) {
        struct fault f;
        uint32_t gla = FAR;

        start(row);
        cr_expect(!fault_catch(r->cpu, trap, &gla, &f), "%s", rows[row].name);
        cr_expect(entry(FAR) & PTE_A, "%s", rows[row].name);
    }
}
