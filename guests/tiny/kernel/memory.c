/* SPDX-License-Identifier: MIT */
/*
 * memory.c - page frames, page tables, the address spaces of processes, pages that appear on their
 * first touch.
 *
 * Promises   The kernel's lower gigabyte is the same in every space: RAM at its own address, ring 0
 *            only, code and constants write-protected, page 0 left out.
 * Source     SDM volume 3, section 4.3 (32-bit paging); Multiboot Specification 0.6.96, section
 *            3.3.
 */
#include "kernel/kernel.h"

#define PTE_PRESENT 1u
#define PTE_WRITE   2u
#define PTE_USER    4u
#define PTE_ADDRESS 0xfffff000u
#define ENTRIES     1024u
#define USER_FIRST  (USER_BASE >> 22) /* index into a directory */
#define USER_LAST   ((USER_END - 1) >> 22)
#define LOW_MEMORY  0x100000u
#define CR0_PG_WP   0x80010000u
#define CR0_EM      4u

#define MULTIBOOT_HAS_MEMORY 1u
#define MULTIBOOT_HAS_MAP    0x40u

struct map_entry {
    uint32_t size; /* of the rest */
    uint32_t base, base_high, length, length_high, type;
};

static uint32_t *kernel_space;
static uint32_t next_frame, end_frame; /* never used yet */
static uint32_t free_list; /* used and given back; each one's first word names the next */

/* Where the RAM that begins at 1 MiB ends. */
static uint32_t memory_end(const struct multiboot *info)
{
    if (info->flags & MULTIBOOT_HAS_MAP) {
        for (uint32_t at = info->map; at < info->map + info->map_length;) {
            const struct map_entry *e = (const struct map_entry *)at;
            if (e->type == 1 && !e->base_high && e->base <= LOW_MEMORY &&
                e->base + e->length > LOW_MEMORY)
                return e->base + e->length;
            at += e->size + 4;
        }
    }
    return info->flags & MULTIBOOT_HAS_MEMORY ? LOW_MEMORY + info->mem_upper * 1024 : 0;
}

uint32_t frame_alloc(void)
{
    uint32_t frame = free_list;

    if (frame) {
        free_list = *(uint32_t *)frame;
    } else {
        if (next_frame == end_frame)
            return 0;
        frame = next_frame;
        next_frame += PAGE_SIZE;
    }
    system.free_pages--;
    memset((void *)frame, 0, PAGE_SIZE);
    return frame;
}

void frame_free(uint32_t frame)
{
    *(uint32_t *)frame = free_list;
    free_list = frame;
    system.free_pages++;
}

/* The entry for `address`, with its page table made when wanted; NULL when there is none. */
static uint32_t *entry_find(uint32_t *space, uint32_t address, bool make)
{
    uint32_t *top = &space[address >> 22];

    if (!(*top & PTE_PRESENT)) {
        uint32_t table = make ? frame_alloc() : 0;
        if (!table)
            return NULL;
        *top = table | PTE_PRESENT | PTE_WRITE | PTE_USER; /* the page's own entry decides */
    }
    return (uint32_t *)(*top & PTE_ADDRESS) + (address >> 12) % ENTRIES;
}

void memory_init(const struct multiboot *info)
{
    uint32_t end = memory_end(info) & PTE_ADDRESS;

    if (end > USER_BASE)
        end = USER_BASE;
    next_frame = (uint32_t)kernel_end;
    end_frame = end;
    if (end < next_frame + 64 * PAGE_SIZE)
        panic("too little memory", NULL);
    system.pages = end / PAGE_SIZE;
    system.free_pages = (end_frame - next_frame) / PAGE_SIZE;

    kernel_space = (uint32_t *)frame_alloc();
    for (uint32_t at = PAGE_SIZE; at < end; at += PAGE_SIZE) {
        uint32_t *entry = entry_find(kernel_space, at, true);
        bool constant = at >= (uint32_t)kernel_code && at < (uint32_t)kernel_code_end;
        if (!entry)
            panic("too little memory for page tables", NULL);
        *entry = at | PTE_PRESENT | (constant ? 0 : PTE_WRITE);
    }
    space_use(NULL);
    __asm__ volatile("mov %%cr0, %0; or %1, %0; mov %0, %%cr0"
                     : "=&r"(system.cr0)
                     : "i"(CR0_PG_WP | CR0_EM) /* nobody uses the FPU, so nobody saves it */
                     : "memory");
}

void space_use(const uint32_t *space)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(space ? space : kernel_space) : "memory");
}

uint32_t *space_create(void)
{
    uint32_t *space = (uint32_t *)frame_alloc();

    if (space)
        memcpy(space, kernel_space, USER_FIRST * sizeof *space);
    return space;
}

void space_clear(uint32_t *space)
{
    for (uint32_t i = USER_FIRST; i <= USER_LAST; i++) {
        uint32_t *table = (uint32_t *)(space[i] & PTE_ADDRESS);
        if (!table)
            continue;
        for (uint32_t j = 0; j < ENTRIES; j++)
            if (table[j] & PTE_PRESENT)
                frame_free(table[j] & PTE_ADDRESS);
        frame_free((uint32_t)table);
        space[i] = 0;
    }
}

uint32_t space_pages(const uint32_t *space)
{
    uint32_t n = 0;

    for (uint32_t i = USER_FIRST; i <= USER_LAST; i++) {
        const uint32_t *table = (const uint32_t *)(space[i] & PTE_ADDRESS);
        for (uint32_t j = 0; table && j < ENTRIES; j++)
            n += table[j] & PTE_PRESENT;
    }
    return n;
}

uint32_t space_add(uint32_t *space, uint32_t address, bool writable)
{
    uint32_t *entry = entry_find(space, address, true);
    uint32_t frame = entry ? frame_alloc() : 0;

    if (frame)
        *entry = frame | PTE_PRESENT | PTE_USER | (writable ? PTE_WRITE : 0);
    return frame;
}

/* A touch of heap or stack brings the page in. Returns false when the address is none of these, or
 * no frame is left. */
bool memory_fault(uint32_t address, bool present)
{
    bool heap = address - USER_HEAP < USER_HEAP_SIZE;
    bool stack = address - (USER_STACK_END - USER_STACK_MAX) < USER_STACK_MAX;

    return !present && (heap || stack) && space_add(current->space, address, true);
}

/* May the current process hand this to a system call? Pages that are still to come, come now. */
bool user_range_ok(uint32_t address, uint32_t length, bool write)
{
    uint32_t need = PTE_PRESENT | PTE_USER | (write ? PTE_WRITE : 0);

    if (address < USER_BASE || address > USER_END || length > USER_END - address)
        return false;
    for (uint32_t at = address & PTE_ADDRESS; at < address + length; at += PAGE_SIZE) {
        const uint32_t *entry = entry_find(current->space, at, false);
        if (entry && *entry & PTE_PRESENT ? (*entry & need) != need : !memory_fault(at, false))
            return false;
    }
    return true;
}
