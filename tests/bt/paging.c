/* SPDX-License-Identifier: MIT */
/*
 * paging.c - the page tables of a case: 32-bit or PAE ones of the same mapping, with a page or two
 * for each combination of rights; and what a Linux process must have to see the same.
 *
 * Source     SDM vol. 3A, sections 4.3 (32-bit paging), 4.4 (PAE), 4.6 (rights).
 */
#include "tests/bt/bt_random.h"

#include "include/ring1/bytes.h"
#include "tests/bt/native.h"

#define USUAL (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

/* Pages like CODE and DATA: the supervisor's in cases with SMEP and SMAP. */
static uint64_t usual_bits(const struct bt_case *c)
{
    return c->kernel_pages ? USUAL & ~PTE_U : USUAL;
}

/* Without this bit: pages that are never run from, as programs have them today. */
static uint64_t no_execute(const struct bt_case *c, uint32_t at)
{
    return c->nx && (at >= STACK_AT || at == DATA_AT + 0x2000 || at == ODD_AT + 0x2000) ? PTE_NX
                                                                                        : 0;
}

static uint64_t odd_entry(const struct bt_case *c, uint32_t at)
{
    switch (at) {
    case ODD_AT: /* read-only; A tells whether an access that faults on the next page came here */
        return at | (usual_bits(c) & ~(uint64_t)(PTE_W | PTE_A));
    case ODD_AT + 0x1000:
        return 0;
    case ODD_AT + 0x2000:
        return at | (usual_bits(c) & ~(uint64_t)(PTE_A | PTE_D));
    case ODD_AT + 0x3000:
        return at | (USUAL & ~PTE_U);
    case ODD_AT + 0x4000:
        return at | (USUAL & ~(PTE_U | PTE_W));
    case ODD_AT + 0x5000:
        return at | (USUAL & ~(PTE_A | PTE_D));
    case ODD_AT + 0x6000: /* aliases */
        return CODE_AT | usual_bits(c);
    default:
        return DATA_AT | usual_bits(c) | PTE_G;
    }
}

static uint64_t page_entry(const struct bt_case *c, uint32_t at)
{
    if (at == 0)
        return c->native ? 0 : NULL_AT | USUAL;
    /* Nobody writes to the tables: what a change without INVLPG does depends on which entries were
     * cached. */
    if (at == PD_AT || at == PT_AT || (at >= PT_HIGH_AT && at < TABLES_END))
        return 0;
    if (at >= ODD_AT && at < ODD_AT + ODD_BYTES)
        return odd_entry(c, at) | no_execute(c, at);
    if (at == 0x36000) /* nothing there */
        return c->native ? 0 : 0x10000000u | USUAL;
    return at | (at < CODE_AT ? USUAL & ~PTE_U : usual_bits(c)) | no_execute(c, at);
}

static void put_entry(const struct bt_case *c, uint8_t *table, unsigned n, uint64_t val)
{
    if (c->pae)
        put_le64(table + 8 * n, val);
    else
        put_le32(table + 4 * n, (uint32_t)val);
}

void paging_image(const struct bt_case *c, uint8_t *ram)
{
    unsigned entries = c->pae ? 512 : 1024;
    uint8_t *low = ram + PT_AT, *high = ram + PT_HIGH_AT;

    memset(ram + PD_AT, 0, 2 * GUEST_PAGE_SIZE);
    memset(high, 0, TABLES_END - PT_HIGH_AT);
    for (uint32_t n = 0; n < RAM_BYTES >> 12; n++)
        put_entry(c, low, n, page_entry(c, n << GUEST_PAGE_SHIFT));
    put_entry(c, high, 0, (HIGH_AT + 0x5000) | usual_bits(c));
    if (!c->native) { /* Linux keeps those for itself */
        put_entry(c, high, entries - 1, HIGH_AT | usual_bits(c));
        put_entry(c, high, entries - 2, (HIGH_AT + 0x4000) | usual_bits(c));
    }
    if (!c->pae) {
        put_le32(ram + PD_AT, PT_AT | USUAL);
        put_le32(ram + PD_AT + 4 * 512, PT_HIGH_AT | USUAL);
        if (!c->native) /* the page of 2 GiB is at 0xffc00000 again */
            put_le32(ram + PD_AT + 4 * 1023, PT_HIGH_AT | USUAL);
        return;
    }
    put_le64(ram + PD_AT, PD_LOW_AT | PTE_P);
    put_le64(ram + PD_AT + 8 * 2, PD_HIGH_AT | PTE_P);
    if (!c->native) /* ... at 0xffe00000 */
        put_le64(ram + PD_AT + 8 * 3, PD_TOP_AT | PTE_P);
    put_le64(ram + PD_LOW_AT, PT_AT | USUAL);
    put_le64(ram + PD_HIGH_AT, PT_HIGH_AT | USUAL);
    put_le64(ram + PD_TOP_AT + 8 * 511, PT_HIGH_AT | USUAL);
}

