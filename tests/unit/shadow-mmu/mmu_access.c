/* SPDX-License-Identifier: MIT */
/* uses: shadow-mmu monitor/arch/debugreg.c monitor/cpu/cpuid.c devices/bus.c */
/* mmu_access.c - accesses through the software TLB: coherence, page crossings, devices, ROM, code
 * pages, #AC, SMAP. */
#include "tests/rig/mmu_fixture.h"

#define PD 0x2000u
#define PT 0x3000u /* maps linear 0-4 MiB */
#define P  1u
#define W  2u
#define U  4u
#define G  0x100u
#define PS 0x80u

static void map(gla_t gla, uint32_t pte)
{
    fx_put32(PT + (gla >> 12 & 0x3ff) * 4, pte);
}

static uint32_t pte_of(gla_t gla)
{
    return fx_get32(PT + (gla >> 12 & 0x3ff) * 4);
}

static struct vcpu *open_paged(void)
{
    struct vcpu *v = fx_open("ring1");

    fx_put32(PD, PT | P | W | U);
    v->cr3 = PD;
    v->cr0 |= CR0_PG | CR0_WP;
    v->cr4 = CR4_PSE | CR4_PGE;
    mmu_flush_all(v);
    return v;
}

static unsigned try_op(gla_t gla, unsigned size, unsigned how, uint64_t *val, struct fault *f)
{
    struct fx_op op = {gla, size, how, *val};
    unsigned vector = fx_try(fx_access, &op, f);

    *val = op.val;
    return vector;
}

static void expect_read(gla_t gla, unsigned how, uint32_t want, const char *what)
{
    uint64_t val = 0;
    unsigned vector = try_op(gla, 4, how, &val, NULL);

    cr_expect(vector == FX_NO_FAULT && val == want, "%s: vector %u, read %llx", what, vector,
              (unsigned long long)val);
}

static void expect_pf(gla_t gla, unsigned size, unsigned how, uint32_t error, gla_t cr2,
                      const char *what)
{
    struct fault f = {0};
    uint64_t val = ~0ull;
    unsigned vector = try_op(gla, size, how, &val, &f);

    cr_expect(vector == VEC_PF && f.error == error && fx_cpu->cr2 == cr2,
              "%s: vector %u error %x cr2 %x", what, vector, f.error, fx_cpu->cr2);
}

Test(mmu_access, tlb_coherence)
{
    struct vcpu *v = open_paged();

    fx_put32(0x10000, 0x11111111);
    fx_put32(0x20000, 0x22222222);
    map(0x5000, 0x10000 | P | W | U);
    expect_read(0x5000, 0, 0x11111111, "first");
    map(0x5000, 0x20000 | P | W | U);
    expect_read(0x5000, 0, 0x11111111, "cached until told");
    mmu_flush_page(v, 0x5fff);
    expect_read(0x5000, 0, 0x22222222, "after INVLPG");
    map(0x5000, 0x10000 | P | W | U);
    expect_read(0x5000, MMU_USER, 0x11111111, "the user set is its own");
    cr_expect(mmu_load_cr3(v, PD));
    expect_read(0x5000, 0, 0x11111111, "after a CR3 load");

    /* Global pages survive a CR3 load, not INVLPG, not a flush of everything. */
    map(0x6000, 0x10000 | P | G);
    expect_read(0x6000, 0, 0x11111111, "global");
    map(0x6000, 0x20000 | P | G);
    cr_expect(mmu_load_cr3(v, PD));
    expect_read(0x6000, 0, 0x11111111, "global after a CR3 load");
    mmu_flush_page(v, 0x6000);
    expect_read(0x6000, 0, 0x22222222, "global after INVLPG");
    map(0x6000, 0x10000 | P | G);
    mmu_flush_all(v);
    expect_read(0x6000, 0, 0x11111111, "global after a full flush");

    /* Same index, other page: one evicts the other. */
    fx_put32(PD + 64 * 4, 0x00800000 | P | W | PS);
    fx_put32(0x806000, 0x44444444);
    expect_read(0x10006000, 0, 0x44444444, "4-MiB page");
    expect_read(0x6000, 0, 0x11111111, "its neighbour in the set");
    expect_read(0x10006000, 0, 0x44444444, "and back");

    /* INVLPG anywhere in a big page drops all of it. */
    fx_put32(PD + 4, 0x00800000 | P | W | PS);
    fx_put32(0xc07000, 0x55555555);
    expect_read(0x407000, 0, 0, "4-MiB page, other part");
    fx_put32(PD + 4, 0x00c00000 | P | W | PS);
    expect_read(0x407000, 0, 0, "still cached");
    mmu_flush_page(v, 0x7ff123);
    expect_read(0x407000, 0, 0x55555555, "after INVLPG of another part");

    /* A page that changes kind is dropped by its physical address. */
    map(0x5000, 0x10000 | P | W | U);
    mmu_flush_all(v);
    expect_read(0x5000, 0, 0x11111111, "before mmu_flush_gpa");
    fx_vm.page[0x10] = PAGE_MMIO;
    mmu_flush_gpa(&fx_vm, 0x10000);
    expect_read(0x5000, 0, ~0u, "nobody home after mmu_flush_gpa");
}

