/* SPDX-License-Identifier: MIT */
/*
 * programs.S - the micro-guests of programs.def: a kernel's few instructions around the one that each is about.
 *
 * IN         Ring 0 as the guest believes, flat segments, IF = 0, EBP = 0; programs.h says what lies where.
 * OUT        HLT ends it. EAX and IF are what it has seen.
 * Use        hole NAME ... at NAME, the instruction, ... over NAME. Code is copied to LAB_CODE; `here` gives an address there.
 */
#include "lab/programs.h"
	.intel_syntax noprefix
	.section .rodata
	.code32

	.macro hole name
	.balign 16
	.globl lab_\name, lab_at_\name, lab_end_\name
lab_\name:
	.endm
	.macro at name
lab_at_\name:
	.endm
	.macro over name
	hlt
lab_end_\name:
	.endm
#define here(label, name) LAB_CODE + label - lab_##name
#define GOOD 0x600d

	/* The flags */
	hole pushf
	at pushf
	pushfd
	pop eax
	over pushf

	hole popf
	mov eax, GOOD
	sti
	push 2
	at popf
	popfd
	over popf

	hole iret
	mov eax, GOOD
	sti
	push 2
	push cs
	push offset here(1f, iret)
	at iret
	iretd
1:	over iret

	hole cli
	mov eax, GOOD
	sti
	nop
	at cli
	cli
	over cli

	hole sti
	mov eax, GOOD
	at sti
	sti
	nop
	over sti

	/* What UMIP hides */
	hole sgdt
	at sgdt
	sgdt [LAB_DATA]
	mov eax, ds:[LAB_DATA + 2]
	over sgdt

	hole sidt
	at sidt
	sidt [LAB_DATA]
	mov eax, ds:[LAB_DATA + 2]
	over sidt

	hole sldt
	at sldt
	sldt eax
	over sldt

	hole str
	at str
	str eax
	over str

	hole smsw
	mov eax, cr0
	or eax, 8
	mov cr0, eax
	at smsw
	smsw eax
	over smsw

	/* Selectors and descriptors */
	hole push_seg
	at push_seg
	push cs
	pop eax
	over push_seg

	hole mov_seg_read
	at mov_seg_read
	mov eax, cs
	over mov_seg_read

	hole mov_seg_load
	mov eax, LAB_SEL_FOREIGN
	at mov_seg_load
	mov es, eax
	mov eax, GOOD
	over mov_seg_load

	hole mov_seg_hidden
	mov dword ptr ds:[LAB_DATA], GOOD
	mov dword ptr ds:[LAB_DATA + 0x100], 0xbad
	mov eax, LAB_SEL_BASED
	at mov_seg_hidden
	mov es, eax
	add word ptr ds:[LAB_GDT + LAB_SEL_BASED + 2], 0x100 /* the base in memory, not in the register */
	mov edx, cr0 /* a monitor traps this, and loads the segments again when it comes back */
	mov eax, es:[0]
	over mov_seg_hidden

	hole mov_seg_accessed
	mov eax, LAB_SEL_SPARE
	at mov_seg_accessed
	mov es, eax
	movzx eax, byte ptr ds:[LAB_GDT + LAB_SEL_SPARE + 5]
	and eax, 1
	over mov_seg_accessed

	hole mov_ss_shadow
	mov word ptr ds:[LAB_DATA], LAB_SEL_DATA
	mov eax, LAB_DATA
	mov dr0, eax
	mov eax, 0x000f0003 /* four bytes there, read or written */
	mov dr7, eax
	at mov_ss_shadow
	mov ss, word ptr ds:[LAB_DATA]
	add ebp, 0x10000
	add ebp, 0x10000
	mov eax, GOOD
	over mov_ss_shadow

	hole pop_seg
	push LAB_SEL_FOREIGN
	at pop_seg
	pop es
	mov eax, GOOD
	over pop_seg

	.macro load_pointer name
	hole \name
	mov dword ptr ds:[LAB_DATA], LAB_STACK
	mov word ptr ds:[LAB_DATA + 4], LAB_SEL_FOREIGN
	at \name
	\name edx, [LAB_DATA]
	mov eax, GOOD
	over \name
	.endm
	load_pointer lds
	load_pointer les
	load_pointer lfs
	load_pointer lgs
	load_pointer lss

	hole lar
	mov ecx, LAB_SEL_CODE
	xor eax, eax
	at lar
	lar eax, ecx
	over lar

	hole lsl
	mov ecx, LAB_SEL_DATA
	xor eax, eax
	at lsl
	lsl eax, ecx
	over lsl

	hole verr
	mov ecx, LAB_SEL_DATA
	xor eax, eax
	at verr
	verr cx
	setz al
	over verr

	hole verw
	mov ecx, LAB_SEL_DATA
	xor eax, eax
	at verw
	verw cx
	setz al
	over verw

	hole arpl
	mov ecx, cs
	xor eax, eax
	xor edx, edx
	at arpl
	arpl dx, cx
	setz al
	over arpl

	/* Transfers */
	hole call_far
	at call_far
	.byte 0x9a
	.long here(1f, call_far)
	.word LAB_SEL_FOREIGN_CODE
