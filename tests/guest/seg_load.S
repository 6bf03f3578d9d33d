/* SPDX-License-Identifier: MIT */
/* seg_load.S - Loading segment registers: types, DPL and RPL, present, limits of the tables, error codes, nothing changed. SDM vol. 3A, 5.4 to 5.6. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    DESC SEL_FREE0, 0, 0xfffff, 0x91, DESC_32G  /* read-only data */
    DESC SEL_FREE1, 0, 0xfffff, 0x99, DESC_32G  /* execute-only code */
    DESC SEL_FREE2, 0, 0xfffff, 0x9b, DESC_32G  /* readable code */
    DESC SEL_FREE3, 0, 0xfffff, 0x13, DESC_32G  /* data, not present */
    DESC SEL_FREE4, 0, 0xfffff, 0x82, 0         /* system: LDT */
    DESC SEL_FREE5, 0, 0xfffff, 0xf3, DESC_32G  /* data, DPL 3 */
    DESC SEL_FREE6, 0, 0xfffff, 0x9f, DESC_32G  /* conforming readable code, DPL 0 */
    DESC SEL_FREE7, 0, 0xfffff, 0xd3, DESC_32G  /* data, DPL 2 */
    DESC SEL_FREE8, 0, 0xfffff, 0x11, DESC_32G  /* read-only, not present */
    DESC SEL_FREE9, "offset ldt", 15, 0x82, 0   /* LDT of two entries */
    mov dword ptr [ldt + 8], 0x0000ffff
    mov dword ptr [ldt + 12], 0x00cf9300
.macro LOAD_OK name, sel
    mov ax, \sel
    NOFAULT "\name", mov fs, ax
    EXPECT16 "\name: selector", fs, \sel
.endm
.macro LOAD_BAD name, sel, vector, error
    mov ax, SEL_DATA32
    mov fs, ax
    mov ax, \sel
    FAULT "\name", \vector, \error, mov fs, ax
    mov ax, fs
    EXPECT16 "\name: selector kept", ax, SEL_DATA32
.endm
    xor eax, eax
    lldt ax /* after RESET the LDTR is usable: base 0, limit ffff */
    sldt ax
    EXPECT16 "no LDT at first", ax, 0
    LOAD_BAD "no LDT: #GP(selector)", 0x0c, 13, 0x0c
    mov ax, SEL_FREE9
    lldt ax
    NOFAULT "LDT selector", .byte 0x90
    mov ax, 0x0c
    mov fs, ax
    NOFAULT "use of an LDT segment", mov eax, fs:[gdt]
    LOAD_BAD "beyond the LDT's limit", 0x14, 13, 0x14
    LOAD_BAD "empty LDT entry", 0x04, 13, 0x04
    LOAD_BAD "beyond the GDT's limit", 0xfff8, 13, 0xfff8
    LOAD_BAD "beyond the GDT's limit, RPL 3 is not in the code", 0xfffb, 13, 0xfff8
    LOAD_BAD "execute-only code", SEL_FREE1, 13, SEL_FREE1
    LOAD_BAD "system segment", SEL_FREE4, 13, SEL_FREE4
    LOAD_BAD "not present", SEL_FREE3, 11, SEL_FREE3
    LOAD_BAD "RPL 3 of a DPL 0 segment", SEL_DATA32+3, 13, SEL_DATA32
    LOAD_BAD "RPL 3 of a DPL 2 segment", SEL_FREE7+3, 13, SEL_FREE7
    LOAD_BAD "not present and too privileged: #GP first", SEL_FREE3+3, 13, SEL_FREE3
    mov ax, SEL_FREE0
    NOFAULT "read-only data", mov fs, ax
    FAULT "write to read-only data", 13, 0, mov fs:[gdt], eax
    FAULT "read-modify-write of read-only data", 13, 0, or dword ptr fs:[gdt], 0
    NOFAULT "read of read-only data", mov eax, fs:[gdt]
    mov ax, SEL_FREE2
    NOFAULT "readable code", mov fs, ax
    NOFAULT "read through it", mov eax, fs:[gdt]
    FAULT "write through it", 13, 0, mov fs:[gdt], eax
    FAULT "write through CS", 13, 0, mov cs:[gdt], eax
    mov ax, SEL_FREE6+3
    NOFAULT "conforming code with RPL 3", mov fs, ax
    mov ax, SEL_FREE5
    NOFAULT "DPL 3 data with RPL 0", mov fs, ax
    mov ax, SEL_FREE7+2
    NOFAULT "DPL 2 data with RPL 2", mov fs, ax
    /* null selectors load, and fault when used; all four of them */
    xor eax, eax
    NOFAULT "null", mov fs, ax
    FAULT "use of null", 13, 0, mov eax, fs:[gdt]
    mov ax, 3
    NOFAULT "null with RPL 3", mov gs, ax
    mov ax, gs
    EXPECT16 "it keeps its RPL", ax, 3
    FAULT "use of null 3", 13, 0, mov gs:[gdt], eax
    /* the same load again and again, of a descriptor that changes under it */
    mov ebp, 40
