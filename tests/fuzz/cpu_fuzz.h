/* SPDX-License-Identifier: MIT */
/* cpu_fuzz.h - what the files of the CPU fuzzer share: the guest's memory map and its makers. */
#ifndef RING1_TESTS_CPU_FUZZ_H
#define RING1_TESTS_CPU_FUZZ_H

#include "monitor/cpu/vm.h"

#define RAM_BYTES (4u << 20)
#define GDT_AT    0x1000u
#define IDT_AT    0x2000u
#define LDT_AT    0x3000u
#define TSS_AT    0x4000u /* several, 0x100 apart */
#define PD_AT     0x8000u
#define PDPT_AT   0x9000u
#define PT_AT     0xa000u /* 0xa000 to 0xdfff */
#define CODE_AT   0x10000u
#define CODE_LEN  0x8000u
#define STACK_AT  0x28000u
#define DATA_AT   0x30000u

/* Selectors with known descriptors; the others of the table are random. */
#define SEL_CODE32   0x08u
#define SEL_DATA32   0x10u
#define SEL_CODE32_3 0x1bu
#define SEL_DATA32_3 0x23u
#define SEL_TSS      0x28u
#define SEL_LDT      0x30u
#define SEL_CODE16   0x38u
#define SEL_DATA16   0x40u
#define SEL_CODE16_3 0x4bu
#define SEL_DATA16_3 0x53u
#define SEL_CONF     0x58u
#define SEL_TSS2     0x60u
#define SEL_TSS16    0x68u
#define SEL_GATE     0x73u
#define SEL_TASK     0x7bu

uint16_t some_selector(void);
uint32_t some_code(void);    /* an address in the code area */
uint32_t some_address(void); /* in RAM mostly */

/* cpu_code.c: fills the code area. */
void code_make(uint8_t *ram);
/* Up to 16 bytes of one instruction, maybe with set-up before it; returns the length. */
unsigned code_insn(uint8_t *out);

/* cpu_state.c: tables in RAM, then registers, after vcpu_reset(). */
void tables_make(uint8_t *ram);
void state_make(struct vcpu *v);
/* What vcpu.h promises about the state between instructions; NULL, or what is wrong. */
const char *state_wrong(const struct vcpu *v);

#endif
