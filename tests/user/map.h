/* SPDX-License-Identifier: MIT */
/* map.h - linear addresses and selectors of a case; for user.elf, and for judge.c on the host. */
#ifndef RING1_TESTS_USER_MAP_H
#define RING1_TESTS_USER_MAP_H

/* The memory map; everything else is unmapped, under Linux too (setup.c). */
#define CODE      0x00800000 /* instructions under test: readable, writable, executable */
#define CODE_LEN  0x4000
#define DATA      0x00900000 /* read-write, then one read-only page */
#define DATA_LEN  0x10000
#define DATA_END  (DATA + DATA_LEN)
#define RO_END    (DATA_END + 0x1000)
#define WIN       (DATA + 0x8000) /* where most memory operands are */
#define WIN_LEN   128
#define BIG_LEN   1024
#define STK       (DATA + 0xc000) /* ESP of most cases */
#define STK_BELOW 224
#define STK_ABOVE 32
#define EDGE_LEN  64 /* the last bytes before the read-only page */

/* Selectors are Linux's. FS: 4 GiB from an odd base; GS: 64 KiB from DATA, for 16-bit addresses. */
#define SEL_UCODE 0x23
#define SEL_UDATA 0x2b
#define SEL_FS    0x63
#define SEL_GS    0x6b
#define FS_BASE   0x00123456

#endif
