/* SPDX-License-Identifier: MIT */
/* heat.c - see heat.h. */
#include "bt/cache/heat.h"

#include "include/ring1/mem.h"

static uint16_t *runs_of(struct bt_heat *h, gla_t gla, gpa_t gpa)
{
    uint32_t key = (uint32_t)gpa ^ (gla >> GUEST_PAGE_SHIFT) * 0x85ebca6bu;

    return &h->runs[key * 2654435761u >> 15];
}
_Static_assert(BT_HEAT_ENTRIES == 1u << 17, "runs_of() takes 17 bits");

void heat_forget(struct bt_heat *h, gla_t gla, gpa_t gpa)
{
    *runs_of(h, gla, gpa) = 0;
}

bool heat_is_cold(struct bt_heat *h, gla_t gla, gpa_t gpa, unsigned enough)
{
    uint16_t *runs = runs_of(h, gla, gpa);

    if (*runs >= enough)
        return false;
    ++*runs;
    if (++h->sum == BT_HEAT_SUM) {
        memset(h->runs, 0, sizeof h->runs);
        h->sum = 0;
    }
    return true;
}
