/* SPDX-License-Identifier: MIT */
/* lar_lsl.S - LAR, LSL, VERR, VERW, ARPL for every type, at CPL 0 and with RPL 3. SDM vol. 2; vol. 3A, table 3-2. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    /* All sixteen system types and the data/code types, present, DPL 0: bitmap of what each instruction accepts. */
    xor edi, edi /* bit n: type n */
    mov dword ptr [lar_sys], 0
    xor ecx, ecx
1:  mov eax, ecx
    or al, 0x80
    DESC SEL_FREE0, 0x12345678, 0x4321, 0, 0
    mov [gdt + SEL_FREE0 + 5], al
    mov ax, SEL_FREE0
    lar edx, eax
    jnz 2f
    bts dword ptr [lar_sys], ecx
2:  lsl edx, eax
    jnz 3f
    bts dword ptr [lsl_sys], ecx
3:  verr ax
    jnz 4f
    bts dword ptr [verr_sys], ecx
4:  verw ax
    jnz 5f
    bts dword ptr [verw_sys], ecx
5:  or byte ptr [gdt + SEL_FREE0 + 5], 0x10
    lar edx, eax
    jnz 2f
    bts dword ptr [lar_seg], ecx
2:  lsl edx, eax
    jnz 3f
    bts dword ptr [lsl_seg], ecx
3:  verr ax
    jnz 4f
    bts dword ptr [verr_seg], ecx
4:  verw ax
    jnz 5f
    bts dword ptr [verw_seg], ecx
5:  or eax, 3 /* RPL 3, DPL 0 */
    lar edx, eax
    jnz 2f
    bts dword ptr [lar_rpl], ecx
2:  verr ax
    jnz 3f
    bts dword ptr [verr_rpl], ecx
3:  inc ecx
    cmp ecx, 16
    jb 1b
    EXPECT "LAR: 16-bit TSS, LDT, busy, call and task gates, 32-bit TSS, busy, call gate", "dword ptr [lar_sys]", 0x1a3e
    EXPECT "LSL: TSSs and LDT", "dword ptr [lsl_sys]", 0x0a0e
    EXPECT "VERR: no system type", "dword ptr [verr_sys]", 0
    EXPECT "VERW: no system type", "dword ptr [verw_sys]", 0
    EXPECT "LAR: all segments", "dword ptr [lar_seg]", 0xffff
    EXPECT "LSL: all segments", "dword ptr [lsl_seg]", 0xffff
    EXPECT "VERR: data and readable code", "dword ptr [verr_seg]", 0xccff
    EXPECT "VERW: writable data", "dword ptr [verw_seg]", 0x00cc
    EXPECT "LAR with RPL 3: conforming code only", "dword ptr [lar_rpl]", 0xf000
    EXPECT "VERR with RPL 3: readable conforming code only", "dword ptr [verr_rpl]", 0xc000
    DESC SEL_FREE1, 0x12345678, 0xabcde, 0xf3, 0xd
    mov ax, SEL_FREE1
    lar ecx, eax
    and ecx, 0xfff0ffff /* bits 16 to 19 are undefined */
    EXPECT "LAR: the rights", ecx, 0x00d0f300
    mov ecx, 0x11112222
    lar cx, ax
    EXPECT "LAR16", ecx, 0x1111f300
    lsl ecx, eax
    EXPECT "LSL: page granular", ecx, 0xabcdefff
    mov ecx, 0x11112222
    lsl cx, ax
    EXPECT "LSL16", ecx, 0x1111efff
    mov ecx, 0x55
    mov ax, 0
    cmp eax, eax
    lar ecx, eax
    EXPECT_FLAGS "LAR of null clears ZF", 0x40, 0
    EXPECT "and keeps the register", ecx, 0x55
    mov ax, 0xfff8
    lsl ecx, eax
    EXPECT_FLAGS "LSL beyond the table", 0x40, 0
    verr ax
    EXPECT_FLAGS "VERR beyond the table", 0x40, 0
    and byte ptr [gdt + SEL_FREE1 + 5], 0x7f
    mov ax, SEL_FREE1
    lar ecx, eax
    EXPECT_FLAGS "LAR of a segment not present", 0x40, 0x40
    and ecx, 0xfff0ffff
    EXPECT "its rights", ecx, 0x00d07300
    SET_FLAGS 0x8d7
    lar ecx, eax
    EXPECT_FLAGS "LAR changes ZF only", 0x8d5, 0x8d5
    EXPECT_FLAGS "and sets it", 0x40, 0x40
    /* From memory, into every kind of register, ZF alone changing. */
    or byte ptr [gdt + SEL_FREE1 + 5], 0x80
    mov word ptr [m], SEL_FREE1
    xor eax, eax
    lldt ax
    mov dword ptr [rounds], 3 /* translated code's later rounds are answered without a callout */
