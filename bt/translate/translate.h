/* SPDX-License-Identifier: MIT */
/*
 * translate.h - guest code in, one block of host code out.
 *
 * Promises   The block does what the interpreter would at the given context (docs/codegen.md).
 *            Nothing of the guest changes, but pages that are marked PAGE_TRANSLATED.
 */
#ifndef RING1_BT_TRANSLATE_TRANSLATE_H
#define RING1_BT_TRANSLATE_TRANSLATE_H

#include "include/ring1/types.h"

struct vcpu;
struct bt_block;

/* The guest code that a unit begins with. */
struct bt_source {
    gla_t gla;
    gpa_t gpa;                 /* of the first byte */
    const uint8_t *page_bytes; /* of the whole guest page that it lies on */
    uint32_t ctx;              /* bt/cache/context.h */
};

/* Makes a block from *s in v's cache, where it is found from now on, and returns it; the cache owns
 * it. NULL: the cache is full, and nothing was made. */
struct bt_block *bt_translate(struct vcpu *v, const struct bt_source *s);

#endif
