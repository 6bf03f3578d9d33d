/* SPDX-License-Identifier: MIT */
/* completion.c - see completion.h. */
#include "devices/completion.h"

void completion_begin(struct completion_queue *q, struct completion *c)
{
    c->number = q->begun++;
    c->next = NULL;
}

void completion_post(struct completion_queue *q, struct completion *c, int result)
{
    struct completion *first = __atomic_load_n(&q->posted, __ATOMIC_RELAXED);

    c->result = result;
    do
        c->next = first;
    while (!__atomic_compare_exchange_n(&q->posted, &first, c, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED));
    if (!first && q->wake)
        q->wake(q->wake_opaque);
}

/* All that are posted, the first one first. */
static struct completion *take(struct completion_queue *q)
{
    struct completion *c = __atomic_exchange_n(&q->posted, NULL, __ATOMIC_ACQUIRE), *list = NULL;

    while (c) {
        struct completion *next = c->next;

        c->next = list;
        list = c;
        c = next;
    }
    return list;
}

unsigned completion_deliver(struct completion_queue *q, ns_t now, unsigned most)
{
    unsigned count = 0;

    for (; count < most; count++) {
        struct completion *c = q->ready ? q->ready : take(q);

        if (!c)
            break;
        q->ready = c->next;
        c->next = NULL;
        q->delivered++;
        if (q->seen)
            q->seen(q->seen_opaque, now, c->number, c->result);
        c->done(c->opaque, c->result, now);
    }
    return count;
}

uint64_t completion_pending(const struct completion_queue *q)
{
    return q->begun - q->delivered;
}
