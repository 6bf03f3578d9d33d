/* SPDX-License-Identifier: MIT */
/*
 * escape.S - a hostile guest: it tries at CPL 3 and at CPL 0 what might lead out of it, and says what came of it.
 *
 * Each attempt runs a snippet with known registers and ends in a fault, a gate or INT 0x30; what arrived there (vector, error code, CS:EIP, flags, all
 * registers, CR2) goes into the group's sum, which is printed on COM1. Whoever executes the guest must come to the same sums (escape.py).
 * A snippet's two pages are there sixteen times and each attempt takes the next one, so that no page traps often enough to be left to the translator.
 * -DVERBOSE=N prints the first N attempts of each group. SDM vol. 3A, 5.8 (transfers), 3.4 (segments), 6 (interrupts); vol. 2.
 */
#include "guest.inc"
#include "paging.inc"
#define COPIES 16
#define PAGE_PAIR 13 /* its pages, log2 */
#define EXIT .byte 0xcd, 0x30
#define RECORD 20 /* dwords */
#define COM1 0x3f8
#define BASED SEL_FREE6
#define FAR_MIN 0x100 /* selectors below this one and from FAR_MAX on are all tried, of the others each 37th */
#define FAR_MAX 0xff00

    .text
    .globl test_main
test_main:
    call tables
    call paging_on
    mov edi, offset alias /* another linear address of the pages that write on themselves */
    mov eax, offset smc_copies
    or eax, P_P | P_W | P_U
    mov ecx, COPIES * 2
1:  mov edx, edi
    shr edx, 12
    mov [page_tab + edx * 4], eax
    add eax, 4096
    add edi, 4096
    loop 1b
    mov eax, cr3
    mov cr3, eax
    mov dword ptr [cpl], 3
    mov dword ptr [pages], offset copies
    mov esi, offset name_user
    call say
    call all_groups
    mov dword ptr [pages], offset ext_copies
    call extensions
    call self_written
    mov dword ptr [cpl], 0
    mov dword ptr [pages], offset kcopies
    mov esi, offset name_kernel
    call say
    call all_groups
    mov dword ptr [pages], offset kext_copies
    call extensions
    mov esi, offset name_done
    call say
    mov al, 0 /* the end of the machine */
    out 0xf4, al
1:  hlt
    jmp 1b

/* ---- groups ---- */

/* Rows of name, snippet, how: 1 with each selector, 2 with each vector, 0 a list, 3 a list at CPL 3. */
all_groups:
    mov esi, offset groups
1:  mov eax, [esi]
    test eax, eax
    jz 10f
    push esi
    mov esi, eax
    call group_begin
    pop esi
    cmp dword ptr [esi + 8], 1
    je 2f
    cmp dword ptr [esi + 8], 2
    je 5f
    cmp dword ptr [esi + 8], 3
    jne 3f
    cmp dword ptr [cpl], 0
    je 6f
3:  mov ebp, [esi + 4]       /* a list of snippets: offset, EAX, flags */
4:  mov eax, [ebp]
    cmp eax, -1
    je 6f
    mov edx, [ebp + 4]
    mov [arg_eax], edx
    mov edx, [ebp + 8]
    mov [arg_flags], edx
    call attempt
    add ebp, 12
    jmp 4b
2:  mov dword ptr [arg_flags], 2 | 0xd5
    xor edx, edx
7:  mov [arg_eax], edx
    mov [far_sel], edx
    mov eax, [esi + 4]
    call attempt
    inc edx
    cmp edx, FAR_MIN
    jb 7b
    cmp edx, FAR_MAX
    ja 8f
    add edx, 36
    cmp edx, FAR_MAX
    jb 7b
    mov edx, FAR_MAX
8:  cmp edx, 0x10000
    jb 7b
    jmp 6f
5:  mov dword ptr [arg_flags], 2 | 0x800 /* each vector; OF is set */
    mov dword ptr [arg_eax], 0x10203040
    xor edx, edx
9:  lea eax, [edx * 4]
    add eax, [esi + 4]
    call attempt
    inc edx
    cmp edx, 256
    jb 9b
6:  call group_end
    add esi, 12
    jmp 1b
10: ret