1:  mov ebx, 0x11112222
    lsl ebx, word ptr [m]
    EXPECT "LSL from memory", ebx, 0xabcdefff
    mov ebp, 0x11112222
    lsl bp, word ptr [m]
    EXPECT "LSL16 into BP", ebp, 0x1111efff
    mov edx, esp
    mov eax, SEL_FREE1
    lsl esp, eax
    xchg edx, esp
    EXPECT "LSL into ESP", edx, 0xabcdefff
    push SEL_FREE1
    lsl ecx, word ptr [esp]
    pop eax
    EXPECT "LSL from the stack", ecx, 0xabcdefff
    SET_FLAGS 0x895
    verw word ptr [m]
    EXPECT_FLAGS "VERW of data sets ZF only", 0x8d5, 0x8d5
    SET_FLAGS 0xcd7
    mov eax, 0xfff8
    verr ax
    EXPECT_FLAGS "VERR beyond the table clears ZF only, DF set", 0xcd5, 0xc95
    cld
    SET_FLAGS 0x42
    mov word ptr [m], 0
    verw word ptr [m]
    EXPECT_FLAGS "VERW of null", 0x8d5, 0
    mov word ptr [m], SEL_FREE1
    mov eax, 4 | SEL_FREE1
    lar edx, eax
    EXPECT_FLAGS "LAR without an LDT", 0x40, 0
    dec dword ptr [rounds]
    jnz 1b
    /* CPL 3 */
    USER u_inspect
    EXPECT_FAULT "at CPL 3", 0x30, 0
    EXPECT "LSL of DPL 3", ebx, 0xabcdefff
    EXPECT "LAR of DPL 0: ZF", esi, 0
    EXPECT "LAR of DPL 0: register", ebp, 0x55
    /* ARPL */
    mov eax, 0x7700 | 0x10
    mov ecx, 3
    arpl ax, cx
    EXPECT_FLAGS "ARPL raises: ZF", 0x40, 0x40
    EXPECT "ARPL raises", eax, 0x7713
    mov ecx, 1
    arpl ax, cx
    EXPECT_FLAGS "ARPL does not lower: no ZF", 0x40, 0
    EXPECT "ARPL does not lower", eax, 0x7713
    mov dword ptr [m], 0xaaaa0008
    arpl [m], cx
    EXPECT "ARPL in memory", "dword ptr [m]", 0xaaaa0009
    ret
    .data
    .align 4
m: .long 0
lar_sys: .long 0
lsl_sys: .long 0
verr_sys: .long 0
verw_sys: .long 0
lar_seg: .long 0
lsl_seg: .long 0
verr_seg: .long 0
verw_seg: .long 0
lar_rpl: .long 0
verr_rpl: .long 0
rounds: .long 0
    .section .user
u_inspect:
    mov edx, 3
1:  mov eax, SEL_FREE1 | 3
    lsl ebx, eax
    mov ebp, 0x55
    mov esi, 1
    mov eax, 1*8
    lar ebp, eax
    jz 2f
    mov esi, 0
2:  dec edx
    jnz 1b
    USER_EXIT