1:	mov eax, GOOD
	over call_far

	hole jmp_far
	at jmp_far
	.byte 0xea
	.long here(1f, jmp_far)
	.word LAB_SEL_FOREIGN_CODE
1:	mov eax, GOOD
	over jmp_far

	hole ret_far
	push LAB_SEL_FOREIGN_CODE
	push offset here(1f, ret_far)
	at ret_far
	retf
1:	mov eax, GOOD
	over ret_far

	hole int_n
	mov eax, -1 /* no system call of Linux */
	at int_n
	int 0x80
	over int_n

	hole int3
	at int3
	int3
	over int3

	hole into
	mov al, 0x7f
	add al, 1
	at into
	into
	over into

	hole int1
	at int1
	.byte 0xf1
	over int1

	hole sysenter
	mov eax, -1
	at sysenter
	sysenter
	over sysenter

	/* What tells of the machine */
	hole rdtsc
	mov ecx, 0x10
	xor eax, eax
	xor edx, edx
	wrmsr
	at rdtsc
	rdtsc
	mov eax, edx
	over rdtsc

	hole cpuid
	mov eax, 1
	at cpuid
	cpuid
	over cpuid

	hole rdpmc
	mov ecx, 0x12345678
	at rdpmc
	rdpmc
	over rdpmc

	/* Ports: the mask of the first 8259 */
	hole in
	mov al, 0x5a
	out 0x21, al
	xor eax, eax
	at in
	in al, 0x21
	over in

	hole out
	mov al, 0x5a
	at out
	out 0x21, al
	xor eax, eax
	in al, 0x21
	over out

	hole ins
	mov al, 0x5a
	out 0x21, al
	mov edx, 0x21
	mov edi, LAB_DATA
	at ins
	insb
	mov eax, ds:[LAB_DATA]
	over ins

	hole outs
	mov dword ptr ds:[LAB_DATA], 0x5a
	mov edx, 0x21
	mov esi, LAB_DATA
	at outs
	outsb
	xor eax, eax
	in al, 0x21
	over outs

	/* Privileged */
	hole hlt
	mov eax, GOOD
	at hlt
	over hlt

	hole lgdt
	mov word ptr ds:[LAB_DATA], LAB_SEL_BASED - 1
	mov dword ptr ds:[LAB_DATA + 2], LAB_GDT
	at lgdt
	lgdt [LAB_DATA]
	mov eax, LAB_SEL_BASED
	mov es, eax
	over lgdt

	hole lidt
	mov word ptr ds:[LAB_DATA], 0x7f7
	mov dword ptr ds:[LAB_DATA + 2], LAB_IDT + 8
	at lidt
	lidt [LAB_DATA]
	ud2
	over lidt

	hole lldt
	mov eax, LAB_SEL_DATA
	at lldt
	lldt ax
	over lldt

	hole ltr
	mov eax, LAB_SEL_DATA
	at ltr
	ltr ax
	over ltr

	hole lmsw
	mov eax, 0x3b
	at lmsw
	lmsw ax
	mov eax, cr0
	over lmsw

	hole clts
	mov eax, 0x3b
	lmsw ax
	at clts
	clts
	mov eax, cr0
	over clts

	hole mov_cr
	mov eax, 0x12345678
	at mov_cr
	mov cr2, eax
	xor eax, eax
	mov eax, cr2
	over mov_cr

	hole mov_dr
	mov eax, 0x12345678
	at mov_dr
	mov dr0, eax
	xor eax, eax
	mov eax, dr0
	over mov_dr

	hole invlpg
	mov eax, GOOD
	at invlpg
	invlpg [LAB_DATA]
	over invlpg

	hole invd
	mov eax, GOOD
	at invd
	invd
	over invd

	hole wbinvd
	mov eax, GOOD
	at wbinvd
	wbinvd
	over wbinvd

	hole rdmsr
	mov ecx, 0x174
	at rdmsr
	rdmsr
	over rdmsr

	hole wrmsr
	mov ecx, 0x174
	mov eax, 0x18
	xor edx, edx
	at wrmsr
	wrmsr
	xor eax, eax
	rdmsr
	over wrmsr

	hole clac
	mov eax, GOOD
	at clac
	clac
	over clac

	hole stac
	mov eax, GOOD
	at stac
	stac
	over stac

	hole sysexit
	mov edx, offset here(1f, sysexit)
	mov ecx, LAB_STACK
	at sysexit
	sysexit
