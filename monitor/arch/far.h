/* SPDX-License-Identifier: MIT */
/*
 * far.h - far control transfers in every mode: JMP, CALL, RET, IRET, SYSENTER, SYSEXIT, and stack
 * access helpers.
 *
 * Contract   Handlers call these functions with v->next_eip = address of the next instruction. On
 *            success they set v->next_eip (and CS, SS, ESP, EFLAGS, CPL); on a fault nothing
 *            visible has changed. opsize is 2 or 4 bytes.
 * Source     SDM vol. 2, pages of the instructions; vol. 3A, section 5.8 and chapter 8.
 */
#ifndef RING1_MONITOR_ARCH_FAR_H
#define RING1_MONITOR_ARCH_FAR_H

#include "monitor/cpu/vcpu.h"

void far_jmp(struct vcpu *v, uint16_t sel, uint32_t off, unsigned opsize);
void far_call(struct vcpu *v, uint16_t sel, uint32_t off, unsigned opsize);
void far_ret(struct vcpu *v, unsigned opsize, uint16_t release);
void far_iret(struct vcpu *v, unsigned opsize);
void far_sysenter(struct vcpu *v);
void far_sysexit(struct vcpu *v);

/* Writes those bits of EFLAGS that are in `mask`, which the caller made by the rules of its
 * instruction, and tells the run loop. */
void eflags_write(struct vcpu *v, uint32_t val, uint32_t mask);
/* CLI, STI, the image that PUSHF pushes, POPF, by the rules of IOPL, VME and PVI; they raise
 * #GP(0). eflags_sti() sets shadow_next when IF goes from 0 to 1. */
void eflags_cli(struct vcpu *v);
void eflags_sti(struct vcpu *v);
uint32_t eflags_pushf(struct vcpu *v, unsigned opsize);
void eflags_popf(struct vcpu *v, uint32_t val, unsigned opsize);

/* A stack being pushed to or popped from without committing ESP until all of it worked. */
struct stack_cursor {
    struct vcpu *v;
    struct seg seg; /* the stack segment, may not be loaded into SS yet */
    uint32_t esp;
    unsigned how;        /* MMU_USER or 0 */
    uint32_t fault_code; /* #SS error code */
};
void stack_open(struct stack_cursor *s, struct vcpu *v); /* current SS:ESP, current CPL */
void stack_push(struct stack_cursor *s, uint32_t val, unsigned size);
uint32_t stack_pop(struct stack_cursor *s, unsigned size);
void stack_commit_esp(struct stack_cursor *s); /* ESP or SP by SS.B */
/* Raises now whatever pushing `count` items of `size` bytes would raise; the pushes then cannot
 * fault. */
void stack_reserve(const struct stack_cursor *s, unsigned count, unsigned size);
void stack_release(struct stack_cursor *s,
                   uint32_t bytes); /* drops bytes without looking at them (RET n) */

#endif
