/* SPDX-License-Identifier: MIT */
/*
 * native_judge.h - between native.c, which runs cases on the CPU, and native_rules.c and
 * native_vendor.c, which know where the CPU may differ. tests/user/judge.c asks native_vendor.c,
 * too, and has a native_frame_of() of its own.
 *
 * A unit is one instruction of a case, or the end of one: both judges begin it in the same state,
 * and the guest goes on behind it or ends there with an exception.
 */
#ifndef RING1_TESTS_BT_NATIVE_JUDGE_H
#define RING1_TESTS_BT_NATIVE_JUDGE_H

#include "tests/bt/bt_random.h"
#include "tests/bt/native.h"

#define NO_VECTOR 0xffu /* the CPU did not come to an end */

/* The guest between two instructions, or at its end: then as the kernel's stack has it. */
struct snapshot {
    struct native_state s;
    uint32_t base[SEG_COUNT];
    uint8_t ram[RAM_BYTES];
};

struct unit {
    const struct bt_case *c;
    const struct snapshot *before, *after;
    uint32_t vector, error, cr2; /* the guest's; vector NATIVE_STOPPED: it goes on */
    const struct native_io *io;  /* the CPU's */
    const uint8_t *ram;          /* the CPU's */
    bool have_insn;              /* else the bytes are none to the decoder, or out of reach */
    struct insn i;
};

/* What of a unit need not be the same. */
struct allowance {
    bool everything, vector, error, cr2, eip, fpu, xmm;
    bool mmx; /* the CPU has turned to MMX: TOP = 0, and perhaps no empty register */
    uint32_t gpr, seg, eflags; /* bits; gpr and seg by number */
    struct {
        uint32_t at, bytes; /* linear; a page may be mapped twice */
    } ram[3];
};

#define VENDOR_RAM 2 /* the one of ram[] that vendor_differs() fills */

uint32_t native_frame_of(const struct native_io *io, uint32_t at);

/* Its memory operand, or NULL; that one's offset in its segment; its linear address.
 * (native_unit.c) */
const struct operand *unit_memory(const struct unit *u);
uint32_t unit_offset(const struct unit *u);
uint32_t unit_address(const struct unit *u);

/* Is it an instruction that CPUs of the judge's vendor do otherwise than Intel's, and was that to
 * be seen? *a is what of it, or nothing. (native_vendor.c) */
bool vendor_differs(const struct unit *u, struct allowance *a);
/* Can it be? False where the judge is Intel's. */
bool vendor_judges(void);

/* The rule that excuses what the unit does differently by *a; the caller tries the next one when
 * more differs than that. NULL: none from *next on. */
const char *rule_next(const struct unit *u, unsigned *next, struct allowance *a);
void rule_count(unsigned n);
void rule_totals(FILE *out);

/* May the CPU do this one otherwise only when it runs freely, not in single steps? */
bool rule_runs_freely(const struct unit *u, struct allowance *a);
/* ... by the rule of that name. */
extern const unsigned rule_freely;

#endif