/* One instruction in a page of its own each, from a table of length and bytes. */
extensions:
    mov esi, offset name_ext
    call group_begin
    mov esi, offset ext_table
1:  movzx ecx, byte ptr [esi]
    inc esi
    test ecx, ecx
    jz 2f
    mov edi, [copy]
    and edi, COPIES - 1
    shl edi, PAGE_PAIR
    add edi, [pages]
    rep movsb
    mov eax, 0x909030cd
    stosd
    mov dword ptr [arg_eax], 0
    mov dword ptr [arg_flags], 2
    xor eax, eax
    call attempt
    jmp 1b
2:  call group_end
    ret

/* Code that writes to its own page, at its own address and at another one. */
self_written:
    mov esi, offset name_smc
    call group_begin
    mov dword ptr [pages], offset smc_copies
    mov ebp, 40
1:  mov [arg_eax], ebp
    mov dword ptr [arg_flags], 2
    mov eax, [copy]
    and eax, COPIES - 1
    shl eax, PAGE_PAIR
    add eax, offset smc_copies
    lea edx, [eax + smc_insn + 1 - smc_code] /* where the constant is */
    mov [user_data + 8], edx
    xor eax, eax
    call attempt
    dec dword ptr [copy]
    mov eax, [copy]
    and eax, COPIES - 1
    shl eax, PAGE_PAIR
    add eax, offset alias
    lea edx, [eax + smc_insn + 1 - smc_code]
    mov [user_data + 8], edx
    xor eax, eax
    call attempt
    mov eax, smc_once - smc_code
    call attempt
    dec ebp
    jnz 1b
    call group_end
    ret

/* ---- one attempt ---- */

/* EAX: the snippet's offset in its page. */
attempt:
    pushad
    mov [saved_esp], esp
    inc dword ptr [attempts]
    mov edx, [copy]
    inc dword ptr [copy]
    and edx, COPIES - 1
    shl edx, PAGE_PAIR
    add edx, [pages]
    add eax, edx
    mov [rec], eax
    lea ecx, [edx + target - snippets]
    mov [user_data], ecx       /* where far transfers go */
    mov ecx, [far_sel]
    mov [user_data + 4], ecx
    mov ecx, [arg_flags]
    mov edi, SEL_UDATA32
    cmp dword ptr [cpl], 0
    je 1f
    or ecx, 0x200 /* without IF it would not run directly */
    mov esp, offset stack0_top
    push edi
    push offset user_stack_top - 64
    push ecx
    push SEL_UCODE32
    jmp 2f
1:  mov edi, SEL_DATA32
    mov esp, offset kstack_top
    push ecx
    push SEL_CODE32
2:  push eax
    mov ds, edi
    mov es, edi
    mov fs, edi
    mov gs, edi
    mov eax, ss:[arg_eax]
    mov ebx, offset user_data
    mov ecx, eax
    mov edx, ss:[user_data]
    mov esi, offset user_data + 64
    mov edi, offset user_data + 256
    mov ebp, 0xb0b0b0b0
    iretd

/* The stack: vector, error code, frame. */
record:
    pushad
    mov ecx, ds
    mov edx, es
    mov esi, fs
    mov edi, gs
    mov eax, SEL_DATA32
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    movzx ecx, cx
    movzx edx, dx
    movzx esi, si
    movzx edi, di
    mov [rec + 4], ecx
    mov [rec + 8], edx
    mov [rec + 12], esi
    mov [rec + 16], edi
    cld
    mov esi, esp
    mov edi, offset rec + 20
    mov ecx, 8 + 5
    rep movsd
    xor eax, eax
    mov edx, eax
    test byte ptr [rec + 20 + 11 * 4], 3 /* CS */
    jz 1f
    mov eax, [esi]
    movzx edx, word ptr [esi + 4]
1:  stosd
    mov [rec + 76], edx
    cmp dword ptr [rec + 20 + 8 * 4], 14
    jne 2f
    mov eax, cr2
    add [rec + 72], eax
2:  mov esp, [saved_esp]
    mov esi, offset rec
    mov ecx, RECORD
    mov eax, [sum]
3:  xor eax, [esi]
    imul eax, eax, 0x01000193
    rol eax, 7
    add esi, 4
    loop 3b
    mov [sum], eax
