/* SPDX-License-Identifier: MIT */
/* uses: shadow-mmu/walk.c shadow-mmu/tlb.c monitor/memory/phys.c monitor/cpu/cpuid.c
 * devices/bus.c */
/* mmu_walk.c - the page-table walker, row by row: tables in, physical address or error code out
 * (SDM vol. 3A, chapter 4). */
#include "tests/rig/mmu_fixture.h"

#define PDPT 0x1000u
#define PD   0x2000u
#define PT   0x3000u
#define GLA  0x00403abcu /* PDE 1, PTE 3; PAE: PDE 2, PTE 3 */

#define PE_OK 0xffffu /* no fault expected */
#define P     1u
#define W     2u
#define U     4u
#define A     0x20u
#define D     0x40u
#define PS    0x80u
#define G     0x100u
#define NX    (1ull << 63)
#define RD    MMU_READ
#define WR    MMU_WRITE
#define EX    MMU_EXEC
#define US    MMU_USER

struct row {
    const char *name;
    uint32_t cr0, cr4; /* besides PE, PG (and PAE) */
    bool nxe, ac;
    uint64_t pde, pte; /* flags; the PTE's frame is 0x7000 when none is given */
    unsigned how;
    uint32_t error; /* or PE_OK */
    gpa_t gpa;
    uint32_t pde_set, pte_set; /* bits that the walk must have added; no others may change */
};

static const struct row rows_32[] = {
    {"read", 0, 0, 0, 0, P | U | W, P | U | W, RD, PE_OK, 0x7abc, A, A},
    {"user read", 0, 0, 0, 0, P | U | W, P | U | W, RD | US, PE_OK, 0x7abc, A, A},
    {"write sets D in the leaf only", 0, 0, 0, 0, P | U | W, P | U | W, WR | US, PE_OK, 0x7abc, A,
     A | D},
    {"probe sets nothing", 0, 0, 0, 0, P | U | W, P | U | W, WR | MMU_PROBE, PE_OK, 0x7abc, 0, 0},
    {"PDE not present", 0, 0, 0, 0, U | W, P | U | W, RD, 0, 0, 0, 0},
    {"PDE not present, user write", 0, 0, 0, 0, U | W, P | U | W, WR | US, PFE_W | PFE_U, 0, 0, 0},
    {"PTE not present", 0, 0, 0, 0, P | U | W, U | W, WR, PFE_W, 0, 0, 0},
    {"supervisor page, user read", 0, 0, 0, 0, P | U | W, P | W, RD | US, PFE_P | PFE_U, 0, 0, 0},
    {"supervisor directory, user read", 0, 0, 0, 0, P | W, P | U | W, RD | US, PFE_P | PFE_U, 0, 0,
     0},
    {"read-only, user write", 0, 0, 0, 0, P | U | W, P | U, WR | US, PFE_P | PFE_W | PFE_U, 0, 0,
     0},
    {"read-only directory, user write", 0, 0, 0, 0, P | U, P | U | W, WR | US,
     PFE_P | PFE_W | PFE_U, 0, 0, 0},
    {"read-only, kernel write, WP = 0", 0, 0, 0, 0, P | U | W, P | U, WR, PE_OK, 0x7abc, A, A | D},
    {"read-only, kernel write, WP = 1", CR0_WP, 0, 0, 0, P | U | W, P | U, WR, PFE_P | PFE_W, 0, 0,
     0},
    {"read-only kernel page, WP = 1", CR0_WP, 0, 0, 0, P | W, P, WR, PFE_P | PFE_W, 0, 0, 0},
    {"fetch: no I bit without NXE or SMEP", 0, 0, 0, 0, P | U | W, U | W, EX | US, PFE_U, 0, 0, 0},
    {"fetch by user", 0, 0, 0, 0, P | U, P | U, EX | US, PE_OK, 0x7abc, A, A},
    {"SMEP: kernel fetches user page", 0, CR4_SMEP, 0, 0, P | U, P | U, EX, PFE_P | PFE_I, 0, 0, 0},
    {"SMEP: kernel fetches kernel page", 0, CR4_SMEP, 0, 0, P | U, P, EX, PE_OK, 0x7abc, A, A},
    {"SMEP: not present says I", 0, CR4_SMEP, 0, 0, P | U, 0, EX, PFE_I, 0, 0, 0},
    {"SMAP: kernel reads user page", 0, CR4_SMAP, 0, 0, P | U, P | U, RD, PFE_P, 0, 0, 0},
    {"SMAP: AC lifts it", 0, CR4_SMAP, 0, 1, P | U, P | U, RD, PE_OK, 0x7abc, A, A},
    {"SMAP: not for implicit accesses", 0, CR4_SMAP, 0, 1, P | U, P | U, RD | MMU_IMPLICIT, PFE_P,
     0, 0, 0},
    {"SMAP: kernel page", 0, CR4_SMAP, 0, 0, P | U, P, RD, PE_OK, 0x7abc, A, A},
    {"SMAP: kernel write", 0, CR4_SMAP, 0, 0, P | U | W, P | U | W, WR, PFE_P | PFE_W, 0, 0, 0},
    {"SMAP: user code is free", 0, CR4_SMAP, 0, 0, P | U, P | U, RD | US, PE_OK, 0x7abc, A, A},
    {"SMAP: fetch is SMEP's business", 0, CR4_SMAP, 0, 0, P | U, P | U, EX, PE_OK, 0x7abc, A, A},
    {"PS without CR4.PSE is ignored", 0, 0, 0, 0, P | U | W | PS, P | U | W, RD, PE_OK, 0x7abc, A,
     A},
    {"4-MiB page", 0, CR4_PSE, 0, 0, 0x00800000 | P | U | W | PS, 0, RD, PE_OK, 0x803abc, A, 0},
    {"4-MiB page, write", 0, CR4_PSE, 0, 0, 0x00800000 | P | U | W | PS, 0, WR, PE_OK, 0x803abc,
     A | D, 0},
    {"4-MiB page, PSE-36", 0, CR4_PSE, 0, 0, 0x0081e000 | P | PS, 0, RD, PE_OK, 0xf00803abc, A, 0},
    {"4-MiB page, PAT bit", 0, CR4_PSE, 0, 0, 0x00801000 | P | PS, 0, RD, PE_OK, 0x803abc, A, 0},
    {"4-MiB page, bit 17", 0, CR4_PSE, 0, 0, 0x00820000 | P | PS, 0, RD, PFE_P | PFE_RSVD, 0, 0, 0},
    {"4-MiB page, bit 21, user write", 0, CR4_PSE, 0, 0, 0x00a00000 | P | PS, 0, WR | US,
     PFE_P | PFE_W | PFE_U | PFE_RSVD, 0, 0, 0},
};

