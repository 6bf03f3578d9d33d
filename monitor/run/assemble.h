/* SPDX-License-Identifier: MIT */
/*
 * assemble.h - puts a VM together: its parts, and the wires between a PC's board and its CPU.
 *
 * Use        vm_assemble(), then vm_wire_pc(), then pc_init() with the config that it completed. A
 *            whole machine with its engines is built from this by boot/build.h.
 * Not here   Where the memory comes from (the host); what else pc_init() is told.
 */
#ifndef RING1_MONITOR_RUN_ASSEMBLE_H
#define RING1_MONITOR_RUN_ASSEMBLE_H

#include "devices/memory.h"
#include "devices/pc.h"
#include "monitor/cpu/vm.h"
#include "monitor/memory/region.h"

/* What a VM with one CPU is made of. The caller keeps all of it; *cpu, `page` and `interp` are
 * zeroed. */
struct vm_parts {
    const struct vmm_host *host;
    const struct vcpu_host *cpu_host;
    uint8_t *ram;
    uint64_t ram_size;
    uint8_t *page; /* ram_size >> GUEST_PAGE_SHIFT bytes */
    struct vcpu *cpu;
    void *interp;                      /* interp_size() bytes */
    const struct cpu_model *cpu_model; /* NULL: the default model */
};

/* Makes *vm a VM of these parts, all RAM, without a board: the caller sets board_ops, or calls
 * vm_wire_pc(), and then vcpu_reset(). */
void vm_assemble(struct vm *vm, const struct vm_parts *parts);

/* Makes the CPU this model, with no other instructions than the model has. To be called before the
 * VM first runs; tests do it later too, and then tell vm_ram_written() of all RAM, since decoded
 * code keeps what it meant. */
void vm_set_model(struct vm *vm, const struct cpu_model *model);

/* Gives the VM this memory besides its RAM, nowhere at first (monitor/memory/region.h). twin: the
 * same region of lockstep's shadow, with memory of its own; NULL without lockstep. `log`:
 * region_log_words() words for dev_memory.changed(); NULL: a ROM. Fills in *out for the device that
 * owns it. To be called before the VM first runs. Returns 0, or -1: too many regions. */
int vm_add_memory(struct vm *vm, struct region *r, struct region *twin, uint64_t *log,
                  struct dev_memory *out);

/* *of, which was added so, is seen through *r too: as vm_region_view(), for a device. twin: the
 * same of lockstep's shadow. */
int vm_add_view(struct vm *vm, struct region *r, struct region *twin, struct region *of,
                struct dev_view *out);

/* Connects the VM and a board: the CPU asks *pc from now on; *cfg gets functions that lead the
 * board's outputs to the VM (cfg->opaque is taken), and the VM's buses, or lockstep's, which stand
 * between (monitor/run/lockstep.h). */
void vm_wire_pc(struct vm *vm, struct pc *pc, struct pc_config *cfg);

#endif
