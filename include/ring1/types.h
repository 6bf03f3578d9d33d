/* SPDX-License-Identifier: MIT */
/*
 * types.h - the vocabulary that every layer shares. The bottom of the include graph.
 *
 * Names: gla_t guest linear, gpa_t guest physical address; ns_t guest time. `last` is inclusive,
 * `end` is exclusive.
 *
 * "SDM" everywhere is Intel's Software Developer's Manual, numbered as since its volume 3A has a
 * chapter 7 on user interrupts: task switches are chapter 8 there, reset 10, the local APIC 11;
 * in volume 3B debugging is chapter 18 and the 8086 modes 21. In older editions these five are 7,
 * 9, 10, 17 and 20.
 */
#ifndef RING1_TYPES_H
#define RING1_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/ring1/x86.h"

typedef uint32_t gla_t; /* guest linear address */
typedef uint64_t gpa_t; /* guest physical address; up to 36 bits under PAE */
typedef uint64_t ns_t;  /* nanoseconds of guest time since the VM was created */

#define NS_NEVER   ((ns_t)UINT64_MAX)
#define NS_PER_SEC 1000000000ull

#define GUEST_PAGE_SHIFT 12
#define GUEST_PAGE_SIZE  4096u
#define GUEST_PAGE_MASK  4095u

#define likely(x)    __builtin_expect(!!(x), 1)
#define unlikely(x)  __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Stops with a dump, for a bug of ours, never for anything that a guest did. It stays on in release
 * builds. The core owns no way to print, so it executes UD2 with file, line and text in rdi, rsi,
 * rdx; the host's trap handler recognises that and reports. */
static inline _Noreturn void vmm_panic(const char *file, int line, const char *what)
{
    __asm__ volatile("ud2" : : "D"(file), "S"((long)line), "d"(what));
    __builtin_unreachable();
}
#define VMM_CHECK(cond)                                                                            \
    do {                                                                                           \
        if (unlikely(!(cond)))                                                                     \
            vmm_panic(__FILE__, __LINE__, #cond);                                                  \
    } while (0)

#endif
