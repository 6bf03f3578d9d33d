/* SPDX-License-Identifier: MIT */
/* lazy.c - see lazy.h. An open page that was not written yet is a page of zeroes mapped for
 * reading, which one bit a page in `open` tells from one that is not open; the bits are lazy
  * themselves. */
#include "host/metal/nucleus/lazy.h"

#include "host/metal/nucleus/frames.h"
#include "host/metal/nucleus/pages.h"
#include "include/ring1/mem.h"

#define LAZY_REGIONS 32u
/* One bit for each page of a sparse region: at this address for page 0 of the first. */
#define OPEN_BITS     (HEAP_BASE + (1ull << 44))
#define BITS_PER_PAGE (FRAME * 8)

static struct region {
    uint64_t va, len, of;
    enum lazy_kind kind;
    uint64_t bits; /* of LAZY_SPARSE: first byte of its bits */
} regions[LAZY_REGIONS];
static unsigned region_count;
static uint64_t next_bits = OPEN_BITS;
static uint64_t zero_frame = NO_FRAME;

bool lazy_add(uint64_t va, uint64_t len, enum lazy_kind kind, uint64_t of)
{
    if (region_count == LAZY_REGIONS)
        return false;
    struct region *r = &regions[region_count++];
    *r = (struct region){.va = va, .len = len, .kind = kind, .of = of};
    if (kind != LAZY_SPARSE)
        return true;
    uint64_t bytes = (len / BITS_PER_PAGE + FRAME) & ~(FRAME - 1);
    r->bits = next_bits;
    next_bits += bytes;
    return lazy_add(r->bits, bytes, LAZY_ZERO, 0);
}

static struct region *region_at(uint64_t va)
{
    for (unsigned n = 0; n < region_count; n++)
        if (va - regions[n].va < regions[n].len)
            return &regions[n];
    return NULL;
}

static uint8_t *open_byte(const struct region *r, uint64_t va, uint8_t *mask)
{
    uint64_t page = (va - r->va) / FRAME;

    *mask = (uint8_t)(1u << (page & 7));
    return (uint8_t *)(r->bits + page / 8);
}

static bool is_open(const struct region *r, uint64_t va)
{
    uint8_t mask, *b = open_byte(r, va, &mask);

    return *b & mask;
}

int lazy_open(uint64_t at, uint64_t len)
{
    struct region *r = region_at(at);
    uint8_t mask;

    for (uint64_t va = at; r && va < at + len; va += FRAME)
        *open_byte(r, va, &mask) |= mask;
    return r ? 0 : -12;
}

void lazy_drop(uint64_t at, uint64_t len)
{
    pages_unmap(at, len);
}

void lazy_clear(uint64_t at, uint64_t len)
{
    struct region *r = region_at(at);

    if (!r)
        return;
    pages_unmap(at, len);
    pages_unmap(r->bits + (at - r->va) / BITS_PER_PAGE,
                (len + BITS_PER_PAGE - 1) / BITS_PER_PAGE & ~(FRAME - 1));
}

void lazy_forget(void)
{
    region_count = 0;
    next_bits = OPEN_BITS;
    if (zero_frame != NO_FRAME)
        frame_free(zero_frame);
    zero_frame = NO_FRAME;
}

static bool give(uint64_t va, unsigned rights)
{
    uint64_t pa = frame_new();

    if (pa == NO_FRAME)
        return false;
    if (pages_map(va, pa, FRAME, rights | PAGES_OWNED) == 0)
        return true;
    frame_free(pa);
    return false;
}

static bool give_zeroes(uint64_t va)
{
    if (zero_frame == NO_FRAME)
        zero_frame = frame_new();
    return zero_frame != NO_FRAME && pages_map(va, zero_frame, FRAME, 0) == 0;
}

bool lazy_fault(uint64_t va, bool write)
{
    struct region *r = region_at(va);

    va &= ~(FRAME - 1);
    if (!r)
        return false;
    switch (r->kind) {
    case LAZY_ZERO:
        return give(va, PAGES_WRITE);
    case LAZY_SPARSE:
        return !write ? give_zeroes(va) : is_open(r, va) && give(va, PAGES_WRITE);
    case LAZY_VIEW:
        break;
    }
    uint64_t shown = r->of + (va - r->va);
    if (write || (pages_lookup(shown) == NO_FRAME && !give(shown, PAGES_WRITE)))
        return false;
    return pages_map(va, pages_lookup(shown), FRAME, PAGES_EXEC) == 0;
}
