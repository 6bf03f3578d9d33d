/* SPDX-License-Identifier: MIT */
/*
 * fpu_call.S - calls a generated FPU stub; where its faults come out.
 *
 * host_fpu_call
 *   IN       rdi opaque (unused), rsi stub, rdx struct fpu_io *
 *   OUT      eax 0, or the vector of the exception that the guest's instruction raised
 *   CLOBBERS what a stub does: rax, rcx, rdx, rsi, rdi, flags; x87, MMX and XMM registers belong to
 *            the guest
 * host_fpu_call_fault
 *   IN       eax vector, rsp as inside the stub: it points to host_fpu_call_return
 *   ASSUMES  host_fpu_signal() sent us here
 */
    .text

    .globl host_fpu_call
    .type host_fpu_call, @function
host_fpu_call:
    .cfi_startproc
    mov %rdx, %rdi
    call *%rsi
    .globl host_fpu_call_return
host_fpu_call_return:
    xor %eax, %eax
    ret
    .cfi_endproc
    .size host_fpu_call, . - host_fpu_call

    .globl host_fpu_call_fault
    .type host_fpu_call_fault, @function
host_fpu_call_fault:
    .cfi_startproc
    .cfi_def_cfa_offset 16
    add $8, %rsp
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
    .size host_fpu_call_fault, . - host_fpu_call_fault

    .section .note.GNU-stack, "", @progbits
