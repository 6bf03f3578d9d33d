/* SPDX-License-Identifier: MIT */
/* vm.c - see vm.h: the wires between board and CPUs. */
#include "monitor/cpu/vm.h"

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
