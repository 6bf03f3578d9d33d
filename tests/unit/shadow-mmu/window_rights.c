/* SPDX-License-Identifier: MIT */
/* uses: shadow-mmu monitor/arch/debugreg.c monitor/cpu/cpuid.c devices/bus.c */
/* window_rights.c - what a host is told of the pages of its windows: who may access them, for what,
 * and whether they stay in TLBs. A host with real page tables depends on it. */
#include "tests/rig/window_rig.h"

#define WRITE HOST_MAP_WRITE
#define USERS HOST_MAP_USER
#define EXEC  HOST_MAP_EXEC
#define STAYS HOST_MAP_GLOBAL

static unsigned at(const struct vcpu *v, gla_t gla)
{
    unsigned n = here(v);

    cr_assert(shown[n][gla >> 12] & 1, "%x is not mapped", gla);
    return told[n][gla >> 12];
}

Test(window_rights, user_and_kernel)
{
    struct vcpu *v = open_paged();

    v->cpl = 3;
    map(PT, 0x5000, 0x10000 | P | W | U);
    cr_expect(window_fill(v, 0x5000, MMU_READ) && at(v, 0x5000) == USERS);
    cr_expect(window_fill(v, 0x5000, MMU_WRITE) && at(v, 0x5000) == (USERS | WRITE));
    v->cpl = 0;
    map(PT3, 0, 0x20000 | P | W | PTED); /* U in the directory's entry only */
    cr_expect(window_fill(v, UPPER + 0x400000, MMU_WRITE));
    cr_expect_eq(at(v, UPPER + 0x400000), WRITE);
    cr_expect(window_fill(v, UPPER, MMU_READ) && at(v, UPPER) == (WRITE | STAYS), "a big page");
    cr_expect(window_fill(v, 0x401000, MMU_READ) && at(v, 0x401000) == USERS, "of the user");
    /* Losing a right keeps the others. */
    map(PT, 0x5000, 0x10000 | P | W | U | PTEA);
    mmu_flush_page(v, 0x5000);
    v->cpl = 3;
    cr_expect_eq(at(v, 0x5000), USERS);
    v->cpl = 0;
    fx_vm.page[0x20] = PAGE_CODE;
    mmu_flush_gpa(&fx_vm, 0x20000);
    cr_expect_eq(at(v, UPPER + 0x400000), 0);
    fx_vm.page[0x800] = PAGE_CODE;
    mmu_flush_gpa(&fx_vm, 0x800000);
    cr_expect(at(v, UPPER) == STAYS && at(v, UPPER + 0x1000) == (WRITE | STAYS));
    /* Without paging CPL does not matter. */
    control_write_cr(v, 0, v->cr0 & ~CR0_PG);
    cr_expect(window_fill(v, 0x7000, MMU_WRITE) && at(v, 0x7000) == (USERS | WRITE));
}

Test(window_rights, global)
{
    struct vcpu *v = open_paged();

    map(PT3, 0x1000, 0x21000 | P | W | G | PTEA | PTED);
    map(PT3, 0x2000, 0x22000 | P | W | G | PTEA | PTED);
    map(PT3, 0x5000, 0x25000 | P | W | PTEA | PTED);
    map(PT3, 0x6000, 0x26000 | P | W | G | PTEA | PTED);
    fx_put32(PD + (UPPER >> 22) * 4 + 4, PT3 | P | W | U | G | PTEA); /* means nothing there */
    cr_expect(window_fill(v, UPPER + 0x401000, MMU_WRITE));
    cr_expect(at(v, UPPER + 0x401000) == (WRITE | STAYS) &&
              at(v, UPPER + 0x402000) == (WRITE | STAYS));
    /* A run is global if all of it is: one page that is not costs the others nothing but speed. */
    cr_expect(window_fill(v, UPPER + 0x405000, MMU_READ));
    cr_expect(at(v, UPPER + 0x405000) == WRITE && at(v, UPPER + 0x406000) == WRITE);
    control_write_cr(v, 4, v->cr4 & ~CR4_PGE);
    window_drop_all(v);
    cr_expect(window_fill(v, UPPER + 0x401000, MMU_WRITE));
    cr_expect_eq(at(v, UPPER + 0x401000), WRITE, "G means nothing without CR4.PGE");
    cr_expect(window_fill(v, UPPER, MMU_READ) && at(v, UPPER) == WRITE);
}

