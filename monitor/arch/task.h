/* SPDX-License-Identifier: MIT */
/* task.h - hardware task switches. Source: SDM vol. 3A, chapter 8. */
#ifndef RING1_MONITOR_ARCH_TASK_H
#define RING1_MONITOR_ARCH_TASK_H

#include "monitor/cpu/vcpu.h"

enum task_reason { TASK_JMP, TASK_CALL, TASK_IRET, TASK_EVENT };

/* Switches to the task of TSS selector `sel` (already known to be reached legally: gate or DPL
 * checks done by the caller for CALL/JMP). Sets v->next_eip and v->eip to the new task's EIP.
 * push_error: pushes `error` on the new task's stack (TASK_EVENT with an error code). A fault
 * before the commit point belongs to the old task, one after it to the new one. A set T flag in the
 * new TSS makes a debug trap pending. */
void task_switch(struct vcpu *v, uint16_t sel, enum task_reason why, bool push_error,
                 uint32_t error);

#endif
