/* SPDX-License-Identifier: MIT */
/*
 * pc_testdev.h - helper device of kvm-unit-tests: port registers, interrupt lines, a piece of
 * device memory.
 *
 * Windows    0xe0-0xe7 -> pc_testdev_ops offset 0 (0-3 value register, 4-7 "flush page", accepted);
 *            0xe8-0xeb -> pc_testdev_byte_ops offset 0 (the same register, byte accesses only);
 *            0x2000-0x2017 -> pc_testdev_irq_ops offset 0 (interrupt line n = value written);
 *            memory 0xff000000-0xff00ffff -> pc_testdev_mem_ops offset 0.
 * Source     Behaviour of QEMU's device of that name, as lib/x86 of kvm-unit-tests uses it.
 */
#ifndef RING1_DEVICES_PC_TESTDEV_H
#define RING1_DEVICES_PC_TESTDEV_H

#include "devices/device.h"

#define PC_TESTDEV_IRQS 24
#define PC_TESTDEV_MEM  0x10000u

struct pc_testdev {
    uint32_t value;
    uint8_t mem[PC_TESTDEV_MEM];
    uint8_t wires_begin;
    struct wire irq[PC_TESTDEV_IRQS]; /* GSI 0-23 */
};

extern const struct dev_ops pc_testdev_ops, pc_testdev_byte_ops, pc_testdev_irq_ops,
    pc_testdev_mem_ops;

/* Line n will drive `irqs` with pin n. */
void pc_testdev_init(struct pc_testdev *t, struct wire irqs);

#endif
