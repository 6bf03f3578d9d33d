/* SPDX-License-Identifier: MIT */
/* dma_code.S - A device writes over code: fw_cfg by DMA (QEMU docs/specs/fw_cfg), over a called page, over the next instruction of its own block, in
 * a loop, over two pages; and where there is no memory. SDM vol. 3A, 11.11 (caches are coherent with bus masters). */
#include "guest.inc"
#define SIGNATURE 0x00 /* "QEMU" */
#define RAM_SIZE 0x03  /* 32 MiB */
#define QEMU 0x554d4551
#define MIB32 0x02000000

/* Reads `len` bytes of item `key` to `to`; eax: the control word when it is done, as the device leaves it. */
.macro DMA key:req, to:req, len:req
    mov dword ptr [command], (\key << 8) | 0x0a000000
    mov dword ptr [command + 4], \len << 24
    mov eax, \to
    bswap eax
    mov [command + 12], eax
    mov eax, offset command
    bswap eax
    mov dx, 0x518
    out dx, eax
.endm

    .text
    .globl test_main
test_main:
    mov dx, 0x514
    in eax, dx
    EXPECT "signature", eax, QEMU
    mov dx, 0x518
    in eax, dx
    EXPECT "signature, second half", eax, 0x47464320
    mov dword ptr [command + 8], 0
    mov dword ptr [page_a], 0x000001b8
    mov word ptr [page_a + 4], 0xc300
    call page_a
    EXPECT "code", eax, 1
    DMA SIGNATURE, "offset page_a + 1", 4
    EXPECT "it is done", "dword ptr [command]", 0
    call page_a
    EXPECT "called after DMA over it", eax, QEMU
    DMA RAM_SIZE, "offset page_a + 1", 4
    call page_a
    EXPECT "once more", eax, MIB32
    /* the instruction behind OUT, of the same block */
    DMA SIGNATURE, "offset 1f + 1", 4
1:  mov eax, 0x11111111
    EXPECT "next instruction", eax, QEMU
    /* linked and hot */
    mov esi, 0
    mov ecx, 200
2:  mov dword ptr [page_a + 1], ecx
    call page_a
    add esi, eax
    push ecx
    DMA RAM_SIZE, "offset page_a + 1", 4
    call page_a
    add esi, eax
    DMA SIGNATURE, "offset page_a + 1", 4
    call page_a
    sub esi, eax
    pop ecx
    dec ecx
    jnz 2b
    EXPECT "200 rounds", esi, (20100 + 200 * (MIB32 - QEMU)) & 0xffffffff
    /* an instruction over two pages, its second half by DMA; then a transfer over both */
    mov byte ptr [page_b - 2], 0xb8
    mov byte ptr [page_b - 1], 0x11
    mov dword ptr [page_b], 0xc3000000
    call page_b_minus_2
    EXPECT "over two pages", eax, 0x11
    DMA SIGNATURE, "offset page_b", 3
    call page_b_minus_2
    EXPECT "second half", eax, 0x4d455111
    DMA SIGNATURE, "offset page_b - 1", 4
    call page_b_minus_2
    EXPECT "both", eax, QEMU
    /* from the item's end on there are zeroes */
    mov dword ptr [page_a + 5], 0xc3c3c3c3
    DMA SIGNATURE, "offset page_a", 8
    EXPECT "the item", "dword ptr [page_a]", QEMU
    EXPECT "behind its end", "dword ptr [page_a + 4]", 0
    /* where no memory is */
    DMA SIGNATURE, 0xfed80000, 4
    EXPECT "into a hole", "dword ptr [command]", 0x01000000
    ret
    .set page_b_minus_2, page_b - 2
    .data
    .balign 4
command: .skip 16
    .bss
    .balign 4096
page_a: .skip 4096
    .skip 4096
page_b: .skip 4096
