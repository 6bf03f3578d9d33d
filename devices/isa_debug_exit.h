/* SPDX-License-Identifier: MIT */
/*
 * isa_debug_exit.h - a port that ends the virtual machine: value v written becomes exit status (v
 * << 1) | 1.
 *
 * Windows    iobase .. iobase+iosize-1 -> offset 0.
 * Source     Behaviour of QEMU's device of that name, as kvm-unit-tests uses it.
 */
#ifndef RING1_DEVICES_ISA_DEBUG_EXIT_H
#define RING1_DEVICES_ISA_DEBUG_EXIT_H

#include "devices/device.h"

struct isa_debug_exit {
    uint8_t wires_begin;
    void *ctx;
    void (*request)(void *ctx, uint32_t code);
};

extern const struct dev_ops isa_debug_exit_ops;

void isa_debug_exit_init(struct isa_debug_exit *d, void (*request)(void *ctx, uint32_t code),
                         void *ctx);

#endif
