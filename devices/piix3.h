/* SPDX-License-Identifier: MIT */
/*
 * piix3.h - the 82371SB ISA bridge (8086:7000): PCI interrupt routing and the reset control
 * register.
 *
 * Promises   The ISA line of a PIRQ follows its level, and moves with its routing register at
 *            once.
 * Windows    piix3_rcr_ops: 0xcf8-0xcfb -> offset 0 (only 0xcf9 exists), byte accesses.
 * Not here   The chip's 8259s, 8254, 8237s, ELCR, ports 61h and 92h: files of their own. IDE and
 *            USB functions.
 * Source     Intel 82371FB/82371SB (PIIX/PIIX3) data sheet 290550-002, sections 2.2 and 2.5.
 */
#ifndef RING1_DEVICES_PIIX3_H
#define RING1_DEVICES_PIIX3_H

#include "devices/pci.h"

#define PIIX3_PIRQRC   0x60
#define PIIX3_PIRQ_OFF 0x80u

struct piix3 {
    struct pci_cfg cfg;
    uint8_t rcr;       /* reset control: SRST is all that stays */
    bool pirq[4];      /* levels of PIRQA..D */
    uint8_t driven[4]; /* the ISA line that each PIRQ drives high now, 0: none */
    char wires_begin[1];
    struct pci_fn fn;
    struct wire irq;   /* `pin` is added to the ISA line's number */
    struct wire reset; /* pulsed */
};

extern const struct dev_ops piix3_ops, piix3_rcr_ops;

void piix3_init(struct piix3 *d, struct wire irq, struct wire reset);
/* A wire target: sets the level of PIRQ `n`. */
void piix3_pirq(void *piix3, unsigned n, bool level);
/* Makes what firmware leaves: PIRQA and C on IRQ 10, B and D on IRQ 11. */
void piix3_firmware_setup(struct piix3 *d);

#endif
