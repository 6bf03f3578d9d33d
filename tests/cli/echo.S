/* SPDX-License-Identifier: MIT */
/*
 * echo.S - a multiboot guest for tests of the command: says "ready", echoes what comes in on COM1, and obeys some letters.
 *
 * q  isa-debug-exit (port 0xf4) with 3    t  triple fault    r  reset through the keyboard controller
 * h  HLT with interrupts off              f  flood COM1
 * Build: as --32, ld -m elf_i386 -Ttext=0x400000
 */
    .text
    .globl _start
    .align 4
    .long 0x1badb002, 0, -0x1badb002
_start:
    movw $0x3fb, %dx /* LCR: eight data bits */
    movb $3, %al
    outb %al, %dx
    movl $ready, %esi
1:  lodsb
    testb %al, %al
    jz loop
    call put
    jmp 1b
loop:
    movw $0x3fd, %dx
    inb %dx, %al
    testb $1, %al
    jz loop
    movw $0x3f8, %dx
    inb %dx, %al
    call put
    cmpb $'q', %al
    je quit
    cmpb $'t', %al
    je triple
    cmpb $'r', %al
    je reset
    cmpb $'h', %al
    je halt
    cmpb $'f', %al
    je flood
    jmp loop
put:
    pushl %eax
    movw $0x3fd, %dx
1:  inb %dx, %al
    testb $0x20, %al
    jz 1b
    popl %eax
    movw $0x3f8, %dx
    outb %al, %dx
    ret
quit:
    movb $3, %al
    outb %al, $0xf4
    jmp quit
triple:
    lidt nothing
    int3
reset:
    movb $0xfe, %al
    outb %al, $0x64
    jmp loop
halt:
    cli
    hlt
    jmp halt
flood:
    movb $'.', %al
    call put
    jmp flood
nothing:
    .word 0
    .long 0
ready:
    .asciz "ready\r\n"
