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

typedef uint32_t gla_t; /* guest linear address */
typedef uint64_t gpa_t; /* guest physical address; up to 36 bits under PAE */
typedef uint64_t ns_t;  /* nanoseconds of guest time since the VM was created */

#define NS_NEVER   ((ns_t)UINT64_MAX)
#define NS_PER_SEC 1000000000ull

#define GUEST_PAGE_SHIFT 12
#define GUEST_PAGE_SIZE  4096u
#define GUEST_PAGE_MASK  4095u

/* General registers, numbered as ModRM encodes them (SDM vol. 2A, table 2-2). */
enum gpr_id { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI, GPR_COUNT };

/* Segment registers, numbered as MOV Sreg encodes them (SDM vol. 2A, table 2-2 note). */
enum seg_id { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

/* Exception vectors (SDM vol. 3A, table 6-1). */
enum vector {
    VEC_DE = 0,
    VEC_DB = 1,
    VEC_NMI = 2,
    VEC_BP = 3,
    VEC_OF = 4,
    VEC_BR = 5,
    VEC_UD = 6,
    VEC_NM = 7,
    VEC_DF = 8,
    VEC_TS = 10,
    VEC_NP = 11,
    VEC_SS = 12,
    VEC_GP = 13,
    VEC_PF = 14,
    VEC_MF = 16,
    VEC_AC = 17,
    VEC_MC = 18,
    VEC_XM = 19,
};

/* EFLAGS (SDM vol. 1, section 3.4.3). */
#define EFL_CF         (1u << 0)
#define EFL_FIXED1     (1u << 1)
#define EFL_PF         (1u << 2)
#define EFL_AF         (1u << 4)
#define EFL_ZF         (1u << 6)
#define EFL_SF         (1u << 7)
#define EFL_TF         (1u << 8)
#define EFL_IF         (1u << 9)
#define EFL_DF         (1u << 10)
#define EFL_OF         (1u << 11)
#define EFL_IOPL       (3u << 12)
#define EFL_IOPL_SHIFT 12
#define EFL_NT         (1u << 14)
#define EFL_RF         (1u << 16)
#define EFL_VM         (1u << 17)
#define EFL_AC         (1u << 18)
#define EFL_VIF        (1u << 19)
#define EFL_VIP        (1u << 20)
#define EFL_ID         (1u << 21)
#define EFL_ARITH      (EFL_CF | EFL_PF | EFL_AF | EFL_ZF | EFL_SF | EFL_OF)

/* Control registers (SDM vol. 3A, section 2.5). */
#define CR0_PE         (1u << 0)
#define CR0_MP         (1u << 1)
#define CR0_EM         (1u << 2)
#define CR0_TS         (1u << 3)
#define CR0_ET         (1u << 4)
#define CR0_NE         (1u << 5)
#define CR0_WP         (1u << 16)
#define CR0_AM         (1u << 18)
#define CR0_NW         (1u << 29)
#define CR0_CD         (1u << 30)
#define CR0_PG         (1u << 31)
#define CR4_VME        (1u << 0)
#define CR4_PVI        (1u << 1)
#define CR4_TSD        (1u << 2)
#define CR4_DE         (1u << 3)
#define CR4_PSE        (1u << 4)
#define CR4_PAE        (1u << 5)
#define CR4_MCE        (1u << 6)
#define CR4_PGE        (1u << 7)
#define CR4_PCE        (1u << 8)
#define CR4_OSFXSR     (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP       (1u << 11)
#define CR4_SMEP       (1u << 20)
#define CR4_SMAP       (1u << 21)

#define likely(x)    __builtin_expect(!!(x), 1)
#define unlikely(x)  __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Our bug, never the guest's doing: stop with a dump. Stays on in release builds. The core owns no
 * way to print: UD2 with file, line and text in rdi, rsi, rdx; the host's trap handler recognises
 * it and reports. */
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