Test(mmu_access, dirty_and_rights)
{
    struct vcpu *v = open_paged();
    uint64_t val = 1;

    map(0x5000, 0x10000 | P | W | U);
    expect_read(0x5000, 0, 0, "read");
    cr_expect((pte_of(0x5000) & (PTE_A | PTE_D)) == PTE_A, "a read sets A alone");
    mem_write32(v, SEG_DS, 0x5004, 0xabcd);
    cr_expect(pte_of(0x5000) & PTE_D, "the first write after a cached read sets D");
    cr_expect(fx_get32(0x10004) == 0xabcd);
    cr_expect(mem_read32(v, SEG_DS, 0x5004) == 0xabcd);

    map(0x6000, 0x11000 | P | U);
    expect_read(0x6000, MMU_USER, 0, "user read of a read-only page");
    expect_pf(0x6000, 4, MMU_USER | MMU_WRITE, PFE_P | PFE_W | PFE_U, 0x6000, "user write");
    expect_pf(0x6004, 4, MMU_WRITE, PFE_P | PFE_W, 0x6004, "kernel write, WP");
    v->cr0 &= ~CR0_WP;
    mmu_flush_all(v);
    cr_expect(try_op(0x6000, 4, MMU_WRITE, &val, NULL) == FX_NO_FAULT);
    expect_pf(0x6000, 4, MMU_USER | MMU_WRITE, PFE_P | PFE_W | PFE_U, 0x6000,
              "WP = 0 is for the kernel alone");
    map(0x7000, 0x12000 | P | W);
    expect_read(0x7000, 0, 0, "kernel page");
    expect_pf(0x7000, 1, MMU_USER, PFE_P | PFE_U, 0x7000, "kernel's entry is not the user's");
}