1:	mov eax, GOOD
	over sysexit

	hole rsm
	at rsm
	rsm
	over rsm

	/* ---- demos (demo.c): EAX is what the guest's kernel concludes ---- */

	/* A timer of 1 kHz on IRQ 0, vector 0x20, whose handler counts in [LAB_DATA]. CLOBBERS eax */
	.macro timer name
	mov eax, offset LAB_CODE + lab_tick_\name - lab_\name
	mov ds:[LAB_IDT + 8 * 0x20], ax
	shr eax, 16
	mov ds:[LAB_IDT + 8 * 0x20 + 6], ax
	mov al, 0x11
	out 0x20, al
	mov al, 0x20
	out 0x21, al
	mov al, 4
	out 0x21, al
	mov al, 1
	out 0x21, al
	mov al, 0xfe
	out 0x21, al
	mov al, 0x34
	out 0x43, al
	mov al, 0xa9
	out 0x40, al
	mov al, 4
	out 0x40, al
	mov dword ptr ds:[LAB_DATA], 0
	.endm
	.macro tick name
lab_tick_\name:
	push eax
	inc dword ptr ds:[LAB_DATA]
	mov al, 0x20
	out 0x20, al
	pop eax
	iretd
	.endm

	/* Interrupts off by POPF, as "restore the caller's flags" does; then some 20 ms of work on data that the timer's handler
	 * uses too. EAX: how many interrupts came in between. */
	hole demo_lost_cli
	timer demo_lost_cli
	sti
	push 2
	at demo_lost_cli
	popfd
	mov ebx, ds:[LAB_DATA]
	rdtsc
	mov edi, eax
1:	rdtsc
	sub eax, edi
	cmp eax, 50000000
	jb 1b
	mov eax, ds:[LAB_DATA]
	sub eax, ebx
	cli
	hlt
	tick demo_lost_cli
	over demo_lost_cli

	/* EAX: where the IDT is. */
	hole demo_red_pill
	at demo_red_pill
	sidt [LAB_DATA]
	mov eax, ds:[LAB_DATA + 2]
	over demo_red_pill

	/* EAX: the ring that CS shows. */
	hole demo_ring
	at demo_ring
	mov eax, cs
	and eax, 3
	over demo_ring

	/* The scheduler's idle loop: interrupts on by POPF, as "restore the flags of the next task" does; then wait for a tick.
	 * EAX: ticks. */
	hole demo_scheduler
	timer demo_scheduler
	push 0x202
	at demo_scheduler
	popfd
1:	mov eax, ds:[LAB_DATA]
	test eax, eax
	jz 1b
	cli
	mov eax, 1
	hlt
	tick demo_scheduler
	over demo_scheduler

	/* ---- shadow paging (shadow.c): a HLT ends each step ---- */

	hole shadow
	mov eax, SHADOW_TABLE + 7 /* 4 to 8 MiB, identity; the page at SHADOW_LATE is not present */
	mov ds:[SHADOW_DIR + 4], eax
	mov eax, 0x400003
	mov edi, SHADOW_TABLE
1:	mov ds:[edi], eax
	add eax, 0x1000
	add edi, 4
	cmp edi, SHADOW_TABLE + 0x1000
	jb 1b
	mov dword ptr ds:[SHADOW_PTE(SHADOW_LATE)], 0
	mov eax, offset here(lab_late_shadow, shadow)
	mov ds:[LAB_IDT + 8 * 14], ax
	shr eax, 16
	mov ds:[LAB_IDT + 8 * 14 + 6], ax
	mov eax, SHADOW_DIR
	mov cr3, eax
	mov eax, cr0
	or eax, 0x80000000
	mov cr0, eax
	at shadow
	mov dword ptr ds:[LAB_DATA], eax /* what a step needs of its own page has been touched */
	hlt
	mov eax, ds:[SHADOW_PAGE]
	hlt
	mov eax, ds:[SHADOW_PAGE]
	hlt
	mov ds:[SHADOW_PAGE], eax
	hlt
	mov ds:[SHADOW_PAGE], eax
	hlt
	mov eax, ds:[SHADOW_LATE]
	hlt
	mov eax, ds:[SHADOW_LATE]
	hlt
	mov dword ptr ds:[SHADOW_PTE(SHADOW_PAGE)], SHADOW_OTHER + 3
	invlpg ds:[SHADOW_PAGE]
	hlt
	mov eax, ds:[SHADOW_PAGE]
	hlt
	/* #PF: the kernel finds memory for the page, as on demand. */
lab_late_shadow:
	add esp, 4
	mov dword ptr ds:[SHADOW_PTE(SHADOW_LATE)], SHADOW_LATE + 3
	iretd
	over shadow

	.section .note.GNU-stack, "", @progbits
