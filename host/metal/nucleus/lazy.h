/* SPDX-License-Identifier: MIT */
/*
 * lazy.h - memory that comes when it is touched.
 *
 * Promises   A region reads as zeroes until it is written, and takes memory for the pages touched
 *            only. A second view of a region shows the same bytes.
 * Writer     The nucleus (CPL 0), with interrupts off; lazy_fault() from the page fault's handler.
 */
#ifndef RING1_HOST_METAL_LAZY_H
#define RING1_HOST_METAL_LAZY_H

#include "include/ring1/types.h"

enum lazy_kind {
    LAZY_ZERO,   /* zeroes that may be written */
    LAZY_VIEW,   /* executable and not writable: what the region at `of` holds */
    LAZY_SPARSE, /* zeroes; only what lazy_open() opened may be written */
};

/* Adds the region [va, va + len) of whole pages. of: of LAZY_VIEW, the first byte of the region
 * shown. Returns false when there are too many. */
bool lazy_add(uint64_t va, uint64_t len, enum lazy_kind kind, uint64_t of);

/* There are no regions any more. The caller has unmapped what they were. */
void lazy_forget(void);

/* Of a LAZY_SPARSE region: [at, at + len) of whole pages may be written from now on. 0 or -12. */
int lazy_open(uint64_t at, uint64_t len);
/* Open pages become zeroes and stay open. */
void lazy_drop(uint64_t at, uint64_t len);
/* Nothing of [at, at + len) is open or takes memory any more. */
void lazy_clear(uint64_t at, uint64_t len);

/* A page fault at va. Returns true when the access may be tried again. */
bool lazy_fault(uint64_t va, bool write);

#endif
