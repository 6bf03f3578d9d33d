/* SPDX-License-Identifier: MIT */
/*
 * port61.h - system control port B: gate of counter 2, speaker enable, refresh toggle, OUT2.
 *
 * Windows    0x61 -> offset 0.
 * Source     82371SB (PIIX3) data sheet, section 2.5.5.1 (NMISC).
 */
#ifndef RING1_DEVICES_PORT61_H
#define RING1_DEVICES_PORT61_H

#include "devices/i8254.h"

struct port61 {
    uint8_t control; /* bits 3-0 as written */
    uint8_t wires_begin;
    struct i8254 *pit;
    struct wire speaker; /* level of control bit 1; may be unconnected */
};

extern const struct dev_ops port61_ops;

void port61_init(struct port61 *p, struct i8254 *pit, struct wire speaker);

#endif
