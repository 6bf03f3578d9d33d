/* SPDX-License-Identifier: MIT */
/*
 * host_emulate.h - one host instruction of translated code, executed in place of the host's CPU.
 */
#ifndef RING1_BT_RUN_HOST_EMULATE_H
#define RING1_BT_RUN_HOST_EMULATE_H

#include "bt/run/trap.h"

/* Executes the instruction at r->rip, which lies in the arena while translated code runs. False: it
 * is none of those that are known here, and nothing was done. */
bool host_emulate(const struct vcpu *v, struct host_regs *r);

#endif
