/* SPDX-License-Identifier: MIT */
/* map_guest.h - selectors that map_guest.c and map_start.S share. */
#ifndef RING1_TESTS_FUZZ_MAP_GUEST_H
#define RING1_TESTS_FUZZ_MAP_GUEST_H

#define SEL_CODE  0x08
#define SEL_DATA  0x10
#define SEL_UCODE 0x1b
#define SEL_UDATA 0x23
#define SEL_TSS   0x28
#define SEL_DF    0x30

#define STACK 8192 /* bytes of each */

#endif
