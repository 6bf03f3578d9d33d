/* SPDX-License-Identifier: MIT */
/*
 * save.h - a whole machine as bytes (devices/snapshot.h), and a machine from such bytes.
 *
 * Promises   vm_save() changes nothing that the guest can see, and keeps nothing of this process.
 *            Whatever the bytes are, vm_load() loads a state that the machine can be in, or says
 *            what is wrong with them; it never reads beyond them.
 * When       All functions are called between two calls of vcpu_run().
 * Time       Guest time goes on where it was: devices and TSC count from the VM's creation. So the
 *            host makes its now_ns() go on from vm_saved_at() before it loads; under lockstep
 *            vm_load() does it.
 * Same       The machine that is loaded into must be built like the saved one: RAM, CPU model,
 *            board, boot files. What can be told from the bytes is checked.
 * Not here   Files; what a host knows of its user (consoles); caches, which are made anew.
 */
#ifndef RING1_MONITOR_RUN_SAVE_H
#define RING1_MONITOR_RUN_SAVE_H

#include "devices/snapshot.h"
#include "monitor/cpu/vm.h"

struct pc;

/* How many bytes vm_save() needs at most. */
size_t vm_save_bound(const struct vm *vm);

/* Saves the machine to s->bytes[0..s->size); s->at says afterwards how many bytes it took. Parks
 * the FPU. False: s->error says why. */
bool vm_save(struct vm *vm, const struct pc *pc, struct snapshot *s);

/* The time at which s[0..size) was saved; NS_NEVER: it is no snapshot. */
ns_t vm_saved_at(const struct snapshot *s);

/* Loads the machine from *s. False: s->error says why; the machine must then be reset, or thrown
 * away, before it runs again. */
bool vm_load(struct vm *vm, struct pc *pc, struct snapshot *s);

/* Save and load one CPU; vm_save() and vm_load() call them, and tests. */
void cpu_save(struct vcpu *v, struct snapshot *s);
bool cpu_load(struct vcpu *v, struct snapshot *s);

#endif
