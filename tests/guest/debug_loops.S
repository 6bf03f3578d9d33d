/* SPDX-License-Identifier: MIT */
/* debug_loops.S - TF, DR0 to DR3, RF, the shadows of STI and MOV SS, and external interrupts in loops that run without any other event, hot before and after. SDM vol. 3A, 6.8.1, 6.8.3; vol. 3B, 18.2 and 18.3. */
#include "guest.inc"
#include "irq.inc"
#define TF 0x100
    .text
    .globl test_main
test_main:
    GATE idt+8, SEL_CODE32, "offset h_db", 0x8e
    call pic_init
    xor eax, eax
    mov dr6, eax
    /* the loop is hot, then single-stepped, then hot again */
    mov edi, 3
1:  mov ecx, 1000
    call hot
    EXPECT "hot", eax, 4000
    EXPECT "no step yet", "dword ptr [steps]", 0
    mov ecx, 50
    pushd TF+2
    popfd
    call hot
    pushd 2
    popfd
    /* call, mov, mov, 50 * (add, call, add, ret, dec, jnz), ret, push, popfd */
2:  EXPECT "stepped: result", eax, 200
    EXPECT "stepped: traps", "dword ptr [steps]", 3+50*6+1+2
    EXPECT "stepped: only BS", "dword ptr [all_dr6]", 0x4000
    EXPECT "stepped: the last", "dword ptr [last_eip]", "offset 2b"
    mov dword ptr [steps], 0
    mov dword ptr [all_dr6], 0
    dec edi
    jnz 1b
    /* an execution breakpoint appears inside of the hot loop, and goes */
    mov ecx, 1000
    call hot
    mov eax, offset hot_inner
    mov dr0, eax
    mov eax, 0x402
    mov dr7, eax
    mov ecx, 100
    call hot
    EXPECT "DR0, execution: result", eax, 400
    EXPECT "DR0, execution: hits", "dword ptr [steps]", 100
    EXPECT "DR0, execution: EIP", "dword ptr [last_eip]", "offset hot_inner"
    EXPECT "DR0, execution: DR6", "dword ptr [all_dr6]", 1
    mov eax, 0x400
    mov dr7, eax
    mov dword ptr [steps], 0
    mov dword ptr [all_dr6], 0
    mov ecx, 100
    call hot
    EXPECT "gone", "dword ptr [steps]", 0
    EXPECT "gone: result", eax, 400
    /* RF: the first pass over the breakpoint does not hit, the others do */
    mov eax, 0x402
    mov dr7, eax
    xor eax, eax
    mov ecx, 10
    mov ebx, offset hot_tail
    push offset 3f
    push 0x10002
    push SEL_CODE32
    push offset hot_again
    iretd
3:  EXPECT "RF covers one instruction only", "dword ptr [steps]", 10
    mov dword ptr [steps], 0
    mov eax, offset hot_again
    mov dr0, eax
    xor eax, eax
    mov ecx, 10
    push offset 3f
    push 0x10002
    push SEL_CODE32
    push offset hot_again
    iretd
3:  EXPECT "RF: first pass over it", "dword ptr [steps]", 9
    mov dword ptr [steps], 0
    mov dword ptr [all_dr6], 0
    /* data breakpoints on what a hot loop writes and reads */
    mov eax, 0x400
    mov dr7, eax
    mov ecx, 1000
    call sums
    mov dword ptr [cell + 64], 0
    mov eax, offset cell + 64
    mov dr1, eax
    mov eax, 0x00d00408
    mov dr7, eax
    mov ecx, 100
    call sums
    EXPECT "DR1, write: hits", "dword ptr [steps]", 100
    EXPECT "DR1, write: EIP behind", "dword ptr [last_eip]", "offset sums_behind"
    EXPECT "DR1, write: DR6", "dword ptr [all_dr6]", 2
    EXPECT "DR1, write: result", "dword ptr [cell+64]", 5050
    mov dword ptr [steps], 0
    mov eax, 0x00f00408
    mov dr7, eax
    mov ecx, 100
    call sums
    EXPECT "DR1, read and write: hits", "dword ptr [steps]", 200
    mov eax, 0x400
    mov dr7, eax
    mov dword ptr [steps], 0
    mov ecx, 100
    call sums
    EXPECT "DR1 off", "dword ptr [steps]", 0
    /* string instruction in a loop, a breakpoint in the middle of its destination */
    mov eax, offset cell + 32
    mov dr3, eax
    mov eax, 0x10000480
    mov dr7, eax
    mov edx, 20
