/* SPDX-License-Identifier: MIT */
/*
 * bt_random.h - what the parts of bt-random share: the random case, the map of its machine, and the
 * functions between them.
 *
 * A case is made from its seed alone. It is a sequence of instructions at some place in guest
 * memory, a mode and a state to start from; it ends with HLT, in the code itself or in an
 * exception's handler.
 */
#ifndef RING1_TESTS_BT_BT_RANDOM_H
#define RING1_TESTS_BT_BT_RANDOM_H

#include "tests/rig/bt_rig.h"

#include "tests/fuzz/fuzz_random.h"

#define RAM_BYTES 0x40000u

/* Guest-physical pages; linear addresses are the same unless said otherwise (paging.c). */
#define GDT_AT     0x01000u
#define IDT_AT     0x02000u
#define TSS_AT     0x03000u
#define PD_AT      0x04000u
#define PT_AT      0x05000u
#define HANDLER_AT 0x06000u /* vector n's is at HANDLER_AT + 16 * n */
#define STACK0_AT  0x08000u /* end of the stack that CPL 3 enters the kernel with */
#define PT_HIGH_AT 0x09000u
#define PD_LOW_AT  0x0a000u /* with PAE; PD_AT holds the PDPT then */
#define PD_HIGH_AT 0x0b000u
#define PD_TOP_AT  0x0c000u
#define TABLES_END 0x0d000u
#define CODE_AT    0x10000u
#define CODE_BYTES 0x04000u
#define DATA_AT    0x20000u
#define DATA_BYTES 0x08000u
#define ODD_AT     0x28000u /* pages with other rights, aliases; see paging.c */
#define ODD_BYTES  0x08000u
#define STACK_AT   0x30000u
#define STACK_END  0x34000u
#define HIGH_AT    0x34000u /* physical; linear 0xfffff000, 0x80000000... */
#define NULL_AT    0x35000u /* physical; linear 0 */
/* A table of pointers to the case's instructions, and the counter of the loop around them. */
#define POINTERS_AT (DATA_AT + 0x3000u)
#define POINTERS    64u
#define COUNTER_AT  (DATA_AT + 0x3100u)

enum selector {
    SEL_CODE0 = 0x08,
    SEL_DATA0 = 0x10,
    SEL_CODE3 = 0x1b,
    SEL_DATA3 = 0x23,
    SEL_TSS = 0x28,
    SEL_BASED0 = 0x30, /* base DATA_AT, 4 GiB */
    SEL_BASED3 = 0x3b,
    SEL_SMALL0 = 0x40, /* base DATA_AT, limit 0x1fff */
    SEL_SMALL3 = 0x4b,
    SEL_STACK16_0 = 0x50, /* base STACK_AT, 64 KiB, B = 0 */
    SEL_STACK16_3 = 0x5b,
    SEL_DOWN3 = 0x63,  /* expand-down */
    SEL_READ3 = 0x6b,  /* read-only */
    SEL_EXEC3 = 0x73,  /* execute-only code */
    SEL_CONF = 0x78,   /* conforming code */
    SEL_GATE3 = 0x83,  /* call gate to a HLT */
    SEL_ABSENT = 0x88, /* not present */
    SEL_LOW0 = 0x90,   /* flat, limit 0x2ffff: below that it behaves like a flat one */
    SEL_LOW3 = 0x9b,
    SEL_CODE16_0 = 0xa0, /* 16-bit code, base CODE_AT, 64 KiB */
    SEL_CODE16_3 = 0xab,
    SEL_END = 0xb0,
};

/* ---- the rows of decoder/isa.def ---- */

#define ROW_ANY 0xff
enum row_prefix { RP_NP, RP_NF, RP_P66, RP_PF3, RP_PF2, RP_ANY };
enum row_mod { RM_ANY, RM_MEM, RM_REG };

struct row {
    uint16_t op;
    uint8_t map, first, last, prefix, mod, reg, rm, cls;
    const char *form;
};

