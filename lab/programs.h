/* SPDX-License-Identifier: MIT */
/*
 * programs.h - where the micro-guests' things lie, for C and for programs.S; the programs.
 *
 * Invariant  Linear addresses are physical ones, and host addresses too where the code runs
 *            directly. Selectors of the micro-guest are none that mean the same in Linux' GDT.
 */
#ifndef RING1_LAB_PROGRAMS_H
#define RING1_LAB_PROGRAMS_H

#define LAB_CODE     0x00500000 /* the program */
#define LAB_DATA     0x00501000 /* what it stores */
#define LAB_STACK    0x00501c00 /* the top of its stack, in the same page */
#define LAB_GDT      0x00502000
#define LAB_IDT      0x00502800 /* 256 gates, to the page's end */
#define LAB_TSS      0x00503000
#define LAB_HARD_GDT 0x00503800 /* the machine's, in which the kernel is deprivileged to ring 1 */
#define LAB_HANDLERS 0x00504000 /* 16 bytes each */
#define LAB_PAGES    5          /* MICRO_BYTES */

#define LAB_SEL_CODE      0x08
#define LAB_SEL_DATA      0x10
#define LAB_SEL_USER_CODE 0x18
#define LAB_SEL_USER_DATA 0x20
#define LAB_SEL_TSS       0x28
#define LAB_SEL_BASED     0x38 /* data with base LAB_DATA */
#define LAB_SEL_SPARE     0x40 /* data that was never accessed */
#define LAB_SEL_LDT       0x48
#define LAB_GDT_LIMIT     0x4f
#define LAB_SEL_FOREIGN   0x2b /* here a TSS's, in Linux the data segment of programs */
#define LAB_SEL_FOREIGN_CODE                                                                       \
    0x23 /* here a data segment of programs, in Linux their 32-bit code segment */

/* Of the guest with paging (shadow.c). */
#define SHADOW_DIR       0x00700000
#define SHADOW_TABLE     0x00701000
#define SHADOW_PAGE      0x00740000
#define SHADOW_LATE      0x00780000
#define SHADOW_OTHER     0x007a0000 /* where the page's entry leads later */
#define SHADOW_PTE(page) (SHADOW_TABLE + ((page) >> 12 & 0x3ff) * 4)

#ifndef __ASSEMBLER__
#include "lab/holes.h"

struct program {
    const uint8_t *code, *at, *end; /* `at`: the instruction that it is about */
    uint32_t want, mask;
    uint32_t esi; /* at its beginning */
    bool wants_if;
};

/* Indexed by enum hole_id: every row has a program. */
extern const struct program programs[HOLE_COUNT];
#endif

#endif
