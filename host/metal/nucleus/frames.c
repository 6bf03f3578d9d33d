/* SPDX-License-Identifier: MIT */
/* frames.c - see frames.h. Frames that came back form a list through their first bytes; the others
 * are what is left of the loader's ranges. */
#include "host/metal/nucleus/frames.h"

#include "host/metal/nucleus/image.h"
#include "include/ring1/mem.h"

#define LOW_MEMORY (1ull << 20)

static struct {
    struct range free[2 * BOOTINFO_RANGES];
    unsigned count;
    uint64_t list; /* NO_FRAME: empty */
    uint64_t listed, top;
} frames;

/* Takes [base, end) out of the free ranges. */
static void reserve(uint64_t base, uint64_t end)
{
    base &= ~(FRAME - 1);
    end = (end + FRAME - 1) & ~(FRAME - 1);
    for (unsigned n = 0, count = frames.count; n < count; n++) {
        struct range *r = &frames.free[n];
        uint64_t r_end = r->base + r->size;
        if (end <= r->base || base >= r_end)
            continue;
        uint64_t before = base > r->base ? base - r->base : 0;
        uint64_t after = end < r_end ? r_end - end : 0;
        r->size = before;
        if (after && before && frames.count < ARRAY_LEN(frames.free))
            frames.free[frames.count++] = (struct range){end, after};
        else if (after && !before)
            *r = (struct range){end, after};
    }
}

void frames_init(const struct bootinfo *b)
{
    frames.list = NO_FRAME;
    for (unsigned n = 0; n < b->usable_count; n++) {
        uint64_t base = (b->usable[n].base + FRAME - 1) & ~(FRAME - 1);
        uint64_t end = (b->usable[n].base + b->usable[n].size) & ~(FRAME - 1);
        if (end <= base)
            continue;
        frames.free[frames.count++] = (struct range){base, end - base};
        if (end > frames.top)
            frames.top = end;
    }
    reserve(0, LOW_MEMORY);
    reserve((uint64_t)image_start - IMAGE_BASE, (uint64_t)image_end - IMAGE_BASE);
    for (unsigned n = 0; n < b->module_count; n++)
        reserve(b->module[n].bytes.base, b->module[n].bytes.base + b->module[n].bytes.size);
}

/* The lowest: what is mapped before pages_init() has mapped all memory. */
static uint64_t lowest(void)
{
    struct range *best = NULL;

    for (unsigned n = 0; n < frames.count; n++)
        if (frames.free[n].size && (!best || frames.free[n].base < best->base))
            best = &frames.free[n];
    if (!best)
        return NO_FRAME;
    uint64_t pa = best->base;
    best->base += FRAME;
    best->size -= FRAME;
    return pa;
}

uint64_t frame_new(void)
{
    uint64_t pa = frames.list;

    if (pa == NO_FRAME) {
        pa = lowest();
    } else {
        frames.list = *(uint64_t *)frame_at(pa);
        frames.listed--;
    }
    if (pa != NO_FRAME)
        memset(frame_at(pa), 0, FRAME);
    return pa;
}

void frame_free(uint64_t pa)
{
    *(uint64_t *)frame_at(pa) = frames.list;
    frames.list = pa;
    frames.listed++;
}

uint64_t frames_take(uint64_t size)
{
    for (unsigned n = frames.count; n--;) {
        struct range *r = &frames.free[n];
        uint64_t end = (r->base + r->size) & ~(BIG_FRAME - 1);
        if (r->size < size || end < size || end - size < r->base)
            continue;
        uint64_t pa = end - size, after = r->base + r->size - end;
        r->size = pa - r->base;
        if (after && frames.count < ARRAY_LEN(frames.free))
            frames.free[frames.count++] = (struct range){end, after};
        return pa;
    }
    return NO_FRAME;
}

void frames_give(uint64_t pa, uint64_t size)
{
    for (unsigned n = 0; n < frames.count; n++) {
        struct range *r = &frames.free[n];
        if (r->base + r->size == pa) {
            r->size += size;
            return;
        }
    }
    for (uint64_t at = pa; at < pa + size; at += FRAME) /* cannot be: its range is never removed */
        frame_free(at);
}

uint64_t frames_left(void)
{
    uint64_t sum = frames.listed * FRAME;

    for (unsigned n = 0; n < frames.count; n++)
        sum += frames.free[n].size;
    return sum;
}

uint64_t frames_top(void)
{
    return frames.top;
}
