/* SPDX-License-Identifier: MIT */
/* dma.c - see dma.h. */
#include "monitor/memory/dma.h"

#include "include/ring1/mem.h"
#include "monitor/memory/page.h"
#include "monitor/memory/phys.h"

/* The memory that a device finds at gpa; NULL: none. *kind is what the page would be without the
 * local APIC, which only the CPU sees. */
static uint8_t *find(const struct vm *vm, gpa_t gpa, uint8_t *kind)
{
    gpa_t page = gpa & ~(gpa_t)GUEST_PAGE_MASK;

    *kind = phys_kind(vm, gpa);
    if (vm->cover == (page | VM_COVERED))
        *kind = vm->cover_kind;
    return *kind & PAGE_MMIO ? NULL : phys_host(vm, gpa);
}

/* Bytes of [gpa, gpa+len) up to the page's end. */
static uint32_t piece(gpa_t gpa, uint32_t len)
{
    uint32_t room = GUEST_PAGE_SIZE - (uint32_t)(gpa & GUEST_PAGE_MASK);

    return len < room ? len : room;
}

bool vm_dma_read(struct vm *vm, gpa_t gpa, void *out, uint32_t len)
{
    uint8_t *to = out, kind;
    bool whole = true;

    vm->dma.reads++;
    while (len) {
        uint32_t n = piece(gpa, len);
        const uint8_t *from = find(vm, gpa, &kind);

        if (from)
            memcpy(to, from, n);
        else
            memset(to, 0xff, n);
        whole &= from != NULL;
        to += n;
        len -= n;
        gpa = gpa + n < gpa ? UINT64_MAX & ~(gpa_t)GUEST_PAGE_MASK : gpa + n;
    }
    vm->dma.missed_reads += !whole;
    return whole;
}

static void store(struct vm *vm, gpa_t gpa, uint8_t kind, uint8_t *to, const uint8_t *in,
                  uint32_t len)
{
    gpa_t page = gpa & ~(gpa_t)GUEST_PAGE_MASK;
    uint32_t first = (uint32_t)(gpa - page);

    if (!(kind & PAGE_MARKS)) {
        memcpy(to, in, len);
        return;
    }
    bool same = !memcmp(to, in, len);
    if (!same)
        memcpy(to, in, len);
    page_written(vm, page, first, first + len - 1, same);
}

bool vm_dma_write(struct vm *vm, gpa_t gpa, const void *in, uint32_t len)
{
    const uint8_t *from = in;
    bool whole = true;
    uint8_t kind = 0;

    vm->dma.writes++;
    while (len) {
        uint32_t n = piece(gpa, len);
        uint8_t *to = find(vm, gpa, &kind);
        bool can = to && !(kind & PAGE_ROM);

        if (can)
            store(vm, gpa, kind, to, from, n);
        whole &= can;
        from += n;
        len -= n;
        gpa = gpa + n < gpa ? UINT64_MAX & ~(gpa_t)GUEST_PAGE_MASK : gpa + n;
    }
    vm->dma.missed_writes += !whole;
    return whole;
}

/* Whose memory is seen at gpa, where some is; NULL: the RAM's. */
static struct region *owner_of(const struct vm *vm, gpa_t gpa)
{
    if (gpa < vm->ram_size && phys_host(vm, gpa) == vm->ram + gpa)
        return NULL;
    return region_at(vm, gpa);
}

uint32_t vm_dma_map(struct vm *vm, gpa_t gpa, uint32_t len, bool write, struct dma_map *m)
{
    uint32_t got = 0;
    uint8_t kind = 0;
    uint8_t *first = find(vm, gpa, &kind);
    struct region *owner = owner_of(vm, gpa);

    for (const uint8_t *at = first; at && got < len && at == first + got;) {
        if ((write && (kind & PAGE_ROM)) || owner_of(vm, gpa + got) != owner)
            break;
        got += piece(gpa + got, len - got);
        at = find(vm, gpa + got, &kind);
    }
    if (!got || vm->dma.maps == DMA_MAPS_MAX) {
        vm->dma.missed_reads += !write;
        vm->dma.missed_writes += write;
        return 0;
    }
    vm->dma.maps++;
    *m = (struct dma_map){.bytes = first, .gpa = gpa, .len = got, .write = write, .owner = owner};
    return got;
}

/* The memory map may have changed meanwhile: who hears is asked by where the bytes are now. */
void vm_dma_unmap(struct vm *vm, struct dma_map *m, uint32_t written)
{
    struct region *r = m->owner;

    VMM_CHECK(vm->dma.maps && written <= (m->write ? m->len : 0));
    vm->dma.maps--;
    vm->dma.writes += m->write;
    vm->dma.reads += !m->write;
    if (r)
        region_written(vm, r, (uint64_t)(m->bytes - r->host), written);
    else
        vm_ram_written(vm, (gpa_t)(m->bytes - vm->ram), written);
}
