/* SPDX-License-Identifier: MIT */
/* backend.c - see backend.h: what all block back ends have in common. */
#include "devices/backend.h"

static bool is_whole(uint64_t n)
{
    return !(n & (BLOCK_SECTOR - 1));
}

static bool pieces_fit(const struct block_request *r)
{
    uint64_t sum = 0;

    if (r->op != BLOCK_READ && r->op != BLOCK_WRITE)
        return true;
    if (r->pieces > BLOCK_PIECES)
        return false;
    for (unsigned n = 0; n < r->pieces; n++)
        sum += r->piece[n].len;
    return sum == r->len;
}

int blockdev_check(const struct blockdev_info *i, const struct block_request *r)
{
    if (!i->size)
        return BACKEND_NO_MEDIUM;
    if (!is_whole(r->offset) || !is_whole(r->len) || r->offset > i->size ||
        r->len > i->size - r->offset || !pieces_fit(r))
        return BACKEND_RANGE;
    if (i->read_only && (r->op == BLOCK_WRITE || r->op == BLOCK_DISCARD))
        return BACKEND_READ_ONLY;
    return BACKEND_OK;
}

void blockdev_submit(const struct blockdev *b, struct completion_queue *q, struct block_request *r)
{
    completion_begin(q, &r->completion);
    if (b->submit)
        b->submit(b->opaque, q, r);
    else
        completion_post(q, &r->completion, BACKEND_NO_MEDIUM);
}