4:  mov edi, offset cell
    mov ecx, 64
    mov al, 0
    cld
    rep stosb
    dec edx
    jnz 4b
    EXPECT "DR3 in REP STOSB: hits", "dword ptr [steps]", 20
    EXPECT "DR3 in REP STOSB: done", ecx, 0
    mov eax, 0x400
    mov dr7, eax
    xor eax, eax
    mov dr6, eax
    mov dword ptr [steps], 0
    mov dword ptr [all_dr6], 0
    /* POPF sets TF: the trap comes behind the next instruction; MOV SS shifts it by one */
    pushd TF+2
    popfd
    nop
5:  pushd 2
    popfd
6:  EXPECT "TF: traps", "dword ptr [steps]", 3
    mov dword ptr [steps], 0
    mov ax, ss
    pushd TF+2
    popfd
    mov ss, ax
    nop
    nop
    pushd 2
    popfd
    EXPECT "TF and MOV SS: one trap less", "dword ptr [steps]", 4
    mov dword ptr [steps], 0
    /* an interrupt that waits: STI and MOV SS in a loop each hold it off for one instruction */
    call irq0_unmask
    mov edi, 20
7:  mov ecx, 10
    call pit_arm
    call irq0_wait
    mov dword ptr [irq0_eip], 0
    mov ebx, 0
    sti
    inc ebx
8:  inc ebx
    cli
    EXPECT "STI: its shadow", "dword ptr [irq0_eip]", "offset 8b"
    mov ecx, 10
    call pit_arm
    call irq0_wait
    mov dword ptr [irq0_eip], 0
    mov ax, ss
    pushd 0x202
    mov edx, 0
    popfd
9:  cli
    EXPECT "POPF: none", "dword ptr [irq0_eip]", "offset 9b"
    mov ecx, 10
    call pit_arm
    call irq0_wait
    mov dword ptr [irq0_eip], 0
    sti
    mov ss, ax
8:  nop
9:  cli
    /* of two such instructions only the first need hold it off (SDM vol. 2B, STI; MOV) */
    mov eax, [irq0_eip]
    cmp eax, offset 8b
    mov ecx, offset 9b
    cmove eax, ecx
    EXPECT "STI, MOV SS: at the NOP or behind it", eax, "offset 9b"
    mov ax, ss
    dec edi
    jnz 7b
    /* Interrupts reach loops that do nothing else: direct, over CALL and RET, over memory, through a table, LOOP, JECXZ.
     * The counter goes on behind its end (82C54, mode 0), so it says how late the interrupt was. A host that runs others
     * meanwhile makes any of them late, and the monitor can do nothing about it; what the monitor does wrong is wrong each
     * time. So one of 200 has to come within 100 us, and the first that does is enough. */
.macro LATENCY name, entry
    mov edi, 200
7:  mov dword ptr [irq0_count], 0
    mov ecx, 1193 /* a millisecond */
    call pit_arm
    mov eax, offset \entry
    call eax
    cli
    call pit_late
    mov [late], eax
    EXPECT "\name: taken", "dword ptr [irq0_count]", 1
    cmp dword ptr [late], 119 /* 100 us */
    jbe 6f
    dec edi
    jnz 7b
6:  xor edx, edx
    test edi, edi
    setz dl
    EXPECT "in time, at best: \name", edx, 0
.endm
    LATENCY "jmp to itself", spin_jmp
    LATENCY "jnz", spin_jnz
    LATENCY "call and ret", spin_call
    LATENCY "memory", spin_memory
    LATENCY "jmp through a table", spin_table
    LATENCY "ret to itself", spin_ret
    LATENCY "loop", spin_loop
    LATENCY "jecxz", spin_jecxz
    LATENCY "recursion", spin_deep
    ret
    /* EAX: ticks since counter 0 came to its end, modulo 65536 */
