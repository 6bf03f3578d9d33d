/* SPDX-License-Identifier: MIT */
/* lapic_over.S - The local APIC's page moves onto code that runs, the stack and a page table, and away again. SDM vol. 3A, 11.4.4 and 10.4.5. */
#include "guest.inc"
#include "paging.inc"
#define RAM   0x600000
#define CODE  0x601000
#define TABLE 0x603000
    .text
    .globl test_main
.macro APIC_AT value
    mov ecx, 0x1b
    mov eax, \value
    xor edx, edx
    wrmsr
.endm
.macro COPY to:req, from:req, end:req
    mov esi, offset \from
    mov edi, \to
    mov ecx, offset \end - \from
    rep movsb
.endm
test_main:
    cld
    mov ebp, 3
1:  call all
    dec ebp
    jnz 1b
    /* the same with paging, and a page table */
    call paging_build
    mov esi, offset page_tab + 4096
    mov edi, TABLE
    mov ecx, 1024
    rep movsd
    mov dword ptr [page_dir + 4], TABLE + P_P + P_W + P_U
    mov eax, offset page_dir
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    mov ebp, 3
1:  call all
    mov dword ptr [0x500000], 0x5555
    mov ecx, 3000
2:  mov eax, [0x500000]
    loop 2b
    APIC_AT 0x00603900
    invlpg [0x500000]
    FAULT "a table under the APIC: not present", 14, 0, mov eax, [0x500000]
    APIC_AT 0xfee00900
    NOFAULT "the table again", mov eax, [0x500000]
    EXPECT "what it maps", eax, 0x5555
    dec ebp
    jnz 1b
    ret
all:
    /* a hot loop calls what moves the APIC onto the loop's page and away */
    COPY CODE, looping, looping_end
    mov dword ptr [calls], 0
    mov edi, 2000
    mov eax, CODE
    call eax
    EXPECT "the APIC came over a loop and went", "dword ptr [calls]", 2000
    /* code puts the APIC onto itself: what is fetched there are zeroes, ADD [EAX], AL, up to the next page */
    COPY (CODE+0xf00), burying, burying_end
    mov byte ptr [CODE + 0x1000], 0xc3
    mov edi, 50
2:  mov eax, CODE + 0xf00
    call eax
    mov ebx, [CODE + 0x30]
    and ebx, 0xff
    APIC_AT 0xfee00900
    dec edi
    jnz 2b
    EXPECT "code put the APIC onto itself", ebx, 0x14
    EXPECT "and does not go on there", "dword ptr [calls]", 2000
    /* the stack */
    mov edi, 300
2:  mov dword ptr [RAM + 0x80], 0xabcd
    mov esi, esp
    mov esp, RAM + 0x84
    APIC_AT 0x00600900
    push 0x30
    pop ebx
    push 0
    APIC_AT 0xfee00900
    mov esp, esi
    dec edi
    jnz 2b
    EXPECT "PUSH and POP of TPR", ebx, 0x30
    mov eax, [RAM + 0x80]
    EXPECT "the stack again", eax, 0xabcd
    ret
looping:
1:  mov eax, offset over_and_back
    call eax
    dec edi
    jnz 1b
    ret
looping_end:
burying:
    APIC_AT 0x00601900
    inc dword ptr [calls]
    ret
burying_end:
over_and_back:
    inc dword ptr [calls]
    APIC_AT 0x00601900
    APIC_AT 0xfee00900
    ret
    .data
    .align 4
calls: .long 0