#define INSN(op, map, first, last, prefix, mod, reg, rm, form, cls, feature, note) +1
enum {
    ROW_COUNT = 0
#include "decoder/isa.def"
};
#undef INSN
extern const struct row rows[ROW_COUNT];

/* coverage.c: lists the forms of rows that are not among `count` cases from `seed` on. */
void coverage(uint64_t seed, uint64_t count, const struct decoder *d, FILE *out);

/* ---- a case ---- */

#define CASE_INSNS 96u

/* One instruction; its operands that depend on the place of others are filled in by
 * case_layout(). */
struct case_insn {
    uint8_t bytes[16];
    uint8_t len;
    uint8_t fix_at, fix_size; /* field that names another instruction; size 0: none */
    bool fix_absolute;        /* its address rather than the distance to it */
    uint8_t fix_to;           /* index of that instruction */
    bool fix_in16;            /* ... relative to a 16-bit segment's base, CODE_AT */
    bool code16;              /* it lies in a 16-bit stretch */
    bool dropped;             /* replaced by NOPs */
};

struct bt_case {
    uint64_t seed;
    unsigned count;
    struct case_insn insn[CASE_INSNS];
    uint32_t at;                    /* linear address of the first */
    uint32_t where[CASE_INSNS + 1]; /* linear address of each; behind the last: HLT */
    /* Mode. */
    unsigned cpl;
    bool paging, stack16;
    bool native;       /* as in a Linux process, so that the CPU itself can run it: native.c */
    bool pae, nx;      /* PAE paging; pages without the right to execute */
    bool kernel_pages; /* most pages are the supervisor's, so that SMEP and SMAP have a meaning */
    bool tame;         /* few faults */
    uint32_t cr0, cr4, eflags;
    uint16_t sel[SEG_COUNT];
    uint32_t gpr[GPR_COUNT];
    uint8_t loops;             /* times the whole sequence runs; 1: no loop around it */
    uint8_t fpu[512];          /* FXSAVE image; MXCSR_MASK is filled in later */
    uint64_t ram_seed;         /* of what data pages hold */
    struct bt_options options; /* the same for all cases of a batch */
};

#define BATCH 64u /* cases with the same options, one after the other on one translator */

/* gen.c: instructions, registers and the place. */
void case_make(struct bt_case *c, uint64_t seed, const struct decoder *d);
void case_layout(struct bt_case *c);
bool gen_excluded(unsigned op);
/* May it occur in a case that the CPU itself runs, too? */
bool native_able(const struct insn *i);
/* Is its memory operand, if any, accessed with a bus lock? */
bool native_locks(const struct insn *i);

/* paging.c */
struct native_io;
void paging_image(const struct bt_case *c, uint8_t *ram);
void paging_native(const struct bt_case *c, struct native_io *io);
void paging_native_frames(struct native_io *io);
bool paging_native_agrees(struct native_io *io);

/* state.c: from a case to the state of a rig. `image` is RAM as it must be at the start. */
void state_mode(struct bt_case *c);
void state_image(const struct bt_case *c, uint8_t *image);
void state_apply(const struct bt_case *c, const uint8_t *image, struct bt_rig *r);

/* native.c: the CPU itself, by way of the program at `path`. False: not on this host. */
bool native_start(const char *path, unsigned (*run)(struct bt_rig *r));
/* Runs the case that r->cpu has just run interpreted; lines of what differs into out (may be NULL).
 * Returns how many differences there are that no rule excuses. */
unsigned native_compare(const struct bt_case *c, const uint8_t *image, struct bt_rig *r, FILE *out);
void native_totals(FILE *out);

/* compare.c */
/* Lines of what differs into out (may be NULL); returns how many differences there are. */
unsigned compare(struct bt_rig *a, struct bt_rig *b, FILE *out);
void case_print(const struct bt_case *c, const struct decoder *d, FILE *out);

#endif