/* The same for CPL 3 of a Linux process. */
void paging_native(const struct bt_case *c, struct native_io *io)
{
    for (uint32_t at = NATIVE_FROM; at < RAM_BYTES; at += GUEST_PAGE_SIZE) {
        uint64_t e = page_entry(c, at);

        io->rights[at >> 12] = !(e & PTE_P) || !(e & PTE_U) ? NATIVE_NONE
                               : !(e & PTE_W)               ? NATIVE_RX
                               : e & PTE_NX                 ? NATIVE_RW
                                                            : NATIVE_RWX;
    }
}

/* The PTE of linear `at` in the tables of paging_image(), without their upper levels' rights. */
static uint64_t walked(const struct bt_case *c, const uint8_t *ram, uint32_t at)
{
    uint64_t e;

    if (!c->pae) {
        e = get_le32(ram + PD_AT + 4 * (at >> 22));
        return e & PTE_P ? get_le32(ram + (e & ~0xfffull) + 4 * (at >> 12 & 1023)) : 0;
    }
    e = get_le64(ram + PD_AT + 8 * (at >> 30));
    e = e & PTE_P ? get_le64(ram + (e & ~0xfffull) + 8 * (at >> 21 & 511)) : 0;
    return e & PTE_P ? get_le64(ram + (e & ~0xfffull) + 8 * (at >> 12 & 511)) : 0;
}

/* Does CPL 3 find the same pages in both? All of the address space, once. */
bool paging_native_agrees(struct native_io *io)
{
    static uint8_t ram[RAM_BYTES];

    for (unsigned kind = 0; kind < 3; kind++) {
        struct bt_case c = {.native = true, .paging = true, .pae = kind > 0, .nx = kind > 1};
        paging_image(&c, ram);
        paging_native(&c, io);
        for (uint32_t page = 0; page < 1u << 20; page++) {
            uint64_t e = walked(&c, ram, page << 12);
            bool low = page >= NATIVE_FROM >> 12 && page < RAM_BYTES >> 12;
            unsigned there = low ? io->rights[page] : page == 0x80000 ? NATIVE_RWX : NATIVE_NONE;
            unsigned frame = low ? io->frame[page] : io->high;
            unsigned here = !(e & PTE_P) || !(e & PTE_U) ? NATIVE_NONE
                            : !(e & PTE_W)               ? NATIVE_RX
                            : e & PTE_NX                 ? NATIVE_RW
                                                         : NATIVE_RWX;
            if (here != there || (here != NATIVE_NONE && (e >> 12 & 0xfffff) != frame))
                return false;
        }
    }
    return true;
}

/* What does not depend on the case: the companion maps it once. */
void paging_native_frames(struct native_io *io)
{
    static const struct bt_case plain = {.native = true};

    for (uint32_t at = NATIVE_FROM; at < RAM_BYTES; at += GUEST_PAGE_SIZE) {
        uint64_t e = page_entry(&plain, at);
        io->frame[at >> 12] = (uint8_t)((e & PTE_P ? e : at) >> 12);
    }
    io->high = (HIGH_AT + 0x5000) >> 12;
}
