/* SPDX-License-Identifier: MIT */
/* start.S - entry, descriptor tables, fault handlers and printing of guest tests. See guest.inc. */
#include "guest.inc"

    .section .multiboot, "ax"
    .align 4
    .long 0x1badb002, 0, -0x1badb002

    .text
    .globl guest_start
guest_start:
    cli
    lgdt [gdt_pointer]
    jmp SEL_CODE32:1f
1:  mov eax, SEL_DATA32
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    mov esp, offset stack_top
    mov [multiboot_info], ebx
    /* IDT: 256 interrupt gates to the stubs. */
    mov ecx, 256
    mov edi, offset idt
    mov eax, offset stubs
2:  mov edx, eax
    mov [edi], ax
    mov word ptr [edi + 2], SEL_CODE32
    mov word ptr [edi + 4], 0x8e00
    shr edx, 16
    mov [edi + 6], dx
    add edi, 8
    add eax, 16
    loop 2b
    lidt [idt_pointer]
    mov byte ptr [idt + 0x30 * 8 + 5], 0xee /* USER_EXIT */
    cld
    mov esi, offset low_load
    mov edi, offset low_start
    mov ecx, offset low_end
    sub ecx, edi
    rep movsb
    mov eax, offset tss
    mov [gdt + SEL_TSS + 2], ax
    shr eax, 16
    mov [gdt + SEL_TSS + 4], al
    mov [gdt + SEL_TSS + 7], ah
    mov ax, SEL_TSS
    ltr ax
    fninit
    mov al, 0xff
    out 0x21, al
    out 0xa1, al
    push 2
    popfd
    xor eax, eax
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
    call test_main
    .globl test_done
test_done:
    mov esi, offset text_done
    call print
    mov eax, [failures]
    test eax, eax
    setnz al
    out 0xf4, al
3:  hlt
    jmp 3b

    .globl test_abort
test_abort: /* an unexpected fault: say which, and end */
    mov dword ptr [fault_resume], 0
    cld
    mov esi, offset text_unexpected
    call print
    mov eax, [fault_vector]
    call print_hex
    mov eax, [fault_error]
    call print_hex
    mov eax, [fault_eip]
    call print_hex
    mov eax, [fault_cr2]
    call print_hex
    call newline
    mov al, 1
    out 0xf4, al
4:  hlt
    jmp 4b

/* [esp]: return, [esp+4]: address of the name, [esp+8]: value, [esp+12]: want. Pops its arguments. */
    .globl expect32
expect32:
    cld
    mov ax, SEL_DATA32
    mov ds, eax
    mov es, eax
    mov eax, [esp + 8]
    cmp eax, [esp + 12]
    jne 1f
    mov esi, offset text_ok
    call print
    mov esi, [esp + 4]
    call print
    call newline
    ret 12
1:  inc dword ptr [failures]
    mov esi, offset text_fail
    call print
    mov esi, [esp + 4]
    call print
    mov esi, offset text_got
    call print
    mov eax, [esp + 8]
    call print_hex
    mov esi, offset text_want
    call print
    mov eax, [esp + 12]
    call print_hex
    call newline
    ret 12

    .globl print, print_hex, newline
print: /* esi: text */
    lodsb
    test al, al
    jz 1f
    out 0xe9, al
    jmp print
1:  ret
newline:
    mov al, 10
    out 0xe9, al
    ret
print_hex: /* eax */
    mov ecx, 8
1:  rol eax, 4
    mov ebx, eax
    and ebx, 15
    mov bl, [hex + ebx]
    xchg eax, ebx
    out 0xe9, al
    xchg eax, ebx
    loop 1b
    mov al, 32
    out 0xe9, al
    ret

/* 256 stubs of 16 bytes; those without an error code push 0. */
    .align 16
stubs:
    .set vec, 0
    .rept 256
    .align 16
    .if vec != 8 && (vec < 10 || vec > 14) && vec != 17
    push 0
    .endif
    push vec
    jmp fault_entry
    .set vec, vec + 1
    .endr

fault_entry: /* [esp]: vector, error, eip, cs, eflags */
    push eax
    push ds
    mov ax, SEL_DATA32
    mov ds, eax
    mov eax, [esp + 8]
    mov [fault_vector], eax
    mov eax, [esp + 12]
    mov [fault_error], eax
    mov eax, [esp + 16]
    mov [fault_eip], eax
    mov eax, [esp + 20]
    mov [fault_cs], eax
    mov eax, [esp + 24]
    mov [fault_eflags], eax
    mov eax, [esp + 28]
    mov [fault_user_esp], eax
    mov eax, [esp + 32]
    mov [fault_user_ss], eax
    lea eax, [esp + 16]
    mov [fault_frame], eax
    mov eax, cr2
    mov [fault_cr2], eax
    inc dword ptr [fault_count]
    cmp dword ptr [fault_resume], 0
    je test_abort
    add esp, 4 /* DS: perhaps not loadable */
    mov ax, SEL_DATA32
    mov ds, eax
    mov es, eax
    mov ss, eax
    pop eax
    mov esp, [fault_esp]
    push dword ptr [fault_resume]
    mov dword ptr [fault_resume], 0
    ret

