/* SPDX-License-Identifier: MIT */
/*
 * bus.c - address decoding: sorted ranges, binary search, splitting of accesses.
 *
 * An access that the device takes as it is goes straight through. Every other one is cut into
 * naturally aligned pieces, as the bus of a real PC cuts an unaligned access into cycles with byte
 * enables; a piece smaller than the device's smallest access becomes that smallest access, with the
 * other bytes ignored on reads and zero on writes.
 */
#include "devices/bus.h"

#include "include/ring1/mem.h"

/* Index of the first range whose last address is not below `addr`; b->count if none. */
static unsigned range_search(const struct bus *b, uint64_t addr)
{
    unsigned lo = 0, hi = b->count;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (b->range[mid].last < addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

int bus_add(struct bus *b, uint64_t first, uint64_t last, const struct dev_ops *ops, void *dev,
            uint32_t dev_base)
{
    unsigned at = range_search(b, first);

    if (first > last || b->count == BUS_MAX_RANGES)
        return -1;
    if (at < b->count && b->range[at].first <= last)
        return -1;
    memmove(&b->range[at + 1], &b->range[at], (b->count - at) * sizeof(b->range[0]));
    b->range[at] = (struct bus_range){first, last, dev_base, ops, dev};
    b->count++;
    return 0;
}

int bus_remove(struct bus *b, uint64_t first, const void *dev)
{
    unsigned at = range_search(b, first);

    if (at == b->count || b->range[at].first != first || b->range[at].dev != dev)
        return -1;
    b->count--;
    memmove(&b->range[at], &b->range[at + 1], (b->count - at) * sizeof(b->range[0]));
    return 0;
}

const struct bus_range *bus_find(const struct bus *b, uint64_t addr)
{
    unsigned at = range_search(b, addr);

    return at < b->count && b->range[at].first <= addr ? &b->range[at] : NULL;
}

/* The device takes [addr, addr+size) in one access. */
static bool takes_whole(const struct bus_range *r, uint64_t addr, unsigned size)
{
    return (addr & (size - 1)) == 0 && r->last - addr >= size - 1 && size >= r->ops->min_size &&
           size <= r->ops->max_size;
}

/* Size of the first piece of an access to [addr, addr+left). */
static unsigned piece_size(const struct bus_range *r, uint64_t addr, unsigned left)
{
    unsigned size = 4;

    if (!r)
        return 1;
    while (size > 1 && ((addr & (size - 1)) != 0 || size > left || size > r->ops->max_size ||
                        r->last - addr < size - 1))
        size /= 2;
    return size;
}

static uint32_t range_offset(const struct bus_range *r, uint64_t addr)
{
    return (uint32_t)(addr - r->first) + r->dev_base;
}

static uint32_t size_mask(unsigned size)
{
    return size >= 4 ? UINT32_MAX : (1u << (8 * size)) - 1;
}

static uint32_t device_read(const struct bus_range *r, uint64_t addr, unsigned size, ns_t now)
{
    uint32_t off = range_offset(r, addr);
    unsigned min = r->ops->min_size;

    if (!r->ops->read)
        return size_mask(size);
    if (size < min)
        return r->ops->read(r->dev, off & ~(min - 1), min, now) >> (8 * (off & (min - 1))) &
               size_mask(size);
    return r->ops->read(r->dev, off, size, now) & size_mask(size);
}

static void device_write(const struct bus_range *r, uint64_t addr, unsigned size, uint32_t val,
                         ns_t now)
{
    uint32_t off = range_offset(r, addr);
    unsigned min = r->ops->min_size;

    val &= size_mask(size);
    if (!r->ops->write)
        return;
    if (size < min)
        r->ops->write(r->dev, off & ~(min - 1), min, val << (8 * (off & (min - 1))), now);
    else
        r->ops->write(r->dev, off, size, val, now);
}

uint32_t bus_read(struct bus *b, uint64_t addr, unsigned size, ns_t now)
{
    const struct bus_range *r = bus_find(b, addr);
    uint32_t val = 0;
    bool missed = false;

    if (likely(r && takes_whole(r, addr, size)))
        return device_read(r, addr, size, now);
    for (unsigned done = 0, n; done < size; done += n) {
        uint64_t at = addr + done;

        /* Looked up anew for each piece: a device may move ranges. */
        r = bus_find(b, at);
        n = piece_size(r, at, size - done);
        if (!r) {
            missed = true;
            b->last_unclaimed = at;
        }
        val |= (r ? device_read(r, at, n, now) : 0xff) << (8 * done);
    }
    b->unclaimed_reads += missed;
    return val;
}

void bus_write(struct bus *b, uint64_t addr, unsigned size, uint32_t val, ns_t now)
{
    const struct bus_range *r = bus_find(b, addr);
    bool missed = false;

    if (likely(r && takes_whole(r, addr, size))) {
        device_write(r, addr, size, val, now);
        return;
    }
    for (unsigned done = 0, n; done < size; done += n) {
        uint64_t at = addr + done;

        r = bus_find(b, at);
        n = piece_size(r, at, size - done);
        if (r) {
            device_write(r, at, n, val >> (8 * done), now);
        } else {
            missed = true;
            b->last_unclaimed = at;
        }
    }
    b->unclaimed_writes += missed;
}