#ifdef VERBOSE
    cmp dword ptr [attempts], VERBOSE
    ja 5f
    mov esi, offset rec
    mov ebp, RECORD
4:  lodsd
    call say_hex
    dec ebp
    jnz 4b
    mov esi, offset text_newline
    call say
5:
#endif
    popad
    ret

/* Where gates and SYSENTER lead. */
gate_target:
    pushfd
    push SEL_CODE32
    push offset gate_target
    push 0
    push 0x100
    jmp record

    .align 16
escape_stubs:
    .set vec, 0
    .rept 256
    .align 16
    .if vec != 8 && (vec < 10 || vec > 14) && vec != 17
    push 0
    .endif
    push vec
    jmp record
    .set vec, vec + 1
    .endr

/* ---- COM1 ---- */

say: /* ESI: text */
    push eax
    push edx
1:  lodsb
    test al, al
    jz 2f
    call say_char
    jmp 1b
2:  pop edx
    pop eax
    ret
say_char:
    push eax
    mov edx, COM1 + 5
1:  in al, dx
    test al, 0x20
    jz 1b
    pop eax
    mov edx, COM1
    out dx, al
    ret
say_hex: /* EAX, and a space */
    pushad
    mov ecx, 8
    mov ebx, eax
1:  rol ebx, 4
    mov eax, ebx
    and eax, 15
    mov al, [digits + eax]
    call say_char
    loop 1b
    mov al, 32
    call say_char
    popad
    ret
group_begin:
    call say
    mov dword ptr [sum], 0x811c9dc5
    mov dword ptr [attempts], 0
    ret
group_end:
    push esi
    mov eax, [attempts]
    call say_hex
    mov eax, [sum]
    call say_hex
    mov esi, offset text_newline
    call say
    pop esi
    ret

/* ---- tables ---- */

.macro COPY from, to
    mov esi, offset \from
    mov edi, offset \to
    call copy_pages
.endm
tables:
    mov ecx, 256
    mov edi, offset idt
    mov eax, offset escape_stubs
1:  mov edx, eax
    mov [edi], ax
    mov word ptr [edi + 2], SEL_CODE32
    mov word ptr [edi + 4], 0x8e00
    shr edx, 16
    mov [edi + 6], dx
    add edi, 8
    add eax, 16
    loop 1b
    .irp n, 0x03, 0x04, 0x05, 0x30, 0x40, 0x41, 0x80
    mov byte ptr [idt + \n * 8 + 5], 0xee
    .endr
    mov byte ptr [idt + 0x42 * 8 + 5], 0x6e /* not present */
    GATE gdt+SEL_FREE0, SEL_CODE32, "offset gate_target", 0xec
    DESC SEL_FREE1, 0, 0xfffff, 0xff, DESC_32G /* conforming code, DPL 3 */
    DESC SEL_FREE2, 0, 0xfffff, 0x73, DESC_32G /* not present */
    DESC SEL_FREE3, 0, 0xfffff, 0xfb, 0x8      /* 16-bit code */
    DESC SEL_FREE4, 0, 0xfffff, 0xf1, DESC_32G /* read-only data */
    DESC SEL_FREE5, 0, 0xfffff, 0xfb, 0xe      /* code with the L bit, which means nothing here */
    DESC BASED, 0xfffff000, 0xfffff, 0xf3, DESC_32G
    DESC SEL_FREE7, 0, 0xfffff, 0xb3, DESC_32G /* data, DPL 1 */
    DESC SEL_FREE8, 0, 0xfffff, 0xbb, DESC_32G /* code, DPL 1 */
    DESC SEL_FREE9, 0, 0xfffff, 0xf9, DESC_32G /* code that cannot be read */
    DESC SEL_LDT, "offset ldt", 0x7f, 0x82, 0
    mov ecx, 16
    mov esi, offset gdt
    mov edi, offset ldt
    rep movsd
    mov ax, SEL_LDT
    lldt ax
    COPY snippets, copies
    COPY snippets, kcopies
    COPY smc_code, smc_copies
    ret
copy_pages:
    cld
    mov edx, COPIES
1:  mov ecx, 2048
    push esi
    rep movsd
    pop esi
    dec edx
    jnz 1b
    ret

    .data
    .align 4
