/* SPDX-License-Identifier: MIT */
/*
 * user.h - shared by all files of the user-level instruction test, C and assembly.
 *
 * One ELF file is three things: a static Linux program for the host CPU, the same under qemu-i386,
 * and a multiboot kernel that runs the test at CPL 3. Addresses, selectors, registers and flags are
 * the same in all three, so the printed results must be.
 */
#ifndef TESTS_USER_USER_H
#define TESTS_USER_USER_H

#include "map.h"

/* How an instruction ended. */
#define PATH_NEXT  0 /* at the next instruction */
#define PATH_TAKEN 1 /* at the branch target */
#define PATH_FAULT 2

#define EFL_CF 0x001u
#define EFL_TF 0x100u
#define EFL_DF 0x400u
#define EFL_AC 0x40000u
#define EFL_ID 0x200000u

#define MB_HANDOVER 0x2badb002
#define FX_LEN      512

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The registers in POPAD's order; esp_slot is what POPAD skips. enter.S knows the layout. */
struct regs {
    uint32_t edi, esi, ebp, esp_slot, ebx, edx, ecx, eax;
    uint32_t eflags, esp;
};
enum { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };

extern struct regs in, out;
extern uint32_t out_seg[4]; /* DS ES FS GS */
extern uint32_t out_path, use_fx, code_ptr, sel_fs, sel_gs;
extern struct {
    uint32_t vector, error, cr2, eip;
} fault;
extern uint8_t in_fx[FX_LEN], out_fx[FX_LEN];
extern char cmdline[4096];

/* enter.S */
void enter_case(void); /* in, in_fx -> out, out_fx, out_seg, out_path, fault */
extern const char exit_next[], exit_taken[], exit_fault[];
uint32_t syscall3(uint32_t number, uint32_t a, uint32_t b, uint32_t c);
uint32_t syscall6(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e);

/* ---- one form and one encoding of it ---- */

#define F_V       0x00001u /* also with the prefix 66 */
#define F_FX      0x00002u /* x87, MMX or SSE state matters */
#define F_STACK   0x00004u /* uses the stack */
#define F_STR     0x00008u /* ESI, EDI, ECX as a string instruction wants them */
#define F_REP     0x00010u /* and REP prefixes */
#define F_LOCK    0x00020u /* LOCK is legal for a memory destination */
#define F_DIV     0x00040u /* EDX:EAX such that quotients often fit */
#define F_BT      0x00080u /* the bit offset in the reg operand is mostly small */
#define F_SEL     0x00100u /* the operand is a selector */
#define F_SS      0x00200u /* for SS: no selector that would change it */
#define F_FAR     0x00400u /* the operand is a far pointer */
#define F_BR      0x00800u /* an indirect branch: the operand is the target */
#define F_RET     0x01000u /* the target is on top of the stack */
#define F_BIG     0x02000u /* a large memory operand */
#define F_ENV     0x04000u /* stores x87 pointers */
#define F_LOOP    0x08000u /* ECX small */
#define F_SHIFT   0x10000u /* counts mostly small */
#define F_ALONE   0x20000u /* not in random sequences */
#define F_XLAT    0x40000u
#define F_ALIGN   0x80000u  /* memory operands mostly aligned on 16 bytes */
#define F_MANY    0x200000u /* a random sequence */
#define F_PARTIAL 0x100000u /* a fault leaves part of the work done */

struct form {
    char name[40]; /* mnemonic:spec; "~" before it: with the prefix 66 */
    char spec[28]; /* as in the SDM; the tokens are in encode.c */
    uint32_t flags;
};

#define NO_REG 0xffu
struct enc { /* an encoded instruction, and what its memory operand asks of the registers */
    uint8_t bytes[24];
    unsigned len;
    bool has_mem, a16;
    uint8_t reg, rm; /* ModRM fields; rm is NO_REG for memory */
    bool fixed;      /* the address does not depend on `base`: target says where it is */
    uint8_t base, index, scale, seg; /* seg: the prefix, or 0 */
    uint32_t disp, seg_base;
    uint32_t pin_mask, pin[8]; /* registers with a value that the address depends on */
    uint32_t target;
    unsigned opsize;
};

/* encode.c */
void encode(const struct form *f, struct enc *e, bool absolute);
uint32_t target_choose(uint32_t flags);

/* state.c */
extern uint32_t rnd_state;
/* For qemu-i386: no #AC, no prefixes and operands that fault; which fault is not compared. */
extern bool plain;
/* This CPU's MXCSR_MASK may have AMD's MM (bit 17). */
extern bool has_mm;
uint32_t rnd(void);
uint32_t rnd_below(uint32_t n);
uint32_t value(void);
void state_make(const struct form *f, struct enc *e);
void state_hash(uint32_t h[2], const struct form *f, const struct enc *e);

/* forms.c */
#define FORMS_MAX 1600
extern struct form forms[FORMS_MAX];
extern unsigned form_count;
void forms_make(void);
void form_add(const char *name, const char *spec, uint32_t flags);
void forms_fpu_make(void);

/* main.c */
const char *option_word(const char *name); /* the value of "name=", or NULL */

/* print.c */
void print(const char *s);
void print_hex(uint32_t v, unsigned digits);
void print_flush(void);
/* The last instruction begins `skip` bytes into the code. */
void print_case(const char *name, uint32_t number, const struct enc *e, uint32_t flags,
                unsigned skip);

void *memset(void *p, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
size_t text_len(const char *s);

static inline uint32_t get32(uint32_t at)
{
    return *(volatile uint32_t *)at;
}
static inline void put32(uint32_t at, uint32_t v)
{
    *(volatile uint32_t *)at = v;
}
static inline void put16(uint32_t at, uint16_t v)
{
    *(volatile uint16_t *)at = v;
}

static inline uint32_t reg_get(const struct regs *r, unsigned n)
{
    return n == ESP ? r->esp : (&r->edi)[7 - n];
}
static inline void reg_set(struct regs *r, unsigned n, uint32_t v)
{
    if (n == ESP)
        r->esp = v;
    else
        (&r->edi)[7 - n] = v;
}
#endif
#endif