Test(mmu_access, page_crossing)
{
    struct vcpu *v = open_paged();
    uint64_t val = 0x8877665544332211;
    struct mem_rmw m;

    map(0x5000, 0x10000 | P | W | U);
    map(0x6000, 0x14000 | P | W | U);
    for (unsigned off = 1; off < 8; off++) {
        mem_write64(v, SEG_DS, 0x6000 - off, val);
        cr_expect(memcmp(fx_vm.ram + 0x11000 - off, &val, off) == 0, "offset %u, first page", off);
        cr_expect(memcmp(fx_vm.ram + 0x14000, (char *)&val + off, 8 - off) == 0,
                  "offset %u, second page", off);
        cr_expect(mem_read64(v, SEG_DS, 0x6000 - off) == val, "offset %u, read", off);
    }
    /* A fault on the second page leaves both pages and all A and D bits alone. */
    fx_put32(0x10ffc, 0);
    map(0x5000, 0x10000 | P | W | U);
    map(0x6000, 0x14000 | U);
    mmu_flush_all(v);
    expect_pf(0x5ffe, 4, MMU_WRITE, PFE_W, 0x6000, "second page absent");
    cr_expect(fx_get32(0x10ffc) == 0 && pte_of(0x5000) == (0x10000 | P | W | U));
    map(0x6000, 0x14000 | P | U);
    expect_pf(0x5ffe, 4, MMU_WRITE | MMU_USER, PFE_P | PFE_W | PFE_U, 0x6000,
              "second page read-only");
    map(0x5000, 0x10000);
    expect_pf(0x5ffe, 4, MMU_WRITE | MMU_USER, PFE_W | PFE_U, 0x5ffe, "first page comes first");
    /* A and D in both. */
    map(0x5000, 0x10000 | P | W | U);
    map(0x6000, 0x14000 | P | W | U);
    cr_expect(mem_rmw_begin(v, SEG_DS, 0x5ffd, 4, &m) ==
              fx_vm.ram[0x10ffd] + (fx_vm.ram[0x10ffe] << 8) + (fx_vm.ram[0x10fff] << 16) +
                  ((uint32_t)fx_vm.ram[0x14000] << 24));
    cr_expect((pte_of(0x5000) & pte_of(0x6000) & (PTE_A | PTE_D)) == (PTE_A | PTE_D));
    mem_rmw_commit(v, &m, 0xddccbbaa);
    cr_expect(mem_read32(v, SEG_DS, 0x5ffd) == 0xddccbbaa);
    cr_expect(fx_vm.ram[0x14000] == 0xdd && fx_vm.ram[0x10ffd] == 0xaa);
    /* 0xfffffffe + 4 wraps to linear 0. */
    fx_put32(PD + 1023 * 4, 0x00c00000 | P | W | PS);
    map(0, 0x15000 | P | W | U);
    lin_write32(v, 0xfffffffe, 0x44332211, 0);
    cr_expect(fx_vm.ram[0xfffffe] == 0x11 && fx_vm.ram[0x15000] == 0x33);
}

Test(mmu_access, devices_rom_code)
{
    struct vcpu *v = open_paged();
    struct mem_rmw m;
    uint32_t len;
    gpa_t page;

    map(0x8000, FX_MMIO | P | W | U);
    map(0x9000, 0x10000 | P | W | U);
    cr_expect(mem_read32(v, SEG_DS, 0x8000) == 0x44332211 && fx_log.reads == 1 &&
              fx_log.size[0] == 4);
    cr_expect(mem_read64(v, SEG_DS, 0x8000) == 0x4433221144332211 && fx_log.reads == 3);
    memset(&fx_log, 0, sizeof(fx_log));
    cr_expect(mem_read32(v, SEG_DS, 0x8001) == 0x11443322, "misaligned: byte, word, byte");
    cr_expect(fx_log.reads == 3 && fx_log.size[0] == 1 && fx_log.size[1] == 2 &&
              fx_log.size[2] == 1);
    memset(&fx_log, 0, sizeof(fx_log));
    mem_write32(v, SEG_DS, 0x8ffe, 0x44332211);
    cr_expect(fx_log.writes == 1 && fx_log.size[0] == 2 && fx_log.val[0] == 0x2211 &&
              fx_log.off[0] == 0xffe);
    cr_expect(fx_vm.ram[0x10000] == 0x33 && fx_vm.ram[0x10001] == 0x44, "the rest went to RAM");
    memset(&fx_log, 0, sizeof(fx_log));
    cr_expect(mem_rmw_begin(v, SEG_DS, 0x8004, 1, &m) == 0x11 && !m.host && fx_log.reads == 1);
    mem_rmw_commit(v, &m, 0x99);
    cr_expect(fx_log.writes == 1 && fx_log.val[0] == 0x99);
    cr_expect(!lin_run(v, 0x8000, 0, &len) && !lin_fetch_page(v, 0x8000, &page));

    map(0xa000, 0x20000 | P | W | U);
    fx_vm.page[0x20] = PAGE_ROM;
    fx_put32(0x20000, 0x12345678);
    mem_write32(v, SEG_DS, 0xa000, 0);
    cr_expect(mem_read32(v, SEG_DS, 0xa000) == 0x12345678, "ROM");
    cr_expect(lin_run(v, 0xa000, 0, &len) && !lin_run(v, 0xa000, MMU_WRITE, &len));
    cr_expect(lin_fetch_page(v, 0xa123, &page) == fx_vm.ram + 0x20000 && page == 0x20000);

    map(0xb000, 0x21000 | P | W | U);
    mem_write32(v, SEG_DS, 0xb000, 1);
    fx_vm.page[0x21] = PAGE_CODE;
    mmu_flush_gpa(&fx_vm, 0x21000);
    mem_write32(v, SEG_DS, 0xb000, 2);
    mem_write32(v, SEG_DS, 0xb000, 3);
    cr_expect(fx_get32(0x21000) == 3 && v->tlb.entry[0][0xb].tag_w == tlb_no_tag(0xb));
    cr_expect(mem_rmw_begin(v, SEG_DS, 0xb000, 4, &m) == 3 && !m.host);
    mem_rmw_commit(v, &m, 4);
    cr_expect(fx_get32(0x21000) == 4 && !lin_run(v, 0xb000, MMU_WRITE, &len));
    fx_vm.page[0x21] = PAGE_RAM;
    mem_write32(v, SEG_DS, 0xb000, 5);
    cr_expect(v->tlb.entry[0][0xb].tag_w == -0xb000u, "writes are fast again");
    cr_expect(lin_run(v, 0xbffe, MMU_WRITE, &len) == fx_vm.ram + 0x21ffe && len == 2);
}

