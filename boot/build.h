/* SPDX-License-Identifier: MIT */
/*
 * build.h - builds a PC with one CPU from the memory and the wires that a host gives: which part
 * comes after which is said here, once for all hosts.
 *
 * Use        Fill in struct machine_parts, then vm_build(), then boot_start() (boot.h).
 * Promises   Allocates nothing and keeps no pointer to *parts. Everything that parts point to stays
 *            the caller's, who keeps it as long as the VM lives.
 * Not here   Where memory comes from, and how much (interp_size(), window_size(), bt_size(),
 *            direct_size(), pc_size()); what is at the other end of a back end (the host).
 */
#ifndef RING1_BOOT_BUILD_H
#define RING1_BOOT_BUILD_H

#include "bt/cache/options.h"
#include "devices/vga.h"
#include "direct/direct.h"
#include "monitor/run/assemble.h"
#include "monitor/run/lockstep.h"

struct boot;

#define VIDEO_PAGES (VGA_MEMORY >> GUEST_PAGE_SHIFT)
#define BANK_PAGES  16u

/* A graphics card's memory, a region of kind frame buffer with its log, and the bank at 0xa0000,
 * which is a view of it. Zeroed; the host fills in the first part. */
struct machine_video {
    uint8_t *bytes; /* VGA_MEMORY bytes, zeroed */
    uint64_t at;    /* where the host finds them for windows */
    uint8_t *twin;  /* with lockstep: as many for the shadow */

    struct region frame, bank, frame_twin, bank_twin;
    uint8_t frame_page[VIDEO_PAGES], bank_page[BANK_PAGES];
    uint8_t frame_twin_page[VIDEO_PAGES], bank_twin_page[BANK_PAGES];
    uint64_t log[VIDEO_PAGES / 64];
};

/* Memory is zeroed. An engine, or lockstep, whose memory is NULL is not there; the interpreter
 * always is. */
struct machine_parts {
    struct vm_parts vm;
    void *window; /* window_size() bytes: cpu_host has windows */
    void *bt;     /* bt_size() bytes */
    struct bt_options bt_options;
    void *direct; /* direct_size() bytes; needs window and bt */
    struct direct_options direct_options;
    struct lockstep *lockstep; /* needs bt */
    const struct lockstep_config *shadow;
    struct machine_video *video; /* NULL: there is no graphics card */
    struct pc *pc;               /* pc_size() bytes */
    const struct boot *boot;     /* what the board's firmware tables tell the guest of its kernel */
};

/* *vm becomes a VM of these parts with a PC's board. *board says what of the board is the host's
 * affair: the chips that are wanted and their back ends; vm_build() completes it. 0, or -1 with a
 * few words in *why. */
int vm_build(struct vm *vm, const struct machine_parts *parts, struct pc_config *board,
             const char **why);

#endif
