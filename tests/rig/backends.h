/* SPDX-License-Identifier: MIT */
/*
 * backends.h - back ends for tests (devices/backend.h): a medium in memory, whose completions come
 * when the test says so; a wire, a screen and a line that remember.
 */
#ifndef RING1_TESTS_UNIT_BACKENDS_H
#define RING1_TESTS_UNIT_BACKENDS_H

#include <stdlib.h>
#include <string.h>

#include "devices/backend.h"

/* ---- blocks ---- */

#define MEMORY_DISK_QUEUE 64u

/* Requests wait until memory_disk_run(). */
struct memory_disk {
    uint8_t *bytes;
    struct blockdev_info info;
    struct completion_queue *queue;
    struct block_request *waiting[MEMORY_DISK_QUEUE];
    unsigned count;
    int fail; /* what the next request ends with instead, once; 0: nothing */
    unsigned reads, writes, flushes, discards;
    bool tray_open, locked;
};

static void memory_disk_info(void *opaque, struct blockdev_info *out)
{
    *out = ((const struct memory_disk *)opaque)->info;
}

static void memory_disk_submit(void *opaque, struct completion_queue *q, struct block_request *r)
{
    struct memory_disk *d = opaque;

    d->queue = q;
    if (d->count == MEMORY_DISK_QUEUE)
        abort();
    d->waiting[d->count++] = r;
}

static void memory_disk_eject(void *opaque, bool open)
{
    ((struct memory_disk *)opaque)->tray_open = open;
}

static void memory_disk_lock(void *opaque, bool locked)
{
    ((struct memory_disk *)opaque)->locked = locked;
}

static void memory_disk_move(struct memory_disk *d, const struct block_request *r)
{
    uint8_t *at = d->bytes + r->offset;

    for (unsigned n = 0; n < r->pieces; at += r->piece[n++].len)
        if (r->op == BLOCK_READ)
            memcpy(r->piece[n].bytes, at, r->piece[n].len);
        else
            memcpy(at, r->piece[n].bytes, r->piece[n].len);
}

static int memory_disk_do(struct memory_disk *d, const struct block_request *r)
{
    int result = blockdev_check(&d->info, r);

    if (d->fail) {
        result = d->fail;
        d->fail = 0;
    }
    if (result)
        return result;
    switch (r->op) {
    case BLOCK_READ:
        d->reads++;
        memory_disk_move(d, r);
        break;
    case BLOCK_WRITE:
        d->writes++;
        memory_disk_move(d, r);
        break;
    case BLOCK_FLUSH:
        d->flushes++;
        break;
    case BLOCK_DISCARD:
        d->discards++;
        if (d->info.can_discard)
            memset(d->bytes + r->offset, 0, r->len);
        break;
    }
    return 0;
}

/* Does the first `most` of what waits; the completions are posted. */
static unsigned memory_disk_run(struct memory_disk *d, unsigned most)
{
    unsigned n = 0;

    for (; n < d->count && n < most; n++) {
        int result = memory_disk_do(d, d->waiting[n]);

        completion_post(d->queue, &d->waiting[n]->completion, result);
    }
    d->count -= n;
    memmove(d->waiting, d->waiting + n, d->count * sizeof d->waiting[0]);
    return n;
}

static struct blockdev memory_disk(struct memory_disk *d, uint64_t size)
{
    *d = (struct memory_disk){.bytes = calloc(1, size),
                              .info = {.size = size, .sector = BLOCK_SECTOR, .can_discard = true}};
    return (struct blockdev){.opaque = d,
                             .info = memory_disk_info,
                             .submit = memory_disk_submit,
                             .eject = memory_disk_eject,
                             .lock = memory_disk_lock};
}

/* ---- frames ---- */

/* Keeps the last frame. */
struct memory_wire {
    uint8_t frame[NET_FRAME_MAX];
    size_t len;
    unsigned sent, ready_again;
};

static void memory_wire_send(void *opaque, const uint8_t *frame, size_t len)
{
    struct memory_wire *w = opaque;

    if (len < 14 || len > NET_FRAME_MAX)
        abort();
    memcpy(w->frame, frame, len);
    w->len = len;
    w->sent++;
}

static void memory_wire_ready(void *opaque)
{
    ((struct memory_wire *)opaque)->ready_again++;
}

static struct netdev memory_wire(struct memory_wire *w)
{
    return (struct netdev){.opaque = w, .send = memory_wire_send, .ready_again = memory_wire_ready};
}

/* ---- a screen ---- */

/* Keeps what it was told, and checks that it lies inside of the picture. */
struct memory_screen {
    struct display_surface surface; /* width 0: text or off */
    struct display_text text;       /* columns 0: a picture or off */
    unsigned modes, dirties, cursors;
    uint64_t dirty_area;
};

static void memory_screen_mode(void *opaque, const struct display_surface *s,
                               const struct display_text *t)
{
    struct memory_screen *m = opaque;

    if (s && t)
        abort();
    m->surface = s ? *s : (struct display_surface){0};
    m->text = t ? *t : (struct display_text){0};
    if (m->surface.width > DISPLAY_SIDE_MAX || m->surface.height > DISPLAY_SIDE_MAX)
        abort();
    m->modes++;
}

static void memory_screen_dirty(void *opaque, const struct display_rect *r)
{
    struct memory_screen *m = opaque;
    uint32_t width = m->surface.width + m->text.columns, height = m->surface.height + m->text.rows;

    if (r->x > width || r->width > width - r->x || r->y > height || r->height > height - r->y)
        abort();
    m->dirties++;
    m->dirty_area += (uint64_t)r->width * r->height;
}

static void memory_screen_cursor(void *opaque, const struct display_text *t)
{
    struct memory_screen *m = opaque;

    m->text = *t;
    m->cursors++;
}

static struct display memory_screen(struct memory_screen *m)
{
    return (struct display){.opaque = m,
                            .mode = memory_screen_mode,
                            .dirty = memory_screen_dirty,
                            .cursor = memory_screen_cursor};
}

#endif
