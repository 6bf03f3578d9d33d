/* SPDX-License-Identifier: MIT */
/* vm.c - see vm.h: RAM by physical address, and the wires between board and CPUs. */
#include "monitor/vm.h"

#include "bt/bt.h"
#include "monitor/interp/interp.h"
#include "shadow-mmu/dirty.h"
#include "shadow-mmu/mmu.h"

void vm_set_intr(struct vm *vm, unsigned cpu, bool level)
{
    struct vcpu *v = vm->cpu[cpu];

    v->intr_line = level;
    if (level)
        vcpu_attend(v, ATT_INTR);
}

void vm_raise_nmi(struct vm *vm, unsigned cpu)
{
    vm->cpu[cpu]->nmi_pending = true;
    vcpu_attend(vm->cpu[cpu], ATT_NMI);
}

void vm_set_a20(struct vm *vm, bool enabled)
{
    if (vm->a20 == enabled)
        return;
    vm->a20 = enabled;
    for (unsigned i = 0; i < vm->cpu_count; i++) {
        mmu_flush_all(vm->cpu[i]);
        vcpu_attend(vm->cpu[i], ATT_MODE);
    }
}

void vm_deadline_changed(struct vm *vm)
{
    vm->next_deadline = 0;
    vcpu_attend(vm->cpu[0], ATT_TIME);
}

void vm_request_exit(struct vm *vm, unsigned reason, uint32_t code)
{
    struct vcpu *v = vm->cpu[0];

    v->exit_reason = (uint8_t)reason;
    v->exit_code = code;
    vcpu_attend(v, ATT_EXIT);
}

uint8_t *vm_ram_ptr(struct vm *vm, gpa_t gpa, uint64_t len)
{
    if (gpa >= vm->ram_size || len > vm->ram_size - gpa)
        return NULL;
    for (gpa_t p = gpa >> GUEST_PAGE_SHIFT; len && p <= (gpa + len - 1) >> GUEST_PAGE_SHIFT; p++)
        if (vm->page[p] & PAGE_MMIO)
            return NULL;
    return vm->ram + gpa;
}

/* Bytes first..last of a page with code were written. */
static void code_written(struct vm *vm, gpa_t page, unsigned first, unsigned last)
{
    uint8_t kind = vm->page[page >> GUEST_PAGE_SHIFT];

    for (unsigned i = 0; i < vm->cpu_count; i++) {
        struct vcpu *v = vm->cpu[i];

        if (kind & PAGE_CODE)
            interp_invalidate(v, page, first, last);
        if ((kind & PAGE_TRANSLATED) && v->translator)
            bt_invalidate(v, page, first, last);
    }
}

void vm_ram_written(struct vm *vm, gpa_t gpa, uint64_t len)
{
    gpa_t end = gpa + len;

    if (!len || gpa >= vm->ram_size)
        return;
    if (end > vm->ram_size)
        end = vm->ram_size;
    while (gpa < end) {
        gpa_t page = gpa & ~(gpa_t)GUEST_PAGE_MASK;
        gpa_t stop = page + GUEST_PAGE_SIZE < end ? page + GUEST_PAGE_SIZE : end;
        if (vm->page[page >> GUEST_PAGE_SHIFT] & PAGE_LOGGED)
            dirty_log_note(vm, page);
        code_written(vm, page, (unsigned)(gpa - page), (unsigned)(stop - 1 - page));
        gpa = stop;
    }
}

static uint8_t own_kind(uint8_t kind)
{
    return kind & (uint8_t) ~(PAGE_CODE | PAGE_TRANSLATED | PAGE_LOGGED);
}

static void set_kind(struct vm *vm, gpa_t page, uint8_t kind)
{
    uint8_t *k = &vm->page[page >> GUEST_PAGE_SHIFT];

    if (own_kind(*k) == kind)
        return;
    vm_ram_written(vm, page, GUEST_PAGE_SIZE);
    *k = kind;
    mmu_flush_gpa(vm, page);
}

void vm_set_page_kind(struct vm *vm, gpa_t gpa, uint64_t len, uint8_t kind)
{
    for (gpa_t p = gpa & ~(gpa_t)GUEST_PAGE_MASK; p < gpa + len && p < vm->ram_size;
         p += GUEST_PAGE_SIZE)
        if (vm->cover == (p | VM_COVERED))
            vm->cover_kind = kind;
        else
            set_kind(vm, p, kind);
}

/* The dirty log does not watch devices, so it has not seen whether the page changed. */
static void uncover(struct vm *vm)
{
    gpa_t page = vm->cover & ~(gpa_t)GUEST_PAGE_MASK;

    vm->cover = 0;
    set_kind(vm, page, vm->cover_kind);
    dirty_log_note(vm, page);
}

void vm_cover_page(struct vm *vm, gpa_t gpa)
{
    gpa_t page = gpa & ~(gpa_t)GUEST_PAGE_MASK;
    gpa_t cover = gpa < vm->ram_size ? page | VM_COVERED : 0;

    if (cover == vm->cover)
        return;
    if (vm->cover)
        uncover(vm);
    if (!cover)
        return;
    vm->cover_kind = own_kind(vm->page[page >> GUEST_PAGE_SHIFT]);
    set_kind(vm, page, PAGE_MMIO);
    vm->cover = cover;
}
