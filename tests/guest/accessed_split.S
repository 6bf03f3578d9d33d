/* SPDX-License-Identifier: MIT */
/* accessed_split.S - A and D of the first page when an access goes on to a second one that faults. CPUs may set A there or not (SDM
 * vol. 3A, section 4.8), D they may not; the engines must do the same, which lockstep compares after each instruction. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
/* page_b is absent, page_a not accessed yet; after the fault its flags are shown in EDX. */
.macro SPLIT insn:req
    PAGE page_a, P_P|P_W
    mov esi, offset page_a+4094
    mov edi, offset page_a+4094
    mov ecx, 4
    xor eax, eax
    xor ebx, ebx
    FAULT_EXPECTED 2f
    \insn
2:  mov esp, [fault_esp]
    cld
    mov ebx, offset page_a
    call page_get
    mov edx, eax
    inc dword ptr [tried]
    test edx, P_D
    jz 3f
    inc dword ptr [dirtied]
3:
.endm
.macro SPLITS
    SPLIT "mov eax, [page_a+4094]"
    SPLIT "mov ax, [page_a+4095]"
    SPLIT "mov [page_a+4094], eax"
    SPLIT "add [page_a+4094], eax"
    SPLIT "add eax, [page_a+4094]"
    SPLIT "lock add [page_a+4094], eax"
    SPLIT "xchg [page_a+4094], eax"
    SPLIT "cmpxchg [page_a+4094], ebx"
    SPLIT "cmpxchg8b [page_a+4092]"
    SPLIT "bts dword ptr [page_a+4094], 1"
    SPLIT "bt dword ptr [page_a+4094], 1"
    SPLIT "lodsd"
    SPLIT "stosd"
    SPLIT "movsd"
    SPLIT "rep movsd"
    SPLIT "rep stosd"
    SPLIT "rep lodsd"
    SPLIT "repe scasd"
    SPLIT "repe cmpsd"
    SPLIT "mov esi, offset page_c; rep movsd"
    SPLIT "mov edi, offset page_c; rep movsd"
    SPLIT "mov esi, offset page_c; repe cmpsd"
    SPLIT "mov edi, offset page_c; repe cmpsd"
    SPLIT "mov edi, offset page_b; mov esi, offset page_a; repe cmpsd"
    SPLIT "mov esi, offset page_b; mov edi, offset page_a; repe cmpsd"
    SPLIT "mov esi, offset page_b; mov edi, offset page_a; rep movsd"
    SPLIT "fld qword ptr [page_a+4092]"
    SPLIT "fld tbyte ptr [page_a+4092]"
    SPLIT "fnstcw [page_a+4095]"
    SPLIT "fnstenv [page_a+4092]"
    SPLIT "fldenv [page_a+4092]"
    SPLIT "fnsave [page_a+4000]"
    SPLIT "frstor [page_a+4000]"
    SPLIT "fxsave [page_a+4080]"
    SPLIT "fxrstor [page_a+4080]"
    SPLIT "movups xmm1, [page_a+4094]"
    SPLIT "movups [page_a+4094], xmm1"
    SPLIT "movq [page_a+4092], mm1"
    SPLIT "movss xmm1, [page_a+4094]"
    SPLIT "mov esp, offset page_a+4094; pop eax"
    SPLIT "mov esp, offset page_a+4094; popad"
    SPLIT "mov esp, offset page_a+4090; ret"
    SPLIT "mov esp, offset page_a+4094; ret"
    SPLIT "mov esp, offset page_a+4094; popfd"
    SPLIT "mov esp, offset page_a+4088; iretd"
    SPLIT "mov ebp, offset page_a+4094; leave"
    SPLIT "mov esp, offset page_a+4094; pop dword ptr [page_c]"
    SPLIT "mov esp, offset page_c+64; pop dword ptr [page_a+4094]"
    SPLIT "push dword ptr [page_a+4094]"
    SPLIT "call dword ptr [page_a+4094]"
    SPLIT "jmp dword ptr [page_a+4094]"
    SPLIT "lds eax, [page_a+4092]"
    SPLIT "call far ptr [page_a+4092]"
    SPLIT "bound eax, [page_a+4092]"
    SPLIT "lgdt [page_a+4092]"
    SPLIT "sgdt [page_a+4092]"
    SPLIT "std; mov edi, offset page_a+4094; rep stosd"
    SPLIT "std; mov esi, offset page_a+4094; rep lodsd"
    SPLIT "mov ebx, offset page_a+4090; xlatb; mov eax, [ebx+4]"
.endm
test_main:
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    mov eax, cr0
    and eax, ~6
    mov cr0, eax
    call paging_on
    PAGE page_b, 0
    mov ebp, offset rounds
    mov dword ptr [ebp], 10
1:  SPLITS
    mov ebp, offset rounds
    dec dword ptr [ebp]
    jnz 1b
    EXPECT "each came back", "dword ptr [rounds]", 0
    EXPECT "all ran", "dword ptr [tried]", 10*59
    /* Where ESP is on page_a, the exception's frame is what is written. */
    EXPECT "D without a write", "dword ptr [dirtied]", 10*7
    call paging_off
    ret

    .bss
rounds: .skip 4
tried: .skip 4
dirtied: .skip 4
