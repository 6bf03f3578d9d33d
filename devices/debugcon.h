/* SPDX-License-Identifier: MIT */
/*
 * debugcon.h - the debug console on port E9h: a byte written is a byte printed; reads return 0xe9
 * ("here I am").
 *
 * Windows    0xe9 -> offset 0.
 * Source     Bochs user manual, "port_e9_hack"; QEMU's isa-debugcon behaves the same.
 */
#ifndef RING1_DEVICES_DEBUGCON_H
#define RING1_DEVICES_DEBUGCON_H

#include "devices/backend.h"
#include "devices/device.h"

struct debugcon {
    uint8_t buf[64];
    uint8_t count;
    ns_t flush_at;
    uint8_t wires_begin;
    struct chardev chr;
    struct wire kick;
};

#define DEBUGCON_PORT 0xe9u /* where it is unless somebody says otherwise */

extern const struct dev_ops debugcon_ops;

void debugcon_init(struct debugcon *d, struct chardev chr, struct wire kick);
/* Hands collected bytes to the chardev; call before the process or the guest ends. */
void debugcon_flush(struct debugcon *d);

#endif
