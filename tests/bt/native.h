/* SPDX-License-Identifier: MIT */
/*
 * native.h - the memory that bt-random and its 32-bit companion share: the guest's RAM, and behind
 * it a struct native_io.
 *
 * Protocol   bt-random fills RAM and `in` and writes a byte to NATIVE_GO; the companion runs the
 *            case, fills `out` and writes a byte to NATIVE_DONE.
 */
#ifndef RING1_TESTS_BT_NATIVE_H
#define RING1_TESTS_BT_NATIVE_H

#include <stdint.h>

#define NATIVE_RAM  0x40000u /* bytes of RAM; linear addresses below NATIVE_FROM are not mapped */
#define NATIVE_FROM 0x10000u /* where Debian lets mappings begin */
#define NATIVE_MEM  3        /* file descriptors */
#define NATIVE_GO   4
#define NATIVE_DONE 5

/* The companion itself: bt-random must not complain of guest accesses there. */
#define NATIVE_IMAGE     0x6ab00000u
#define NATIVE_IMAGE_END 0x6ab40000u

/* Selectors of a Linux process; those from FS_BASED on are set_thread_area()'s. */
#define NATIVE_CODE  0x23u
#define NATIVE_DATA  0x2bu
#define NATIVE_BASED 0x63u /* base 0x20000, 4 GiB */
#define NATIVE_SMALL 0x6bu /* base 0x20000, limit 0x1fff */
#define NATIVE_DOWN  0x73u /* base 0x20000, expand-down, limit 0x0fff */
#define NATIVE_BASE  0x20000u

enum { NATIVE_RWX, NATIVE_RW, NATIVE_RX, NATIVE_NONE };

struct native_state {
    uint32_t gpr[8]; /* in the order of their encoding */
    uint32_t eip, eflags;
    uint16_t seg[6]; /* ES CS SS DS FS GS */
    uint8_t fx[512];
};

struct native_io {
    uint8_t rights[NATIVE_RAM >> 12]; /* of each linear page, enum above; set before each case */
    uint8_t frame[NATIVE_RAM >> 12];  /* the page of RAM behind it; only read at the start */
    uint32_t high;                    /* page of RAM behind linear 0x80000000 */
    struct native_state in, out;
    uint32_t vector, error, cr2, signal;
};

#endif