static const struct row rows_pae[] = {
    {"read", 0, 0, 0, 0, P | U | W, P | U | W, RD | US, PE_OK, 0x7abc, A, A},
    {"write", 0, 0, 0, 0, P | U | W, P | U | W, WR | US, PE_OK, 0x7abc, A, A | D},
    {"high frame", 0, 0, 0, 0, P | U | W, 0xf00007000 | P, RD, PE_OK, 0xf00007abc, A, A},
    {"bit 36 of a PTE", 0, 0, 0, 0, P | U | W, 1ull << 36 | P, RD, PFE_P | PFE_RSVD, 0, 0, 0},
    {"bit 62 of a PTE", 0, 0, 0, 0, P | U | W, 1ull << 62 | P, RD, PFE_P | PFE_RSVD, 0, 0, 0},
    {"bit 51 of a PDE, absent PTE", 0, 0, 0, 0, 1ull << 51 | P, 0, RD, PFE_P | PFE_RSVD, 0, 0, 0},
    {"reserved bit of an absent PTE", 0, 0, 0, 0, P | U | W, 1ull << 62, RD, 0, 0, 0, 0},
    {"NX with NXE = 0 is reserved", 0, 0, 0, 0, P | U | W, NX | P, RD, PFE_P | PFE_RSVD, 0, 0, 0},
    {"NX page, read", 0, 0, 1, 0, P | U | W, NX | P | U, RD | US, PE_OK, 0x7abc, A, A},
    {"NX page, fetch", 0, 0, 1, 0, P | U | W, NX | P | U, EX | US, PFE_P | PFE_U | PFE_I, 0, 0, 0},
    {"NX directory, fetch by kernel", 0, 0, 1, 0, NX | P | U | W, P | U, EX, PFE_P | PFE_I, 0, 0,
     0},
    {"NXE: absent page, fetch", 0, 0, 1, 0, P | U, 0, EX | US, PFE_U | PFE_I, 0, 0, 0},
    {"2-MiB page without CR4.PSE", 0, 0, 0, 0, 0x00a00000 | P | U | W | PS, 0, WR, PE_OK, 0xa03abc,
     A | D, 0},
    {"2-MiB page, PAT bit", 0, 0, 0, 0, 0x00a01000 | P | PS, 0, RD, PE_OK, 0xa03abc, A, 0},
    {"2-MiB page, bit 13", 0, 0, 0, 0, 0x00a02000 | P | PS, 0, RD, PFE_P | PFE_RSVD, 0, 0, 0},
    {"2-MiB NX page, fetch", 0, 0, 1, 0, 0x00a00000 | NX | P | U | PS, 0, EX | US,
     PFE_P | PFE_U | PFE_I, 0, 0, 0},
    {"read-only, WP", CR0_WP, 0, 0, 0, P | U | W, P | U, WR, PFE_P | PFE_W, 0, 0, 0},
};