struct seg_op {
    unsigned seg, off, size;
    bool write;
};

static void seg_access(struct vcpu *v, void *arg)
{
    struct seg_op *op = arg;
    uint8_t val[16] = {0};

    if (op->write)
        mem_write_bytes(v, op->seg, op->off, val, op->size);
    else if (op->size == 1)
        mem_read8(v, op->seg, op->off);
    else if (op->size == 2)
        mem_read16(v, op->seg, op->off);
    else if (op->size == 4)
        mem_read32(v, op->seg, op->off);
    else
        mem_read_bytes(v, op->seg, op->off, val, op->size);
}

Test(mmu_access, segments_and_alignment)
{
    static const struct {
        const char *name;
        struct seg_op op;
        uint32_t lo, hi;
        unsigned acc, vector;
    } rows[] = {
        {"last byte", {SEG_DS, 0xff, 1, 0}, 0, 0xff, SEG_ACC_R, FX_NO_FAULT},
        {"beyond the limit", {SEG_DS, 0x100, 1, 0}, 0, 0xff, SEG_ACC_R, VEC_GP},
        {"straddles the limit", {SEG_DS, 0xfd, 4, 0}, 0, 0xff, SEG_ACC_R, VEC_GP},
        {"stack segment", {SEG_SS, 0xfd, 4, 0}, 0, 0xff, SEG_ACC_R, VEC_SS},
        {"limit below the size", {SEG_DS, 0, 4, 0}, 0, 2, SEG_ACC_R, VEC_GP},
        {"wraps", {SEG_DS, 0xffffffff, 4, 0}, 0, 0xffffffff, SEG_ACC_R, VEC_GP},
        {"expand-down, below", {SEG_DS, 0xfff, 1, 0}, 0x1000, 0xffff, SEG_ACC_R, VEC_GP},
        {"expand-down, inside", {SEG_DS, 0x1000, 4, 0}, 0x1000, 0xffff, SEG_ACC_R, FX_NO_FAULT},
        {"expand-down, top", {SEG_DS, 0xfffe, 4, 0}, 0x1000, 0xffff, SEG_ACC_R, VEC_GP},
        {"read-only", {SEG_DS, 0, 4, 1}, 0, 0xffff, SEG_ACC_R, VEC_GP},
        {"null", {SEG_DS, 0, 4, 0}, 0, 0xffffffff, 0, VEC_GP},
        {"execute-only", {SEG_CS, 0, 4, 0}, 0, 0xffff, SEG_ACC_X, VEC_GP},
    };
    static const struct {
        unsigned off, size;
        bool fault;
    } align[] = {{1, 1, 0}, {1, 2, 1}, {2, 4, 1},  {4, 4, 0},
                 {4, 8, 1}, {8, 8, 0}, {4, 10, 1}, {1, 16, 0}};
    struct vcpu *v = fx_open("ring1");
    struct fault f;

    for (unsigned pass = 0; pass < 2; pass++) /* a miss, then a hit */
        for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
            struct seg *s = &v->seg[rows[i].op.seg], saved = *s;
            struct seg_op op = rows[i].op;
            unsigned vector;

            s->lo = rows[i].lo;
            s->hi = rows[i].hi;
            s->acc = (uint8_t)rows[i].acc;
            vector = fx_try(seg_access, &op, &f);
            cr_expect(vector == rows[i].vector, "%s: vector %u", rows[i].name, vector);
            cr_expect(vector == FX_NO_FAULT || f.error == 0, "%s: error %x", rows[i].name, f.error);
            *s = saved;
        }
    for (unsigned mode = 0; mode < 8; mode++) {
        v->cpl = mode & 1 ? 3 : 0;
        v->cr0 = CR0_PE | (mode & 2 ? CR0_AM : 0);
        v->eflags = EFL_FIXED1 | (mode & 4 ? EFL_AC : 0);
        for (unsigned i = 0; i < ARRAY_LEN(align); i++) {
            struct seg_op op = {SEG_DS, 0x2000 + align[i].off, align[i].size, mode & 1};
            unsigned vector = fx_try(seg_access, &op, NULL);

            cr_expect(vector == (mode == 7 && align[i].fault ? VEC_AC : FX_NO_FAULT),
                      "mode %u row %u: vector %u", mode, i, vector);
        }
    }
}