1:  mov eax, SEL_FREE5
    mov fs, eax
    push SEL_FREE5
    pop gs
    dec ebp
    jnz 1b
    EXPECT "base of the first descriptor", "dword ptr fs:[ldt + 8]", "dword ptr [ldt + 8]"
    DESC SEL_FREE5, 8, 0xfffff, 0xf3, DESC_32G
    mov ebp, 40
1:  mov eax, SEL_FREE5
    stc
    std
    mov fs, eax
    mov ecx, esp
    push SEL_FREE5
    pop gs
    pushfd
    cld
    pop ebx
    and ebx, 0x401
    sub ecx, esp
    dec ebp
    jnz 1b
    EXPECT "flags kept", ebx, 0x401
    EXPECT "esp of POP", ecx, 0
    EXPECT "base of the second, MOV", "dword ptr fs:[ldt]", "dword ptr [ldt + 8]"
    EXPECT "base of the second, POP", "dword ptr gs:[ldt]", "dword ptr [ldt + 8]"
    DESC SEL_FREE5, 0, 0xfffff, 0x73, DESC_32G /* not present any more */
    LOAD_BAD "not present any more", SEL_FREE5, 11, SEL_FREE5
    DESC SEL_FREE5, 0, 0xfffff, 0xf2, DESC_32G
    mov eax, SEL_FREE5
    mov fs, eax
    EXPECT16 "accessed again", "byte ptr [gdt + 0x70 + 5]", 0xf3
    /* SS */
.macro SS_BAD name, sel, vector, error
    mov ax, \sel
    FAULT "ss: \name", \vector, \error, mov ss, ax
    mov ax, ss
    EXPECT16 "ss: \name: kept", ax, SEL_DATA32
