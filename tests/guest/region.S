/* SPDX-License-Identifier: MIT */
/* region.S - Memory besides the RAM (region_machine.c has a ROM and a frame buffer): code in ROM, code that is written to the frame buffer by the CPU and
 * by its device, a move between two instructions, moves under page tables, which pages were written. */
#include "guest.inc"
#include "paging.inc"
#define PLACE 0x5e0
#define LOG 0x5e4
#define OFFSET 0x5e8
#define POKE 0x5ec
#define ROM_PLACE 0x5f0
    .set FRAME, 0xe0000000
    .set MOVED, 0xe8000000
    .set ROM, 0xffff0000

.macro PORT_OUT port:req, value:req
    mov dx, \port
    mov eax, \value
    out dx, eax
.endm

    .text
    .globl test_main
test_main:
    EXPECT "nothing is there yet", "dword ptr [ROM]", 0xffffffff
    PORT_OUT ROM_PLACE, ROM
    EXPECT "ROM", "dword ptr [ROM]", 0x0424448b
    mov dword ptr [ROM], 0
    EXPECT "takes no writes", "dword ptr [ROM]", 0x0424448b
    /* code in ROM, hot */
    mov esi, 0
    mov ecx, 500
1:  push ecx
    mov eax, ROM
    call eax
    pop ecx
    add esi, eax
    loop 1b
    EXPECT "500 calls", esi, (125250 + 500 * 0x1234)
    /* code written to the frame buffer */
    PORT_OUT PLACE, FRAME
    mov dx, LOG
    in eax, dx
    EXPECT "all pages at first", eax, 0xffffffff
    mov dword ptr [FRAME + 0x1000], 0x000000b8
    mov word ptr [FRAME + 0x1004], 0xc300
    mov edi, FRAME + 0x1000
    mov esi, 0
    mov ecx, 200
2:  mov [FRAME + 0x1001], ecx
    call edi
    add esi, eax
    loop 2b
    EXPECT "200 changes", esi, 20100
    mov dx, LOG
    in eax, dx
    EXPECT "one page was written", eax, 2
    in eax, dx
    EXPECT "and no more", eax, 0
    /* its device writes over code, as the next thing of the block */
    PORT_OUT OFFSET, 0x1001
    mov esi, 0
    mov ecx, 50
3:  mov dx, POKE
    mov eax, ecx
    out dx, eax
    call edi
    add esi, eax
    loop 3b
    EXPECT "50 pokes", esi, 1275
    mov dx, LOG
    in eax, dx
    EXPECT "the device's writes are in the log", eax, 2
    /* a move: the next instruction sees it */
    mov dword ptr [FRAME + 0x3000], 0x12345678
    PORT_OUT PLACE, MOVED
    mov ebx, [FRAME + 0x3000]
    mov ecx, [MOVED + 0x3000]
    EXPECT "gone", ebx, 0xffffffff
    EXPECT "here", ecx, 0x12345678
    mov edi, MOVED + 0x1000
    call edi
    EXPECT "its code too", eax, 1
    mov esi, 0
    mov ecx, 100
4:  PORT_OUT PLACE, FRAME
    add esi, [FRAME + 0x3000]
    mov edi, FRAME + 0x1000
    call edi
    add esi, eax
    PORT_OUT PLACE, MOVED
    add esi, [MOVED + 0x3000]
    mov edi, MOVED + 0x1000
    call edi
    add esi, eax
    dec ecx
    jnz 4b
    EXPECT "moved to and fro", esi, (200 * 0x12345679) & 0xffffffff
    /* over RAM */
    mov dword ptr [0x1000000], 0x77
    PORT_OUT PLACE, 0x1000000
    EXPECT "over RAM", "dword ptr [0x1003000]", 0x12345678
    mov dword ptr [0x1000000], 0x88
    mov edi, 0x1001000
    call edi
    EXPECT "code there", eax, 1
    PORT_OUT PLACE, 0
    EXPECT "the RAM below", "dword ptr [0x1000000]", 0x77
    /* under page tables, at CPL 0 and 3 */
    PORT_OUT PLACE, FRAME
    call paging_on
    mov ebx, offset page_c
    shr ebx, 12
    mov dword ptr [page_tab + ebx * 4], FRAME + 0x3007
    invlpg [page_c]
    mov esi, 0
    mov ecx, 100
5:  add esi, [page_c]
    inc dword ptr [page_c + 4]
    loop 5b
    EXPECT "mapped", esi, (100 * 0x12345678) & 0xffffffff
    PORT_OUT PLACE, MOVED
    mov eax, [page_c]
    EXPECT "moved away under the mapping", eax, 0xffffffff
    mov dword ptr [page_c + 4], 0
    PORT_OUT PLACE, FRAME
    EXPECT "and back", "dword ptr [page_c]", 0x12345678
    EXPECT "what was written", "dword ptr [page_c + 4]", 100
    call paging_off
    ret
