/* SPDX-License-Identifier: MIT */
/* uses: shadow-mmu monitor/arch/debugreg.c monitor/cpu/cpuid.c devices/bus.c */
/* fetch_set.c - a set of linear pages holds as long as a walk of the present tables says of each
 * what was noted, and not longer. */
#include "shadow-mmu/fetch_set.h"

#include "shadow-mmu/mmu_priv.h"
#include "tests/rig/mmu_fixture.h"

#define PDPT  0x1000u /* of four spaces */
#define PD    0x2000u
#define PT    0x10000u /* 16 tables: linear 0 to 32 MiB */
#define A     0x20u
#define FLAGS (PTE_P | PTE_W | PTE_U | A)

static struct fetch_set set;

static void set_pte(gla_t gla, uint64_t pte)
{
    fx_put64(PT + (gpa_t)(gla >> 12) * 8, pte);
}

static struct vcpu *open_paged(void)
{
    struct vcpu *v = fx_open("ring1");

    for (unsigned i = 0; i < 4; i++)
        fx_put64(PDPT + i * 8, PD | PTE_P);
    for (unsigned i = 0; i < 16; i++)
        fx_put64(PD + i * 8, (PT + i * 0x1000) | FLAGS);
    fx_put64(PD + 16 * 8, 0x400000 | FLAGS | PTE_PS);
    for (unsigned i = 0; i < 16 * 512; i++)
        set_pte(i << 12, ((uint64_t)(i & 0xff) << 12) | FLAGS);
    v->cr4 = CR4_PAE | CR4_PGE;
    v->cr0 |= CR0_PG;
    cr_assert(mmu_load_cr3(v, PDPT));
    fetch_set_clear(&set);
    return v;
}

static gpa_t gpa_of(gla_t gla)
{
    return gla & 0xff000;
}

static void note(struct vcpu *v, gla_t gla)
{
    fetch_set_note(v, &set, gla, gpa_of(gla));
}

Test(fetch_set, holds)
{
    struct vcpu *v = open_paged();

    cr_expect(fetch_set_holds(v, &set), "nothing noted");
    note(v, 0x5123);
    note(v, 0x5abc);
    note(v, 0x205000);
    cr_expect(set.pages == 2 && set.regions == 2 && fetch_set_holds(v, &set));
    set_pte(0x6000, 0);
    cr_expect(fetch_set_holds(v, &set), "another page");
    set_pte(0x5000, 0x5000 | FLAGS | PTE_D | 0xe00);
    cr_expect(fetch_set_holds(v, &set), "D and the bits left to software");
    static const uint64_t changed[] = {
        0x6000 | FLAGS,
        0,
        0x5000 | (FLAGS & ~A),
        0x5000 | (FLAGS & ~PTE_U),
        0x5000 | (FLAGS & ~PTE_W),
        0x5000 | FLAGS | PTE_NX,
    };
    for (unsigned n = 0; n < ARRAY_LEN(changed); n++) {
        set_pte(0x5000, changed[n]);
        cr_expect(!fetch_set_holds(v, &set), "change %u", n);
        set_pte(0x5000, 0x5000 | FLAGS);
        cr_expect(fetch_set_holds(v, &set), "as it was");
    }
    fx_put64(PD + 8, (PT + 0x2000) | FLAGS);
    cr_expect(!fetch_set_holds(v, &set), "the directory's entry");
    fx_put64(PD + 8, FX_MMIO | FLAGS);
    cr_expect(!fetch_set_holds(v, &set), "a table outside RAM");
    fx_put64(PD + 8, (PT + 0x1000) | FLAGS);
    fx_put64(PDPT + 0x20, 0);
    cr_assert(mmu_load_cr3(v, PDPT + 0x20));
    cr_expect(!fetch_set_holds(v, &set), "no directory");
    fx_put64(PDPT + 0x20, PD | PTE_P);
    cr_assert(mmu_load_cr3(v, PDPT + 0x20));
    cr_expect(fetch_set_holds(v, &set), "another CR3 with the same pages");
}

Test(fetch_set, doubt)
{
    struct vcpu *v = open_paged();

    /* Noted with one entry, noted again with another, and the first one is back. */
    note(v, 0x5000);
    set_pte(0x5000, 0x6000 | FLAGS);
    fetch_set_note(v, &set, 0x5000, 0x6000);
    set_pte(0x5000, 0x5000 | FLAGS);
    cr_expect(!fetch_set_holds(v, &set));
    fetch_set_clear(&set);
    cr_expect(fetch_set_holds(v, &set));
    note(v, 0x5000);
    fx_put64(PD, (PT + 0x2000) | FLAGS);
    note(v, 0x6000);
    fx_put64(PD, PT | FLAGS);
    cr_expect(!fetch_set_holds(v, &set), "the directory's");
    /* The TLB knows an older page than the tables. */
    fetch_set_clear(&set);
    fetch_set_note(v, &set, 0x5000, 0x9000);
    cr_expect(!fetch_set_holds(v, &set));
    /* Big pages */
    fetch_set_clear(&set);
    fetch_set_note(v, &set, 0x2005000, 0x405000);
    cr_expect(set.pages == 0 && fetch_set_holds(v, &set));
    fx_put64(PD + 16 * 8, PT | FLAGS);
    cr_expect(!fetch_set_holds(v, &set));
    fetch_set_note(v, &set, 0x2005000, 0x5000);
    fx_put64(PD + 16 * 8, 0x400000 | FLAGS | PTE_PS);
    cr_expect(!fetch_set_holds(v, &set), "a table was there meanwhile");
    /* Too many */
    fetch_set_clear(&set);
    for (unsigned n = 0; n < FETCH_PAGES; n++)
        note(v, n << 12);
    cr_expect(fetch_set_holds(v, &set) && set.pages == FETCH_PAGES);
    note(v, 0);
    cr_expect(fetch_set_holds(v, &set));
    note(v, FETCH_PAGES << 12);
    cr_expect(!fetch_set_holds(v, &set));
    /* Without paging nothing can change. */
    fetch_set_clear(&set);
    v->cr0 &= ~CR0_PG;
    note(v, 0x5000);
    cr_expect(set.pages == 0 && fetch_set_holds(v, &set));
}

Test(fetch_set, random_against_walker)
{
    struct vcpu *v = open_paged();
    uint32_t seed = 4711;
    unsigned held = 0;
    struct mmu_walk w;

    for (unsigned round = 0; round < 3000; round++) {
        gla_t noted[64];
        gpa_t gpa[64];
        unsigned count = 0;

        fetch_set_clear(&set);
        for (unsigned step = 0; step < 64; step++) {
            seed = seed * 1664525 + 1013904223;
            gla_t gla = seed >> 8 & 0x1f1f000;
            if (seed >> 4 & 7) {
                if (mmu_walk(v, gla, MMU_EXEC, &w)) {
                    fetch_set_note(v, &set, gla, w.gpa);
                    noted[count] = gla;
                    gpa[count++] = w.gpa;
                }
            } else if (step % 4 == 0 || round % 3) {
                set_pte(gla, (seed >> 3 & 0xff000) | (seed >> 2 & FLAGS) | PTE_P);
            }
        }
        bool same = true;
        for (unsigned n = 0; n < count; n++)
            same &= mmu_walk(v, noted[n], MMU_EXEC | MMU_PROBE, &w) && w.gpa == gpa[n];
        cr_assert(same || !fetch_set_holds(v, &set), "round %u", round);
        held += fetch_set_holds(v, &set);
    }
    cr_expect(held > 300 && held < 2900, "%u", held);
}
