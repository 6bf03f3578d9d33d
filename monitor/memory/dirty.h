/* SPDX-License-Identifier: MIT */
/*
 * dirty.h - the dirty-page log: which guest-physical pages were written since somebody last asked.
 *
 * How        A page that is watched carries PAGE_LOGGED, like a code page: it is writable in no TLB
 *            and no window, so its first write takes the slow path, which notes it and takes the
 *            mark off. From then on the page is written at full speed.
 * Promises   Every change of guest RAM is noted: by instructions, by the walker (A and D bits), by
 *            DMA (whoever calls vm_ram_written()). Reads are not.
 * Regions    They have logs of their own, with the same mark (region.h).
 * Use        Snapshots and migration copy everything, then again what is dirty, until little is
 *            left.
 * Writer     The thread that runs the vCPU, between two calls of vcpu_run().
 */
#ifndef RING1_MONITOR_MEMORY_DIRTY_H
#define RING1_MONITOR_MEMORY_DIRTY_H

#include "include/ring1/types.h"

struct vm;

/* 64-bit words of a bitmap with one bit for each page of guest RAM. */
size_t dirty_log_words(const struct vm *vm);

/* Starts the log with all pages clean. `bitmap` has dirty_log_words() words; it belongs to the log
 * until dirty_log_stop(). */
void dirty_log_start(struct vm *vm, uint64_t *bitmap);
void dirty_log_stop(struct vm *vm);

/* Moves the log to `out` (bit n: page n was written) and watches those pages again. Returns how
 * many they are. */
unsigned dirty_log_collect(struct vm *vm, uint64_t *out);

/* From now on dirty_log_note() is called for pages that carry PAGE_LOGGED. For region.c. */
void dirty_log_listen(struct vm *vm);

/* Notes a page of RAM or of a region that changed without a store that the log could see. */
void dirty_log_note(struct vm *vm, gpa_t page);

#endif
