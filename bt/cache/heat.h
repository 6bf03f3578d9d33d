/* SPDX-License-Identifier: MIT */
/*
 * heat.h - how often code was interpreted that is not translated yet.
 *
 * Promises   Only speed depends on it: two addresses may share a count.
 */
#ifndef RING1_BT_CACHE_HEAT_H
#define RING1_BT_CACHE_HEAT_H

#include "include/ring1/types.h"

/* All counts are forgotten when their sum reaches BT_HEAT_SUM, or all addresses would look hot at
 * last. Until then 32768 addresses can reach a count of BT_HEAT_ALIASED. */
#define BT_HEAT_ENTRIES 131072u
#define BT_HEAT_SUM     (4 * BT_HEAT_ENTRIES)

/* Counts by hashed address; zeroed memory has counted nothing. */
struct bt_heat {
    uint16_t runs[BT_HEAT_ENTRIES];
    uint32_t sum; /* of them, since all were forgotten */
};

/* Did the code at (gla, gpa) run less than `enough` times? Then counts this time. */
bool heat_is_cold(struct bt_heat *h, gla_t gla, gpa_t gpa, unsigned enough);

/* The code at (gla, gpa) changed: nothing is known of how hot it is. */
void heat_forget(struct bt_heat *h, gla_t gla, gpa_t gpa);

#endif
