/* SPDX-License-Identifier: MIT */
/*
 * i8259.h - the two 8259A interrupt controllers of a PC, cascaded, with PIIX3's edge/level
 * registers.
 *
 * Promises   Inputs 0-15 are levels: an edge input latches on its rise and must stay high until
 *            acknowledged (a request that goes away before INTA ends as the spurious 7 or 15, as on
 *            the chip).
 * Windows    0x20-0x21 -> offset 0, 0xa0-0xa1 -> offset 2, 0x4d0-0x4d1 (ELCR) -> offset 4.
 * Not here   8080 mode; LTIM in ICW1 (PIIX3 ignores it, the ELCR decides).
 * Source     Intel 8259A data sheet 231468-003; 82371SB (PIIX3) data sheet, sections 2.5.4 and
 *            2.5.12.
 */
#ifndef RING1_DEVICES_I8259_H
#define RING1_DEVICES_I8259_H

#include "devices/device.h"

struct i8259_chip {
    uint8_t edge;  /* requests latched on a rising edge */
    uint8_t lines; /* levels of the inputs */
    uint8_t isr, imr;
    uint8_t elcr, elcr_writable;
    uint8_t base; /* ICW2, bits 7-3 */
    uint8_t icw3;
    uint8_t lowest; /* input with the lowest priority; 7 after reset */
    uint8_t expect; /* ICW2..ICW4 that comes next on the odd port; 0: none */
    bool single, want_icw4, aeoi, rotate_aeoi, special_mask, fully_nested, read_isr, poll;
    bool out; /* INT output */
};

struct i8259 {
    struct i8259_chip chip[2]; /* master, slave */
    uint64_t spurious;
    uint8_t wires_begin;
    struct wire intr; /* master's INT */
};

extern const struct dev_ops i8259_ops;

void i8259_init(struct i8259 *pic, struct wire intr);
/* `pic` is a struct i8259; usable as wire.set. Input 2 is the cascade and is ignored. */
void i8259_set_irq(void *pic, unsigned irq, bool level);
/* The CPU's two INTA cycles: returns the vector (a spurious one when the request is gone). */
int i8259_intack(struct i8259 *pic);
static inline bool i8259_pending(const struct i8259 *pic)
{
    return pic->chip[0].out;
}
/* Does no request of this input wait, because the CPU took the last one (and may still serve it)?
 * (Tick catch-up asks.) */
bool i8259_irq_taken(const struct i8259 *pic, unsigned irq);

/* Would INTR rise if this input fell and rose, with everything else as it is? */
bool i8259_would_interrupt(const struct i8259 *pic, unsigned irq);

#endif
