/* SPDX-License-Identifier: MIT */
/*
 * mem.S - memcpy, memmove, memset and memcmp with general registers only.
 *
 * Why        The core may call them while the guest's XMM registers are live in the host's
 *            (include/ring1/host.h); the C library's versions use vector registers. Defined in the
 *            program, these win over the library's.
 *   IN       rdi, rsi, rdx as the System V ABI says
 *   CLOBBERS rax, rcx, rdx, rsi, rdi, r8, r9, flags
 */
    .text

/* From here on `rep movsb` (fast since Ivy Bridge) beats a loop. */
#define REP_MIN 256

    .globl memcpy, memmove
    .type memcpy, @function
    .type memmove, @function
    .p2align 4
memcpy:
memmove:
    mov %rdi, %rax
    cmp $16, %rdx
    ja 10f
    /* Both ends are loaded before anything is stored: overlap does not matter. */
    cmp $8, %edx
    jae 8f
    cmp $4, %edx
    jae 4f
    test %edx, %edx
    jz 1f
    movzbl (%rsi), %ecx
    movzbl -1(%rsi,%rdx), %r8d
    cmp $3, %edx
    jne 2f
    movzbl 1(%rsi), %r9d
    mov %r9b, 1(%rdi)
2:  mov %cl, (%rdi)
    mov %r8b, -1(%rdi,%rdx)
1:  ret
4:  mov (%rsi), %ecx
    mov -4(%rsi,%rdx), %r8d
    mov %ecx, (%rdi)
    mov %r8d, -4(%rdi,%rdx)
    ret
8:  mov (%rsi), %rcx
    mov -8(%rsi,%rdx), %r8
    mov %rcx, (%rdi)
    mov %r8, -8(%rdi,%rdx)
    ret
10: mov %rdi, %rcx
    sub %rsi, %rcx
    cmp %rdx, %rcx
    jb 30f                      /* destination inside the source: from the end */
    cmp $REP_MIN, %rdx
    jae 20f
    mov -8(%rsi,%rdx), %r8      /* the last 8 bytes, before they can be overwritten */
    lea -8(%rdi,%rdx), %r9
11: mov (%rsi), %rcx
    add $8, %rsi
    mov %rcx, (%rdi)
    add $8, %rdi
    cmp %r9, %rdi
    jb 11b
    mov %r8, (%r9)
    ret
20: mov %rdx, %rcx
    rep movsb
    ret
30: mov (%rsi), %r8             /* the first 8 bytes */
31: mov -8(%rsi,%rdx), %rcx
    mov %rcx, -8(%rdi,%rdx)
    sub $8, %rdx
    cmp $8, %rdx
    ja 31b
    mov %r8, (%rdi)
    ret
    .size memcpy, . - memcpy
    .size memmove, . - memmove

    .globl memset
    .type memset, @function
    .p2align 4
memset:
    mov %rdi, %r8
    movzbl %sil, %eax
    movabs $0x0101010101010101, %rcx
    imul %rcx, %rax
    cmp $REP_MIN, %rdx
    jae 3f
    cmp $8, %rdx
    jb 2f
    mov %rax, -8(%rdi,%rdx)
1:  mov %rax, (%rdi)
    add $8, %rdi
    sub $8, %rdx
    cmp $8, %rdx
    jae 1b
    mov %r8, %rax
    ret
2:  test %edx, %edx
    jz 4f
    mov %al, -1(%rdi,%rdx)
    dec %edx
    jmp 2b
3:  mov %rdx, %rcx
    rep stosb
4:  mov %r8, %rax
    ret
    .size memset, . - memset

    .globl memcmp
    .type memcmp, @function
    .p2align 4
memcmp:
    cmp $8, %rdx
    jb 2f
    mov (%rdi), %rax
    mov (%rsi), %rcx
    cmp %rcx, %rax
    jne 5f
    add $8, %rdi
    add $8, %rsi
    sub $8, %rdx
    jmp memcmp
2:  test %rdx, %rdx
    jz 4f
    movzbl (%rdi), %eax
    movzbl (%rsi), %ecx
    sub %ecx, %eax
    jne 3f
    inc %rdi
    inc %rsi
    dec %rdx
    jmp 2b
3:  ret
4:  xor %eax, %eax
    ret
5:  bswap %rax
    bswap %rcx
    cmp %rcx, %rax
    sbb %eax, %eax
    or $1, %eax
    ret
    .size memcmp, . - memcmp

#ifdef WRAP_ASAN
/*
 * __wrap___asan_handle_no_return - the linker's --wrap leads here: the runtime's function, with the
 * x87 and XMM registers as they were. AddressSanitizer has it called before each function that does
 * not return, and the C library's memset, which it uses, takes XMM0 on some CPUs.
 *   CLOBBERS what a function may, but for those registers
 */
    .globl __wrap___asan_handle_no_return
    .type __wrap___asan_handle_no_return, @function
__wrap___asan_handle_no_return:
    push %rbp
    mov %rsp, %rbp
    sub $512, %rsp
    and $-64, %rsp
    fxsave (%rsp)
    call __real___asan_handle_no_return@PLT
    fxrstor (%rsp)
    leave
    ret
    .size __wrap___asan_handle_no_return, . - __wrap___asan_handle_no_return
#endif

    .section .note.GNU-stack, "", @progbits