.endm
    SS_BAD "null", 0, 13, 0
    SS_BAD "null 3", 3, 13, 0
    SS_BAD "read-only", SEL_FREE0, 13, SEL_FREE0
    SS_BAD "code", SEL_FREE2, 13, SEL_FREE2
    SS_BAD "not present is #SS", SEL_FREE3, 12, SEL_FREE3
    SS_BAD "RPL is not CPL", SEL_DATA32+3, 13, SEL_DATA32
    SS_BAD "DPL is not CPL", SEL_FREE5, 13, SEL_FREE5
    SS_BAD "system", SEL_FREE4, 13, SEL_FREE4
    SS_BAD "beyond the table", 0xff0, 13, 0xff0
    SS_BAD "read-only and not present: #GP", SEL_FREE8, 13, SEL_FREE8
    FAULT "mov to cs", 6, 0, .byte 0x8e, 0xc8
    FAULT "mov to segment 6", 6, 0, .byte 0x8e, 0xf0
    FAULT "mov from segment 7", 6, 0, .byte 0x8c, 0xf8
    /* POP and LxS: nothing changes, ESP neither */
    push SEL_FREE1
    FAULT "pop fs", 13, SEL_FREE1, pop fs
    pop ecx
    EXPECT "pop fs: esp kept", ecx, SEL_FREE1
    mov dword ptr [far_pointer], 0x12345678
    mov word ptr [far_pointer + 4], SEL_FREE3
    mov ecx, 5
    FAULT "lgs not present", 11, SEL_FREE3, lgs ecx, [far_pointer]
    EXPECT "lgs: register kept", ecx, 5
    FAULT "lss not present", 12, SEL_FREE3, lss ecx, [far_pointer]
    mov word ptr [far_pointer + 4], SEL_FREE5
    NOFAULT "les", les ecx, [far_pointer]
    mov ax, SEL_DATA32
    mov es, ax
    EXPECT "les: register", ecx, 0x12345678
    mov word ptr [far_pointer + 2], SEL_FREE5
    NOFAULT "lfs16", lfs cx, [far_pointer]
    EXPECT "lfs16: register", ecx, 0x12345678
    FAULT "lds of a register", 6, 0, .byte 0xc5, 0xc0
    /* CPL 3 */
    USER u_load0
    EXPECT_FAULT "CPL 3 loads DPL 0 data", 13, SEL_DATA32
    USER u_load3
    EXPECT_FAULT "CPL 3 loads DPL 3 data, conforming code", 0x30, 0
    USER u_load2
    EXPECT_FAULT "CPL 3 loads DPL 2 data", 13, SEL_FREE7
    USER u_ss
    EXPECT_FAULT "CPL 3: SS with RPL 0", 13, SEL_FREE5
    USER u_ss3
    EXPECT_FAULT "CPL 3: SS with RPL 3", 0x30, 0
    /* accessed bit */
    DESC SEL_FREE0, 0, 0xfffff, 0x92, DESC_32G
    DESC SEL_FREE1, 0, 0xfffff, 0x9a, DESC_32G
    mov ax, SEL_FREE0
    verr ax
    lar ecx, ax
    lsl ecx, ax
    EXPECT16 "VERR, LAR, LSL set no accessed bit", "byte ptr [gdt + 0x48 + 5]", 0x92
    mov fs, ax
    EXPECT16 "a load sets it", "byte ptr [gdt + 0x48 + 5]", 0x93
    call SEL_FREE1:far_ret
    EXPECT16 "of code too", "byte ptr [gdt + 0x50 + 5]", 0x9b
    DESC SEL_FREE3, 0, 0xfffff, 0x12, DESC_32G
    mov ax, SEL_FREE3
    FAULT "not present again", 11, SEL_FREE3, mov fs, ax
    EXPECT16 "a failed load does not set it", "byte ptr [gdt + 0x60 + 5]", 0x12
    /* LTR, LLDT */
    mov ax, SEL_DATA32
    FAULT "ltr of data", 13, SEL_DATA32, ltr ax
    xor eax, eax
    FAULT "ltr of null", 13, 0, ltr ax
    mov ax, SEL_TSS
    FAULT "ltr of a busy TSS", 13, SEL_TSS, ltr ax
    mov ax, 0x0c
    FAULT "ltr from the LDT", 13, 0x0c, ltr ax
    DESC SEL_FREE4, "offset tss", 0x67, 0x09, 0
    mov ax, SEL_FREE4
    FAULT "ltr of a TSS not present", 11, SEL_FREE4, ltr ax
    DESC SEL_FREE4, "offset tss", 0x67, 0x89, 0
    NOFAULT "ltr", ltr ax
    EXPECT16 "ltr sets busy", "byte ptr [gdt + 0x68 + 5]", 0x8b
    str eax
    EXPECT16 "str", ax, SEL_FREE4
    mov ax, SEL_TSS
    FAULT "lldt of a TSS", 13, SEL_TSS, lldt ax
    DESC SEL_FREE4, "offset ldt", 15, 0x02, 0
    mov ax, SEL_FREE4
    FAULT "lldt of an LDT not present", 11, SEL_FREE4, lldt ax
    mov ax, 3
    NOFAULT "lldt of null", lldt ax
    sldt ecx
    EXPECT16 "sldt after that", cx, 3
    LOAD_BAD "and the LDT is gone", 0x0c, 13, 0x0c
    ret
far_ret: retf
    .data
far_pointer: .long 0, 0
    .section .user
u_load0:
    mov ax, SEL_DATA32
    mov fs, ax
u_load3:
    mov ax, SEL_FREE5
    mov fs, ax
    mov ax, SEL_FREE6
    mov fs, ax
    USER_EXIT
u_load2:
    mov ax, SEL_FREE7
    mov fs, ax
u_ss:
    mov ax, SEL_FREE5
    mov ss, ax
u_ss3:
    mov ax, SEL_FREE5+3
    mov ss, ax
    USER_EXIT
