/* SPDX-License-Identifier: MIT */
/*
 * native.h - the memory that bt-random and its 32-bit companion share: the guest's RAM, and behind
 * it a struct native_io.
 *
 * Protocol   bt-random fills RAM and `in` and writes a byte to NATIVE_GO; the companion runs the
 *            case, fills `out` and writes a byte to NATIVE_DONE. With `steps` it stops after so
 *            many instructions; `step` tells it what is special about each.
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
#define NATIVE_IO_BYTES  0x12000u /* of a struct native_io, behind RAM and at the image's end */

/* Selectors of a Linux process; those from FS_BASED on are set_thread_area()'s. */
#define NATIVE_CODE  0x23u
#define NATIVE_DATA  0x2bu
#define NATIVE_BASED 0x63u /* base 0x20000, 4 GiB */
#define NATIVE_SMALL 0x6bu /* base 0x20000, limit 0x1fff */
#define NATIVE_DOWN  0x73u /* base 0x20000, expand-down, limit 0x0fff */
#define NATIVE_BASE  0x20000u

#define NATIVE_STEPS   0x10000u
#define NATIVE_STOPPED 0xfeu /* vector: after `steps` instructions */
/* A REP string traps after each iteration; PUSHF stores the TF that single steps need; behind MOV
 * SS there is no trap. */
enum { STEP_REP = 1, STEP_PUSHF = 2, STEP_SHADOW = 4 };

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
    uint32_t steps; /* 0: until it ends */
    uint8_t step[NATIVE_STEPS];
};

static inline uint32_t native_segment_base(uint16_t sel)
{
    return sel == NATIVE_BASED || sel == NATIVE_SMALL || sel == NATIVE_DOWN ? NATIVE_BASE : 0;
}

#endif