pit_late:
    mov al, 0
    out 0x43, al
    in al, 0x40
    mov ah, al
    in al, 0x40
    xchg al, ah
    neg ax
    movzx eax, ax
    ret
hot:
    mov eax, 0
    mov ebx, offset hot_tail
hot_again:
    add eax, 1
    call ebx
    dec ecx
    jnz hot_again
    ret
hot_tail:
hot_inner:
    add eax, 3
    ret
sums:
    add [cell + 64], ecx
sums_behind:
    mov eax, [cell + 64]
    dec ecx
    jnz sums
    ret
h_db:
    push eax
    mov eax, dr6
    and eax, 0xf00f
    or [all_dr6], eax
    xor eax, eax
    mov dr6, eax
    mov eax, [esp + 4]
    mov [last_eip], eax
    inc dword ptr [steps]
    or dword ptr [esp + 12], 0x10000
    pop eax
    iretd
    /* Each allows the interrupt, which may wait already, and spins until it came; h_leave takes those away that look at
     * nothing. (QEMU takes none in LOOP to itself right behind STI.) They keep EDI. */
spin_jmp:
    mov dword ptr [leave_to], offset 1f
    GATE idt+0x20*8, SEL_CODE32, "offset h_leave", 0x8e
    sti
    nop
2:  jmp 2b
1:  GATE idt+0x20*8, SEL_CODE32, "offset irq0_handler", 0x8e
    ret
spin_jnz:
    mov dword ptr [leave_to], offset 1f
    GATE idt+0x20*8, SEL_CODE32, "offset h_leave", 0x8e
    or ebx, 1
    sti
    nop
2:  test ebx, ebx
    nop
    jnz 2b
1:  GATE idt+0x20*8, SEL_CODE32, "offset irq0_handler", 0x8e
    ret
spin_call:
    sti
    nop
3:  call 1f
    cmp dword ptr [irq0_count], 0
    je 3b
    ret
1:  call 2f
    ret
2:  ret
spin_memory:
    sti
    nop
1:  cmp dword ptr [irq0_count], 0
    je 1b
    ret
spin_table:
    sti
    nop
    xor ebx, ebx
1:  jmp dword ptr [table + ebx * 4]
2:  mov ebx, 1
    jmp dword ptr [table + ebx * 4]
3:  mov ebx, [irq0_count]
    add ebx, ebx
    jmp dword ptr [table + ebx * 4]
4:  ret
    .data
    .align 4
table: .long 2b, 3b, 4b
    .text
spin_ret:
    mov dword ptr [leave_to], offset 1f
    GATE idt+0x20*8, SEL_CODE32, "offset h_leave", 0x8e
    mov ebx, esp
    sti
    nop
2:  push offset 2b
    ret
1:  mov esp, ebx
    GATE idt+0x20*8, SEL_CODE32, "offset irq0_handler", 0x8e
    ret
spin_loop:
    mov dword ptr [leave_to], offset 1f
    GATE idt+0x20*8, SEL_CODE32, "offset h_leave", 0x8e
    xor ecx, ecx
    sti
    nop
2:  loop 2b
    jmp 2b
1:  GATE idt+0x20*8, SEL_CODE32, "offset irq0_handler", 0x8e
    ret
spin_jecxz:
    mov dword ptr [leave_to], offset 1f
    GATE idt+0x20*8, SEL_CODE32, "offset h_leave", 0x8e
    xor ecx, ecx
    sti
    nop
2:  jecxz 2b
1:  GATE idt+0x20*8, SEL_CODE32, "offset irq0_handler", 0x8e
    ret
spin_deep:
    sti
    nop
    mov ebx, esp
    mov esi, 100
1:  dec esi
    jz 2f
    cmp dword ptr [irq0_count], 0
    jne 3f
    call 1b
2:  mov esp, ebx
    jmp spin_deep
3:  mov esp, ebx
    ret
h_leave:
    push eax
    inc dword ptr [irq0_count]
    mov al, 0x20
    out 0x20, al
    mov eax, [leave_to]
    mov [esp + 4], eax
    pop eax
    iretd
    .data
    .align 4
steps: .long 0
all_dr6: .long 0
last_eip: .long 0
leave_to: .long 0
late: .long 0
    .bss
    .align 64
cell: .skip 128