Test(window_rights, executable_when_fetched)
{
    struct vcpu *v = open_paged();

    v->cpl = 3;
    map(PT, 0x5000, 0x10000 | P | W | U | PTEA | PTED);
    map(PT, 0x6000, 0x11000 | P | W | U | PTEA | PTED);
    map(PT, 0x7000, 0x12000 | P | U | PTEA);
    cr_expect(window_fill(v, 0x5000, MMU_READ) && at(v, 0x6000) == (USERS | WRITE));
    host_calls = 0;
    cr_expect(window_fill(v, 0x5ff0, MMU_EXEC) && at(v, 0x5000) == (USERS | EXEC));
    cr_expect(at(v, 0x6000) == (USERS | WRITE) && host_calls == 1, "this page alone");
    /* A store is the end of it, and what is said of the page's bytes. */
    cr_expect(window_fill(v, 0x5000, MMU_WRITE) && at(v, 0x5000) == (USERS | WRITE));
    fx_vm.page[0x10] = fx_vm.page[0x12] = PAGE_CODE;
    cr_expect(window_fill(v, 0x5000, MMU_EXEC) && window_fill(v, 0x7000, MMU_EXEC));
    cr_expect(!window_fill(v, 0x5000, MMU_WRITE) && at(v, 0x5000) == (USERS | EXEC));
    mmu_flush_gpa(&fx_vm, 0x12000);
    cr_expect(at(v, 0x7000) == USERS && at(v, 0x5000) == (USERS | EXEC));
    /* Two linear pages of one physical page. */
    map(PT, 0x9000, 0x10000 | P | U | PTEA);
    cr_expect(window_fill(v, 0x9000, MMU_EXEC));
    mmu_flush_gpa(&fx_vm, 0x10000);
    cr_expect(at(v, 0x5000) == USERS && at(v, 0x9000) == USERS);
    /* Not before the fetch marks the page accessed, which a flush looks after. */
    map(PT, 0xb000, 0x14000 | P | U);
    cr_expect(window_fill(v, 0xb000, MMU_EXEC) && (fx_get32(PT + 0xb * 4) & PTEA));
    map(PT, 0xb000, 0x14000 | P | U);
    mmu_flush_page(v, 0xb000);
    cr_expect(!shows(v, 0xb000, false));
    /* The kernel's window, half a big page. SMEP. */
    v->cpl = 0;
    cr_expect(window_fill(v, UPPER, MMU_EXEC) && at(v, UPPER) == (EXEC | STAYS));
    cr_expect(window_fill(v, UPPER + 0x1000, MMU_READ) && at(v, UPPER + 0x1000) == (WRITE | STAYS));
    mmu_flush_gpa(&fx_vm, 0x800000);
    cr_expect_eq(at(v, UPPER), STAYS);
    cr_expect(window_fill(v, 0x401000, MMU_EXEC) && at(v, 0x401000) == (USERS | EXEC));
    control_write_cr(v, 4, v->cr4 | CR4_SMEP);
    cr_expect(!shows(v, 0x401000, false) && !window_fill(v, 0x401000, MMU_EXEC));
    cr_expect(window_fill(v, 0x401000, MMU_READ) && at(v, 0x401000) == USERS);
}

#define NX (1ull << 63)

Test(window_rights, never_where_the_tables_forbid_it)
{
    struct vcpu *v = open_windows();
    gpa_t pdpt = 0x1000, pd = 0x2000, pt = 0x3000;

    fx_put64(pdpt, pd | P);
    fx_put64(pd, pt | P | W | U | PTEA);
    fx_put64(pd + 8, (pt + 0x1000) | P | W | U | PTEA | NX);
    fx_put64(pt + 5 * 8, 0x10000 | P | W | U | PTEA | PTED | NX);
    fx_put64(pt + 6 * 8, 0x11000 | P | W | U | PTEA | PTED);
    fx_put64(pt + 0x1000, 0x12000 | P | W | U | PTEA | PTED);
    v->cr4 = CR4_PAE;
    v->cr0 |= CR0_PG | CR0_WP;
    v->msr.efer |= EFER_NXE;
    cr_assert(mmu_load_cr3(v, (uint32_t)pdpt));
    v->cpl = 3;
    cr_expect(!window_fill(v, 0x5000, MMU_EXEC) && !window_fill(v, 0x200000, MMU_EXEC));
    cr_expect(window_fill(v, 0x5000, MMU_READ) && at(v, 0x5000) == (USERS | WRITE));
    cr_expect(window_fill(v, 0x200000, MMU_READ) && at(v, 0x200000) == (USERS | WRITE));
    cr_expect(window_fill(v, 0x6000, MMU_EXEC) && at(v, 0x6000) == (USERS | EXEC));
    fx_put64(pt + 6 * 8, 0x11000 | P | W | U | PTEA | PTED | NX);
    mmu_flush_page(v, 0x6000);
    cr_expect(!shows(v, 0x6000, false) && !window_fill(v, 0x6000, MMU_EXEC));
}
