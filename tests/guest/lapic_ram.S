/* SPDX-License-Identifier: MIT */
/* lapic_ram.S - The local APIC's page wins over RAM, and over ROM, wherever IA32_APIC_BASE puts it; RAM is as it was when it goes. SDM vol. 3A, 11.4.4 and 10.4.5. */
#include "guest.inc"
#include "paging.inc"
#define RAM   0x600000
#define CODE  0x601000
#define ROM   0xf4000
    .text
    .globl test_main
.macro APIC_AT value
    mov ecx, 0x1b
    mov eax, \value
    xor edx, edx
    wrmsr
.endm
test_main:
    mov dword ptr [RAM + 0x30], 0x12345678
    mov dword ptr [RAM + 0x80], 0xabcd0000
    /* a loop that is hot before the page moves, and reads and writes there */
    mov edi, 3
1:  mov ecx, 3000
    call read_tpr
    EXPECT "RAM: read", eax, 0xabcd0000
    mov ecx, 3000
    mov edx, 0xabcd0000
    call write_tpr
    APIC_AT 0x00600900
    mov ebx, [RAM + 0x30]
    and ebx, 0xff
    EXPECT "version register", ebx, 0x14
    mov ecx, 3000
    mov edx, 0x20
    call write_tpr
    mov ecx, 3000
    call read_tpr
    EXPECT "TPR by a hot loop", eax, 0x20
    mov dword ptr [RAM + 0x80], 0
    mov eax, [0xfee00080]
    EXPECT "nobody at the old place", eax, 0xffffffff
    APIC_AT 0x00601900
    mov eax, [RAM + 0x30]
    EXPECT "RAM again", eax, 0x12345678
    mov ecx, 3000
    call read_tpr
    EXPECT "RAM kept what the APIC hid", eax, 0xabcd0000
    mov dword ptr [CODE + 0x80], 0x30
    mov eax, [CODE + 0x80]
    EXPECT "one page further", eax, 0x30
    mov dword ptr [CODE + 0x80], 0
    /* disabled while it covers RAM (it can be enabled again) */
    APIC_AT 0x00600900
    APIC_AT 0x00600100
    mov eax, [RAM + 0x30]
    EXPECT "disabled: RAM", eax, 0x12345678
    APIC_AT 0xfee00900
    mov eax, [0xfee00030]
    and eax, 0xff
    EXPECT "back", eax, 0x14
    dec edi
    jnz 1b
    /* with paging: a window or TLB entry of the page is stale the moment that the APIC comes */
    call paging_build
    mov eax, offset page_dir
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    mov ecx, 3000
    call read_tpr
    EXPECT "paging: RAM", eax, 0xabcd0000
    mov ecx, 3000
    mov edx, 0xabcd0000
    call write_tpr
    APIC_AT 0x00600900
    mov ecx, 3000
    mov edx, 0x40
    call write_tpr
    mov ecx, 3000
    call read_tpr
    EXPECT "paging: TPR", eax, 0x40
    mov esi, RAM + 0x80
    mov edi, offset copy
    mov ecx, 4
    cld
    rep movsb
    EXPECT "paging: REP MOVSB from it", "dword ptr [copy]", 0x40
    fild dword ptr [RAM + 0x80]
    fistp dword ptr [copy]
    EXPECT "paging: x87 operand", "dword ptr [copy]", 0x40
    mov dword ptr [RAM + 0x80], 0
    APIC_AT 0xfee00900
    mov eax, [RAM + 0x80]
    EXPECT "paging: RAM again", eax, 0xabcd0000
    /* over ROM, and code that ran there */
    mov eax, [ROM + 0x30]
    mov [copy], eax
    APIC_AT ROM+0x900
    mov eax, [ROM + 0x30]
    and eax, 0xff
    EXPECT "over ROM", eax, 0x14
    APIC_AT 0xfee00900
    mov eax, [ROM + 0x30]
    EXPECT "ROM again", eax, "dword ptr [copy]"
    mov dword ptr [CODE], 0xc3424242 /* inc edx, three times; ret */
    mov edx, 0
    mov ecx, 3000
2:  mov eax, CODE
    call eax
    loop 2b
    EXPECT "code in RAM", edx, 9000
    APIC_AT 0x00601900
    mov dword ptr [CODE], 0xc3c3c3c3 /* goes nowhere */
    APIC_AT 0xfee00900
    mov edx, 0
    mov eax, CODE
    call eax
    EXPECT "the code is still there", edx, 3
    ret
read_tpr:
    mov eax, [RAM + 0x80]
    dec ecx
    jnz read_tpr
    ret
write_tpr:
    mov [RAM + 0x80], edx
    dec ecx
    jnz write_tpr
    ret
    .data
    .align 4
copy: .long 0
