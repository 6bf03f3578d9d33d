/* SPDX-License-Identifier: MIT */
/*
 * dma.h - a device's accesses to guest memory: what devices/dma.h promises, for one VM.
 *
 * Writer     The thread that runs the vCPU.
 */
#ifndef RING1_MONITOR_MEMORY_DMA_H
#define RING1_MONITOR_MEMORY_DMA_H

#include "devices/dma.h"
#include "monitor/cpu/vm.h"

/* They do what the functions of these names in devices/dma.h promise, and count in vm.dma. */
bool vm_dma_read(struct vm *vm, gpa_t gpa, void *out, uint32_t len);
bool vm_dma_write(struct vm *vm, gpa_t gpa, const void *in, uint32_t len);
uint32_t vm_dma_map(struct vm *vm, gpa_t gpa, uint32_t len, bool write, struct dma_map *m);
void vm_dma_unmap(struct vm *vm, struct dma_map *m, uint32_t written);

#endif