/* [esp]: return (unused), then an IRET frame to CPL 3. */
    .globl enter_user
enter_user:
    lea esp, [esp + 4]
    push eax
    mov ax, SEL_UDATA32
    mov ds, eax
    mov es, eax
    pop eax
    iretd

/* See REAL. */
    .globl real_call, real_target
real_call:
    pushfd
    pushad
    mov [real_esp], esp
    mov [real_eax], eax
    lidt [real_idt]
    jmp SEL_CODE16:real_16
real_back:
    mov ax, SEL_DATA32
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    mov eax, [real_flags]
    and eax, 0x8d5
    mov esp, [real_esp]
    and dword ptr [esp + 32], ~0x8d5
    or [esp + 32], eax
    mov eax, [real_eax]
    mov [esp + 28], eax
    mov [esp + 24], ecx
    mov [esp + 20], edx
    mov [esp + 16], ebx
    mov [esp + 8], ebp
    mov [esp + 4], esi
    mov [esp], edi
    lidt [idt_pointer]
    popad
    popfd
    ret

    .section .low, "awx"
    .code16
real_16:
    mov ax, SEL_DATA16
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    jmp 0:1f
1:  xor ax, ax
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov esp, 0x7000
    mov eax, [real_eax]
    call [real_target]
    cli
    cld
    pushfd
    push 0
    pop ds
    mov [real_eax], eax
    pop dword ptr [real_flags]
    data32 lgdt [real_gdt]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    data32 jmp SEL_CODE32:real_back
real_target: .word 0
    .align 4
real_eax: .long 0
real_flags: .long 0
real_esp: .long 0
    .globl real_idt, real_gdt
real_idt: .word 0x3ff
    .long 0
real_gdt: .word gdt_end - gdt - 1
    .long gdt
    .code32

    .data
    .globl fault_user_esp, fault_user_ss, fault_frame, user_stack_top, stack0_top
    .globl gdt, gdt_pointer, idt, idt_pointer, tss, ldt, multiboot_info, failures
    .globl fault_resume, fault_esp, fault_vector, fault_error, fault_eip, fault_cs, fault_eflags, fault_cr2, fault_count
    .globl expect_esp_slot, stack_top
    .align 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* 08: code, 32 bit, flat */
    .quad 0x00cf93000000ffff /* 10: data */
    .quad 0x000f9b000000ffff /* 18: code, 16 bit, base 0, 1 MiB limit */
    .quad 0x000093000000ffff /* 20: data, 64 KiB */
    .quad 0x00cffb000000ffff /* 28: user code */
    .quad 0x00cff3000000ffff /* 30: user data */
    .quad 0x0000890000000067 /* 38: TSS, base filled in */
    .quad 0                  /* 40: LDT */
    .fill 16, 8, 0           /* 48...: free */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
idt_pointer:
    .word 256 * 8 - 1
    .long idt
text_ok: .asciz "ok "
text_fail: .asciz "FAIL "
text_got: .asciz " got "
text_want: .asciz " want "
text_done: .asciz "done\n"
text_unexpected: .asciz "FAIL unexpected fault: vector, error, eip, cr2 "
hex: .ascii "0123456789abcdef"
    .align 4
multiboot_info: .long 0
failures: .long 0
fault_resume: .long 0
fault_esp: .long 0
fault_vector: .long 0
fault_error: .long 0
fault_eip: .long 0
fault_cs: .long 0
fault_eflags: .long 0
fault_cr2: .long 0
fault_count: .long 0
fault_user_esp: .long 0 /* if the fault changed the privilege level */
fault_user_ss: .long 0
fault_frame: .long 0 /* where the frame's EIP is */
expect_esp_slot: .long 0
tss:
    .long 0
    .long stack0_top         /* esp0 */
    .long SEL_DATA32         /* ss0 */
    .fill 22, 4, 0
    .word 0, 0x68            /* I/O map beyond the limit: no port for CPL 3 */

    .bss
    .align 4096
idt: .skip 256 * 8
ldt: .skip 16 * 8
    .align 16
stack: .skip 16384
stack_top:
stack0: .skip 8192
stack0_top:
    .section .user, "awx"
    .skip 4096
user_stack_top:
