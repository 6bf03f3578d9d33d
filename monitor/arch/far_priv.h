/* SPDX-License-Identifier: MIT */
/*
 * far_priv.h - what far transfers, event delivery and task switches share. For monitor/ only.
 *
 * Names      ext: 1 when the processor, not a program, caused the transfer; it becomes bit 0 of
 *            error codes.
 */
#ifndef RING1_MONITOR_ARCH_FAR_PRIV_H
#define RING1_MONITOR_ARCH_FAR_PRIV_H

#include "monitor/arch/exception.h"
#include "monitor/arch/far.h"
#include "monitor/arch/segment.h"
#include "monitor/arch/task.h"
#include "shadow-mmu/access.h"

/* Types of system descriptors (SDM vol. 3A, table 3-2). */
enum system_type {
    SYS_TSS16 = 1,
    SYS_LDT = 2,
    SYS_TSS16_BUSY = 3,
    SYS_CALL16 = 4,
    SYS_TASK_GATE = 5,
    SYS_INTR16 = 6,
    SYS_TRAP16 = 7,
    SYS_TSS32 = 9,
    SYS_TSS32_BUSY = 11,
    SYS_CALL32 = 12,
    SYS_INTR32 = 14,
    SYS_TRAP32 = 15,
};

/* Call, interrupt, trap and task gates (SDM vol. 3A, figures 5-8 and 6-2). */
static inline uint16_t gate_selector(struct descriptor g)
{
    return (uint16_t)(g.lo >> 16);
}
static inline unsigned gate_opsize(struct descriptor g)
{
    return desc_type(g) & 8 ? 4 : 2;
}
static inline uint32_t gate_offset(struct descriptor g)
{
    return (g.lo & 0xffff) | (gate_opsize(g) == 4 ? g.hi & 0xffff0000u : 0);
}

/* The stack that a transfer to an inner level switches to, not loaded yet. */
struct inner_stack {
    struct stack_cursor cursor; /* new SS:ESP, judged as the new CPL */
    struct descriptor d;
    uint16_t sel;
};

/* Takes SS:ESP of level `cpl` from the current TSS and checks it (#TS, #SS). */
void inner_stack_open(struct vcpu *v, unsigned cpl, unsigned ext, struct inner_stack *in);

/* Makes those of ES, DS, FS, GS null that the outer level v->cpl may not use, and null ones 0 (SDM
 * vol. 2B, RET). */
void far_drop_inner_segments(struct vcpu *v);

/* Everything that a task switch depends on besides the CPU's state. */
struct task_args {
    uint16_t sel;
    enum task_reason why;
    unsigned ext;
    bool push_error;
    uint32_t error;
    uint32_t old_eip, old_eflags; /* as saved in the old TSS */
};
void task_switch_args(struct vcpu *v, const struct task_args *a);

/* An event on its way through the IDT. */
struct event {
    uint8_t type; /* enum event_type */
    uint8_t vector;
    uint8_t ext;
    uint32_t error;  /* NO_ERROR_CODE: none is pushed */
    uint32_t eip;    /* return address */
    uint32_t eflags; /* image to push */
};
/* Delivers once; a fault in the course of it unwinds (deliver.c). */
void deliver_once(struct vcpu *v, const struct event *e);

#endif
