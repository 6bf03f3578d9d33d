/* SPDX-License-Identifier: MIT */
/*
 * adapt_form.h - how an instruction is to be translated, after what its earlier translations cost
 * (bt/run/adapt.h). Nothing here writes.
 */
#ifndef RING1_BT_TRANSLATE_ADAPT_FORM_H
#define RING1_BT_TRANSLATE_ADAPT_FORM_H

#include "bt/cache/adapt_state.h"

struct bt;

static inline uint32_t adapt_hash(gpa_t gpa)
{
    return (uint32_t)gpa * 2654435761u;
}

/* The first of the two places where the instruction may be. */
static inline unsigned adapt_site_pair(gpa_t gpa)
{
    return adapt_hash(gpa) >> 22 & ~1u;
}
_Static_assert(ADAPT_SITES == 1u << 10, "adapt_site_pair() takes ten bits");

/* The place where its page may be. */
static inline unsigned adapt_page_slot(gpa_t gpa)
{
    return adapt_hash(gpa >> GUEST_PAGE_SHIFT) >> 26;
}
_Static_assert(ADAPT_PAGES == 1u << 6, "adapt_page_slot() takes six bits");

/* How shall the instruction at gpa be translated? *user gets ADAPT_USER_* for its operands, which
 * count in the software-TLB form. */
enum adapt_form adapt_form(const struct bt *bt, gpa_t gpa, uint8_t *user);

#endif
