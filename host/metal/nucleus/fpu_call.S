/* SPDX-License-Identifier: MIT */
/*
 * fpu_call.S - calls a generated FPU stub; where its faults come out (trap.c).
 *
 * metal_fpu_call
 *   IN       rdi opaque (unused), rsi stub, rdx struct fpu_io *
 *   OUT      eax 0, or the vector of the exception that the guest's instruction raised
 *   CLOBBERS what a stub does: rax, rcx, rdx, rsi, rdi, flags; the x87, MMX and XMM registers
 *            belong to the guest
 * fpu_call_fault
 *   IN       eax vector, rsp as inside the stub: it points to fpu_call_return
 */
    .text
    .globl metal_fpu_call
metal_fpu_call:
    mov %rdx, %rdi
    call *%rsi
    .globl fpu_call_return
fpu_call_return:
    xor %eax, %eax
    ret
    .globl fpu_call_fault
fpu_call_fault:
    add $8, %rsp
    ret

    .section .note.GNU-stack, "", @progbits
