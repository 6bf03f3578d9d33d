/* SPDX-License-Identifier: MIT */
/*
 * heat.h - how often code was interpreted that is not translated yet.
 *
 * Promises   Only speed depends on it: two addresses may share a count.
 */
#ifndef RING1_BT_CACHE_HEAT_H
#define RING1_BT_CACHE_HEAT_H

#include "include/ring1/types.h"

/* All counts are forgotten when their sum is so much, or all addresses would look hot at last. So
 * many addresses can come to BT_HEAT_ALIASED between: 32768. */
#define BT_HEAT_ENTRIES 131072u
#define BT_HEAT_SUM     (4 * BT_HEAT_ENTRIES)

/* By hashed addresses; zeroed memory is none. */
struct bt_heat {
    uint16_t runs[BT_HEAT_ENTRIES];
    uint32_t sum; /* of them, since all were forgotten */
};

/* Did the code at (gla, gpa) run less than `enough` times? Then counts this time. */
bool heat_is_cold(struct bt_heat *h, gla_t gla, gpa_t gpa, unsigned enough);

/* The code at (gla, gpa) changed: nothing is known of how hot it is. */
void heat_forget(struct bt_heat *h, gla_t gla, gpa_t gpa);

#endif
