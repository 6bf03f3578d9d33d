/* SPDX-License-Identifier: MIT */
/*
 * cost_programs.S - the loops of cost.def, for the same machine as programs.S.
 *
 * IN         ESI: how often; the rest as in programs.S.
 */
#include "lab/programs.h"
	.intel_syntax noprefix
	.section .rodata
	.code32

	.set memory, LAB_DATA /* what stands in quotes sees no preprocessor */
	.set selector, LAB_SEL_DATA

	.macro cost name, body
	.balign 16
	.globl lab_cost_\name, lab_cost_end_\name
lab_cost_\name:
	mov ecx, LAB_SEL_DATA
1:	.rept 8
	\body
	.endr
	dec esi
	jnz 1b
	hlt
lab_cost_end_\name:
	.endm

	cost mov_cs, "mov eax, cs"
	cost pushpop, "pushfd; popfd"
	cost clisti, "cli; sti"
	cost mov_cr0, "mov eax, cr0"
	cost smsw, "smsw eax"
	cost sldt, "sldt eax"
	cost str, "str eax"
	cost sgdt, "sgdt [memory]"
	cost lar, "lar eax, ecx"
	cost verr, "verr cx"
	cost mov_es, "mov es, ecx"
	cost clts, "clts"
	cost mov_cr2, "mov cr2, eax"
	cost rdtsc, "rdtsc"
	cost cpuid, "cpuid"
	cost in, "in al, 0x21"

	.section .note.GNU-stack, "", @progbits
