/* SPDX-License-Identifier: MIT */
/*
 * kill.S - a boot sector that numbers the blocks of the disk it is booted from: writes one, has the drive flush it, then says its
 * number on COM1, and so on until it is killed. kill.py holds it to what it said.
 *
 * Even numbers go by WRITE SECTORS (PIO), odd ones by WRITE DMA through the bus master. Block n is sector 64 + n % 4096, filled with
 * the dword n. A drive's error ends it with "E" and the status.
 */
#define COM1 0x3f8
#define DATA 0x1f0
#define COUNT 0x1f2
#define DEVICE 0x1f6
#define COMMAND 0x1f7
#define BUFFER 0x8000
#define PRD 0x7800
#define DMA_PORTS 0xc000 /* where this puts the bus master */

    .code16
    .globl _start
_start:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7000, %sp
    movw $COM1 + 3, %dx
    movb $3, %al # words of 8 bits
    outb %al, %dx
    movl $0x80000920, %eax # 00:01.1, BAR 4
    movl $DMA_PORTS, %ecx
    call set_pci
    movl $0x80000904, %eax # I/O and bus mastering on
    movl $5, %ecx
    call set_pci
    movl $BUFFER, PRD
    movl $0x80000200, PRD + 4
    xorl %esi, %esi
next:
    movw $BUFFER, %di
    movl %esi, %eax
    movw $128, %cx
    rep stosl
    call ready
    movw $COUNT, %dx
    movb $1, %al
    outb %al, %dx
    movl %esi, %eax
    andw $0x0fff, %ax
    addw $64, %ax
    incw %dx
    outb %al, %dx
    incw %dx
    movb %ah, %al
    outb %al, %dx
    incw %dx
    xorb %al, %al
    outb %al, %dx
    incw %dx
    movb $0xe0, %al
    outb %al, %dx
    incw %dx
    testw $1, %si
    jnz dma
    movb $0x30, %al # WRITE SECTORS
    outb %al, %dx
    call ready
    testb $8, %al # DRQ
    jz failed
    pushw %si
    movw $BUFFER, %si
    movw $DATA, %dx
    movw $256, %cx
    rep outsw
    popw %si
    jmp written
dma:
    pushw %dx
    movw $DMA_PORTS + 4, %dx
    movl $PRD, %eax
    outl %eax, %dx
    movw $DMA_PORTS + 2, %dx
    movb $6, %al
    outb %al, %dx
    popw %dx
    movb $0xca, %al # WRITE DMA
    outb %al, %dx
    movw $DMA_PORTS, %dx
    movb $1, %al # from memory
    outb %al, %dx
1:  movw $DMA_PORTS + 2, %dx
    inb %dx, %al
    testb $4, %al # its interrupt
    jz 1b
    movw $DMA_PORTS, %dx
    xorb %al, %al
    outb %al, %dx
written:
    call ready
    movw $COMMAND, %dx
    movb $0xe7, %al # FLUSH CACHE
    outb %al, %dx
    call ready
    movl %esi, %ebx
    call say
    incl %esi
    jmp next

failed:
    movzbl %al, %ebx
    movb $'E', %al
    movw $COM1, %dx
    outb %al, %dx
    call say
    hlt

set_pci: # writes %ecx to the register %eax
    movw $0xcf8, %dx
    outl %eax, %dx
    movw $0xcfc, %dx
    movl %ecx, %eax
    outl %eax, %dx
    ret

ready: # waits until the drive is not busy; its status in %al
    movw $COMMAND, %dx
    inb %dx, %al
    testb $0x80, %al
    jnz ready
    testb $0x21, %al # a fault, an error
    jnz failed
    ret

say: # %ebx as eight hexadecimal digits and a newline
    movw $8, %cx
1:  roll $4, %ebx
    movb %bl, %al
    andb $15, %al
    cmpb $10, %al
    sbbb $0x69, %al
    das
    call put
    loop 1b
    movb $'\n', %al
put:
    movb %al, %ah
    movw $COM1 + 5, %dx
2:  inb %dx, %al
    testb $0x20, %al
    jz 2b
    movb %ah, %al
    movw $COM1, %dx
    outb %al, %dx
    ret

    .org 510
    .word 0xaa55