Test(mmu_access, smap_and_breakpoints)
{
    struct vcpu *v = open_paged();

    v->cr4 |= CR4_SMAP | CR4_SMEP;
    map(0x5000, 0x10000 | P | W | U);
    map(0x6000, 0x11000 | P | U);
    fx_put32(0x10000, 0x1234);
    expect_pf(0x5000, 4, 0, PFE_P, 0x5000, "SMAP");
    v->eflags |= EFL_AC;
    expect_read(0x5000, 0, 0x1234, "AC = 1");
    expect_pf(0x5000, 4, MMU_IMPLICIT, PFE_P, 0x5000, "implicit");
    mem_write32(v, SEG_DS, 0x5000, 0x5678);
    expect_pf(0x6000, 4, MMU_WRITE, PFE_P | PFE_W, 0x6000, "WP holds under AC");
    v->eflags &= ~EFL_AC;
    expect_pf(0x5000, 4, 0, PFE_P, 0x5000, "AC = 0 again");
    expect_pf(0x5000, 4, MMU_WRITE, PFE_P | PFE_W, 0x5000, "AC = 0 again, write");
    expect_read(0x5000, MMU_USER, 0x5678, "user");
    expect_pf(0x5000, 4, 0, PFE_P, 0x5000, "after the user filled it");

    map(0x7000, 0x12000 | P | W);
    mem_write32(v, SEG_DS, 0x7000, 0);
    control_write_dr(v, 0, 0x7010);
    control_write_dr(v, 7, 0x00010002 | 3u << 18); /* write, 4 bytes */
    v->attention = 0;
    mem_write32(v, SEG_DS, 0x7014, 0);
    mem_write32(v, SEG_DS, 0x700c, 0);
    cr_expect(mem_read32(v, SEG_DS, 0x7010) == 0 && v->dr6_pending == 0 && !v->attention);
    mem_write8(v, SEG_DS, 0x7013, 1);
    cr_expect(v->dr6_pending == 1 && (v->attention & ATT_TRAP));
    v->dr6_pending = 0;
    mem_write32(v, SEG_DS, 0x700e, 0);
    cr_expect(v->dr6_pending == 1, "misaligned overlap");
    control_write_dr(v, 7, 0);
    v->dr6_pending = 0;
    mem_write32(v, SEG_DS, 0x7010, 0);
    cr_expect(v->dr6_pending == 0 && v->tlb.entry[0][7].tag_w == -0x7000u);
}

