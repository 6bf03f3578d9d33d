/* SPDX-License-Identifier: MIT */
/*
 * port92.h - system control port A: fast A20 gate and fast reset.
 *
 * The board connects the a20 wires of this chip and of the i8042 to one function, which sets the
 * CPU's A20 and calls port92_a20_follow() and i8042_a20_follow(): the last writer wins, so that
 * each way to open or close the gate works.
 * Windows    0x92 -> offset 0.
 * Source     82371SB (PIIX3) data sheet, section 2.5.5.5 (port 92).
 */
#ifndef RING1_DEVICES_PORT92_H
#define RING1_DEVICES_PORT92_H

#include "devices/device.h"

struct port92 {
    uint8_t value;
    uint8_t wires_begin;
    struct wire a20;   /* level, on each write */
    struct wire reset; /* pulsed when bit 0 goes from 0 to 1 */
};

extern const struct dev_ops port92_ops;

void port92_init(struct port92 *p, struct wire a20, struct wire reset);
void port92_a20_follow(struct port92 *p, bool level);

#endif
