/* SPDX-License-Identifier: MIT */
/* start.c - boot_start(), see boot.h. */
#include "boot/boot.h"
#include "devices/pc.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/vm.h"
#include "monitor/memory/page.h"
#include "monitor/run/lockstep.h"

int boot_start(const struct boot *b, struct vm *vm, struct pc *pc,
               void (*clear)(uint8_t *p, uint64_t len), struct boot_error *e)
{
    struct boot_ram ram = {.base = vm->ram, .size = vm->ram_size, .clear = clear};
    struct vcpu *v = vm->cpu[0];
    struct boot_entry entry;
    uint32_t rsdp;

    fpu_park(v);
    pc_reset(pc, vm_now(vm));
    vcpu_reset(v);
    vm_set_a20(vm, true);  /* as firmware leaves it */
    vm->next_deadline = 0; /* look at the board's timers first */
    if (b->kind != BOOT_FIRMWARE) {
        rsdp = pc_build_tables(pc);
        if (boot_load(b, &ram, rsdp, &entry, e))
            return -1;
        vm_ram_written(vm, 0, vm->ram_size); /* what was made from the last boot's code is stale */
        boot_enter(v, &entry);
    }
    if (vm->lockstep)
        lockstep_sync(vm->lockstep);
    return 0;
}