cpl: .long 0
pages: .long 0
copy: .long 0
attempts: .long 0
sum: .long 0
saved_esp: .long 0
arg_eax: .long 0
arg_flags: .long 0
far_sel: .long 0
rec: .fill RECORD, 4, 0
digits: .ascii "0123456789abcdef"
text_newline: .asciz "\r\n"
name_user: .asciz "escape: CPL 3\r\n"
name_kernel: .asciz "escape: CPL 0\r\n"
name_done: .asciz "escape: done\r\n"
name_ext: .asciz "escape-sum extensions "
name_smc: .asciz "escape-sum self-modifying "

.macro GROUP label, first, how
    .section .rodata
\label\()_name: .asciz "escape-sum \label "
    .data
    .long \label\()_name, \first, \how
.endm
    .align 4
groups:
    GROUP jmp_far, "s_jmp_far - snippets", 1
    GROUP call_far, "s_call_far - snippets", 1
    GROUP ret_far, "s_ret_far - snippets", 1
    GROUP iret, "s_iret - snippets", 1
    GROUP load_ds, "s_load_ds - snippets", 1
    GROUP load_es, "s_load_es - snippets", 1
    GROUP load_fs, "s_load_fs - snippets", 1
    GROUP load_gs, "s_load_gs - snippets", 1
    GROUP load_ss, "s_load_ss - snippets", 1
    GROUP pop_ds, "s_pop_ds - snippets", 1
    GROUP les, "s_les - snippets", 1
    GROUP lldt, "s_lldt - snippets", 1
    GROUP ltr, "s_ltr - snippets", 1
    GROUP int_n, "s_int - snippets", 2
    GROUP single, list_single, 0
    GROUP popf, list_popf, 0
    GROUP user, list_user, 3
    .long 0
/* Snippets that are tried once, with EAX = 0x10203040 and the flags given. */
.macro ONE label, eax=0x10203040, flags=2
    .long \label - snippets, \eax, \flags
.endm
    .section .rodata
    .align 4
list_single:
    .irp s, s_int3, s_into, s_icebp, s_int_padded, s_int_lock, s_int3_padded, s_icebp_padded, s_bound, s_cli, s_sti, s_in, s_out, s_in_dx, s_out_dx
    ONE \s
    .endr
    .irp s, s_ins, s_outs, s_rep_ins, s_rdmsr, s_wrmsr, s_sysenter, s_sysexit, s_clts, s_invlpg, s_ud2
    ONE \s
    .endr
    .irp s, s_rd_cr0, s_rd_cr4, s_rd_dr0, s_rd_dr4, s_rd_dr6, s_rd_dr7, s_rsm, s_wrap_read, s_wrap_base, s_edge_jmp, s_long_insn
    ONE \s
    .endr
    .irp s, s_into, s_icebp, s_int3, s_sysenter
    ONE \s, 0, 0x802
    .endr
    /* single steps across what changes the privilege, or delays the trap */
    .irp s, s_nop, s_int3, s_into, s_icebp, s_int80, s_int40, s_sysenter, s_ss_nop, s_ss_int80, s_ss_icebp, s_bound, s_in, s_rd_dr6
    ONE \s, 0x33, 0x102
    .endr
    .irp s, s_tf_nop, s_tf_int80, s_tf_int3, s_tf_icebp, s_tf_ss, s_tf_cli, s_tf_ud2, s_tf_jmp
    ONE \s, 0x33
    .endr
    .long -1
list_user: /* at CPL 0 nobody would live to tell */
    ONE s_null_call
    ONE s_esp_wrap
    .long -1
list_popf: /* the flags come from the stack and go there again; IRET's image with VM too */
    .irp f, 0, 2, 0x202, 0x3202, 0x4202, 0x40202, 0x80202, 0x100202, 0x200202, 0x3ffed7 & ~0x100, 0x20202, 0x10202, 0x240cd5, 0x1000, 0x3000
    ONE s_popf, \f
    ONE s_popf16, \f
    ONE s_popf, \f, 0x202
    ONE s_pushf, \f, "(\f & ~0x24100)"
    .endr
    .long -1
#include "escape.inc"
