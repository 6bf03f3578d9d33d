/* SPDX-License-Identifier: MIT */
/* mem.h - the four functions that a freestanding compiler may call anyway; every host provides
 * them. */
#ifndef RING1_MEM_H
#define RING1_MEM_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);

/* -ffreestanding turns the names into ordinary functions; a copy of a few bytes must still become a
 * plain move. */
#if !__STDC_HOSTED__
#define memcpy(to, from, len)  __builtin_memcpy(to, from, len)
#define memmove(to, from, len) __builtin_memmove(to, from, len)
#define memset(to, byte, len)  __builtin_memset(to, byte, len)
#define memcmp(a, b, len)      __builtin_memcmp(a, b, len)
#endif

#endif
