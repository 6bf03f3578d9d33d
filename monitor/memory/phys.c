/* SPDX-License-Identifier: MIT */
/* phys.c - see phys.h. */
#include "monitor/memory/phys.h"

#include "include/ring1/mem.h"
#include "monitor/cpu/trace.h"
#include "monitor/memory/dirty.h"
#include "monitor/memory/page.h"

/* Largest naturally aligned piece at gpa of at most `len` bytes that a bus takes. */
static unsigned bus_piece(gpa_t gpa, unsigned len)
{
    if (len >= 4 && !(gpa & 3))
        return 4;
    return len >= 2 && !(gpa & 1) ? 2 : 1;
}

static void mmio_load(struct vm *vm, gpa_t gpa, uint8_t *out, unsigned len)
{
    while (len) {
        unsigned n = bus_piece(gpa, len);
        uint32_t val = bus_read(&vm->mem, gpa, n, vm_now(vm));

        if (trace_wants(vm, TRACE_ACCESSES))
            trace_access(vm, &vm->mem, false, gpa, n, val);
        memcpy(out, &val, n);
        gpa += n;
        out += n;
        len -= n;
    }
}

static void mmio_store(struct vm *vm, gpa_t gpa, const uint8_t *in, unsigned len)
{
    while (len) {
        unsigned n = bus_piece(gpa, len);
        uint32_t val = 0;

        memcpy(&val, in, n);
        if (trace_wants(vm, TRACE_ACCESSES))
            trace_access(vm, &vm->mem, true, gpa, n, val);
        bus_write(&vm->mem, gpa, n, val, vm_now(vm));
        gpa += n;
        in += n;
        len -= n;
    }
}

/* One store where the size allows it: another CPU must not see half of an aligned word. */
static void ram_copy(void *to, const void *from, unsigned len)
{
    switch (len) {
    case 1:
        memcpy(to, from, 1);
        break;
    case 2:
        memcpy(to, from, 2);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    default:
        memcpy(to, from, len);
    }
}

void phys_load(struct vm *vm, gpa_t gpa, void *out, unsigned len)
{
    if (phys_kind(vm, gpa) & PAGE_MMIO)
        mmio_load(vm, gpa, out, len);
    else
        ram_copy(out, phys_host(vm, gpa), len);
}

/* A store to ROM goes to the RAM below it, to the bus (a flash chip), or nowhere. */
static void rom_store(struct vm *vm, gpa_t gpa, uint8_t kind, const uint8_t *in, unsigned len)
{
    const struct region *r = gpa >= vm->ram_size || (kind & PAGE_OVER) ? region_at(vm, gpa) : NULL;

    if (kind & PAGE_UNDER) {
        ram_copy(vm->ram + gpa, in, len);
        dirty_log_note(vm, gpa & ~(gpa_t)GUEST_PAGE_MASK);
    } else if (r && r->bus_writes) {
        mmio_store(vm, gpa, in, len);
    } else {
        trace_line(vm, TRACE_UNIMP, "memory write 0x%08llx size %u into ROM: dropped",
                   (unsigned long long)gpa, len);
    }
}

void phys_store(struct vm *vm, gpa_t gpa, const void *in, unsigned len)
{
    uint8_t kind = phys_kind(vm, gpa);

    if (kind & PAGE_MMIO) {
        mmio_store(vm, gpa, in, len);
        return;
    }
    if (kind & PAGE_ROM) {
        rom_store(vm, gpa, kind, in, len);
        return;
    }
    uint8_t *to = phys_host(vm, gpa);
    if (kind & PAGE_MARKS) {
        gpa_t page = gpa & ~(gpa_t)GUEST_PAGE_MASK;
        unsigned first = (unsigned)(gpa - page);
        bool same = memcmp(to, in, len) == 0;

        if (!same)
            ram_copy(to, in, len);
        page_written(vm, page, first, first + len - 1, same);
        return;
    }
    ram_copy(to, in, len);
}

uint64_t phys_offset(const struct vm *vm, gpa_t gpa)
{
    if (gpa < vm->ram_size && !(vm->page[gpa >> GUEST_PAGE_SHIFT] & PAGE_OVER))
        return gpa;
    const struct region *r = region_at(vm, gpa);

    return r->at + (gpa - r->base);
}

uint64_t phys_read(struct vm *vm, gpa_t gpa, unsigned size)
{
    unsigned first = GUEST_PAGE_SIZE - (unsigned)(gpa & GUEST_PAGE_MASK);
    uint8_t byte[8] = {0};
    uint64_t val;

    if (first > size)
        first = size;
    phys_load(vm, phys_a20(vm, gpa), byte, first);
    if (first < size)
        phys_load(vm, phys_a20(vm, gpa + first), byte + first, size - first);
    memcpy(&val, byte, 8);
    return val;
}

void phys_write(struct vm *vm, gpa_t gpa, unsigned size, uint64_t val)
{
    unsigned first = GUEST_PAGE_SIZE - (unsigned)(gpa & GUEST_PAGE_MASK);
    uint8_t byte[8];

    if (first > size)
        first = size;
    memcpy(byte, &val, 8);
    phys_store(vm, phys_a20(vm, gpa), byte, first);
    if (first < size)
        phys_store(vm, phys_a20(vm, gpa + first), byte + first, size - first);
}

uint64_t phys_read_implicit(struct vm *vm, gpa_t gpa, unsigned size)
{
    vm->implicit = true;
    uint64_t val = phys_read(vm, gpa, size);
    vm->implicit = false;
    return val;
}

void phys_write_implicit(struct vm *vm, gpa_t gpa, unsigned size, uint64_t val)
{
    vm->implicit = true;
    phys_write(vm, gpa, size, val);
    vm->implicit = false;
}