static void check_row(const struct row *r, bool pae, unsigned n)
{
    struct vcpu *v = fx_cpu;
    const char *set = pae ? "PAE" : "32-bit";
    uint64_t pde = r->pde & PS && r->pde >> 12 ? r->pde : r->pde | PT;
    uint64_t pte = r->pte & ~0xfffull & ~NX ? r->pte : r->pte | 0x7000;
    gpa_t pde_at = PD + (pae ? 2 * 8 : 1 * 4), pte_at = PT + 3 * (pae ? 8 : 4);
    struct mmu_walk w;
    bool ok;

    v->cr0 = CR0_PE | CR0_PG | r->cr0;
    v->cr4 = r->cr4 | (pae ? CR4_PAE : 0);
    v->msr.efer = r->nxe ? 1u << 11 : 0;
    v->eflags = EFL_FIXED1 | (r->ac ? EFL_AC : 0);
    v->cr3 = pae ? PDPT : PD;
    v->pdpte[0] = PD | 1;
    fx_put64(pde_at, 0);
    fx_put64(pte_at, 0);
    if (pae) {
        fx_put64(pde_at, pde);
        fx_put64(pte_at, pte);
    } else {
        fx_put32(pde_at, (uint32_t)pde);
        fx_put32(pte_at, (uint32_t)pte);
    }
    ok = mmu_walk(v, GLA, r->how, &w);
    cr_expect(ok == (r->error == PE_OK), "%s row %u (%s): ok %d", set, n, r->name, ok);
    if (!ok)
        cr_expect(w.error == r->error, "%s row %u (%s): error %x, not %x", set, n, r->name, w.error,
                  r->error);
    else
        cr_expect(w.gpa == r->gpa, "%s row %u (%s): gpa %llx", set, n, r->name,
                  (unsigned long long)w.gpa);
    cr_expect(fx_get32(pde_at) == ((uint32_t)pde | r->pde_set), "%s row %u (%s): PDE %x", set, n,
              r->name, fx_get32(pde_at));
    cr_expect(fx_get32(pte_at) == ((uint32_t)pte | r->pte_set), "%s row %u (%s): PTE %x", set, n,
              r->name, fx_get32(pte_at));
}

Test(mmu_walk, tables)
{
    fx_open("ring1");
    for (unsigned i = 0; i < ARRAY_LEN(rows_32); i++)
        check_row(&rows_32[i], false, i);
    for (unsigned i = 0; i < ARRAY_LEN(rows_pae); i++)
        check_row(&rows_pae[i], true, i);
}

Test(mmu_walk, pdptes_a20_identity)
{
    struct vcpu *v = fx_open("ring1");
    struct mmu_walk w;

    /* Paging off: identity; A20 closed: bit 20 reads as 0, also in the physical addresses of
     * tables. */
    cr_expect(mmu_walk(v, 0x123456, MMU_WRITE | MMU_USER, &w) && w.gpa == 0x123456);
    fx_vm.a20 = false;
    cr_expect(mmu_walk(v, 0x123456, MMU_READ, &w) && w.gpa == 0x23456);
    cr_expect(mmu_walk(v, 0xffffffff, MMU_READ, &w) && w.gpa == 0xffefffff);
    v->cr0 |= CR0_PG;
    v->cr3 = 0x100000 | PD;
    fx_put32(PD + 4, PT | P);
    fx_put32(PT + 12, 0x107000 | P);
    cr_expect(mmu_walk(v, GLA, MMU_READ, &w) && w.gpa == 0x7abc);
    fx_vm.a20 = true;

    /* PDPTEs are registers: a change of memory takes effect only at the next load. */
    v->cr4 = CR4_PAE;
    for (unsigned i = 0; i < 4; i++)
        fx_put64(PDPT + 8 * i, 0);
    fx_put64(PDPT, PD | 1);
    memset(fx_vm.ram + PD, 0, 0x2000);
    fx_put64(PD + 2 * 8, PT | P);
    fx_put64(PT + 3 * 8, 0x7000 | P);
    cr_expect(mmu_load_cr3(v, PDPT | 0x18));
    cr_expect(v->cr3 == (PDPT | 0x18));
    fx_put64(PDPT, 0);
    cr_expect(mmu_walk(v, GLA, MMU_READ, &w) && w.gpa == 0x7abc);
    cr_expect(!mmu_walk(v, 0x40000000, MMU_READ, &w) && w.error == 0);
    static const uint64_t bad[] = {1 << 1, 1 << 2, 1 << 5, 1 << 8, 1ull << 36, 1ull << 63};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        fx_put64(PDPT + 24, PD | 1 | bad[i]);
        cr_expect(!mmu_load_cr3(v, PDPT), "bit pattern %u", i);
        fx_put64(PDPT + 24, bad[i]); /* not present: anything goes */
        cr_expect(mmu_load_pdptes(v, PDPT), "bit pattern %u", i);
    }
    cr_expect(!mmu_walk(v, GLA, MMU_READ, &w));
}

Test(mmu_walk, tables_outside_ram)
{
    struct vcpu *v = fx_open("ring1");
    struct mmu_walk w;

    /* Page tables in a device, in nobody's space: odd, and no reason to stop. */
    v->cr0 |= CR0_PG;
    v->cr3 = FX_MMIO;
    cr_expect(mmu_walk(v, GLA, MMU_READ, &w)); /* every entry reads 0x44332211 there */
    v->cr3 = 0xe0000000;
    cr_expect(mmu_walk(v, GLA, MMU_READ, &w) && w.gpa == 0xfffffabc);
    v->cr3 = FX_RAM;
    cr_expect(mmu_walk(v, GLA, MMU_WRITE | MMU_USER, &w));
}