static uint32_t rnd(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Random tables, modes and accesses: what the TLB lets through must be what a fresh walk would say
 * and every access must reach the byte that the walk names. */
static void random_access(struct vcpu *v, uint32_t *seed, unsigned step)
{
    gla_t gla = (rnd(seed) & 0xf000) + (rnd(seed) & 0xfff);
    unsigned size = 1u << (rnd(seed) & 3), cpl = rnd(seed) & 1 ? 3 : 0;
    bool write = rnd(seed) & 1;
    unsigned how = (cpl == 3 ? MMU_USER : 0) | (write ? MMU_WRITE : MMU_READ);
    struct seg_op op = {SEG_DS, gla, size, write};
    unsigned first = 0x1000 - (gla & 0xfff), vector;
    struct mmu_walk w, w2;
    struct fault f = {0};
    bool ok, ok2 = true;

    v->cpl = (uint8_t)cpl;
    ok = mmu_walk(v, gla, how | MMU_PROBE, &w);
    if (ok && first < size)
        ok2 = mmu_walk(v, gla + first, how | MMU_PROBE, &w2);
    vector = fx_try(seg_access, &op, &f);
    cr_assert((vector == FX_NO_FAULT) == (ok && ok2), "step %u: gla %x how %x: vector %u", step,
              gla, how, vector);
    if (vector != FX_NO_FAULT) {
        cr_assert(f.error == (ok ? w2.error : w.error), "step %u: error %x", step, f.error);
        cr_assert(v->cr2 == (ok ? gla + first : gla), "step %u: cr2 %x", step, v->cr2);
    } else if (write) {
        cr_assert(pte_of(gla) & PTE_D, "step %u: D not set", step);
        mem_write8(v, SEG_DS, gla, (uint8_t)step);
        cr_assert(fx_vm.ram[w.gpa] == (uint8_t)step, "step %u: wrong byte", step);
    } else {
        cr_assert(pte_of(gla) & PTE_A, "step %u: A not set", step);
        cr_assert(mem_read8(v, SEG_DS, gla) == fx_vm.ram[w.gpa], "step %u: wrong byte", step);
    }
}

Test(mmu_access, random_against_walker)
{
    static const uint32_t cr4_bits[] = {CR4_SMAP, CR4_SMEP, CR4_PGE};
    struct vcpu *v = open_paged();
    uint32_t seed = 0x12345, op;
    struct mmu_walk w;
    gpa_t page;

    for (unsigned step = 0; step < 300000; step++) {
        gla_t gla = rnd(&seed) & 0xf000;

        op = rnd(&seed) % 64;
        if (op < 8) { /* a new entry, announced as the SDM asks */
            map(gla, 0x10000 + (rnd(&seed) & 0xf000) + (rnd(&seed) & (P | W | U | G | PTE_D)));
            mmu_flush_page(v, gla);
        } else if (op == 8) {
            control_write_cr(v, 0, v->cr0 ^ CR0_WP);
        } else if (op == 9) {
            control_write_cr(v, 4, v->cr4 ^ cr4_bits[rnd(&seed) % 3]);
        } else if (op < 14) { /* nothing is told about AC */
            v->eflags ^= EFL_AC;
        } else if (op == 14) {
            control_write_cr(v, 3, PD);
        } else if (op == 15) {
            unsigned n = 0x10 + (rnd(&seed) & 0xf);
            fx_vm.page[n] = rnd(&seed) & 1 ? PAGE_RAM : PAGE_CODE;
            mmu_flush_gpa(&fx_vm, n * 0x1000u);
        } else if (op < 20) {
            v->cpl = rnd(&seed) & 1 ? 3 : 0;
            if (mmu_walk(v, gla, lin_how(v) | MMU_EXEC | MMU_PROBE, &w))
                cr_assert(lin_fetch_page(v, gla, &page) == fx_vm.ram + w.gpa && page == w.gpa);
            else
                cr_assert(v->tlb.entry[v->cpl == 3][tlb_index(gla)].tag_x != -gla, "step %u", step);
            v->cpl = 0;
        } else {
            random_access(v, &seed, step);
            v->cpl = 0;
        }
    }
}
