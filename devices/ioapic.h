/* SPDX-License-Identifier: MIT */
/*
 * ioapic.h - the 82093AA I/O APIC with 24 pins, as version 0x20 (with the EOI register of its
 * successors).
 *
 * Promises   An edge on an unmasked pin sends one message; an edge on a masked pin is lost (data
 *            sheet, section 3.2.4). A level pin sends again after each EOI for as long as it is
 *            held.
 * Deviations The polarity bit is kept but ignored: pins carry logic levels. SMI delivery does
 *            nothing.
 * Source     Intel 82093AA data sheet 290566-001; the EOI register at 0x40 as in the ICH data
 *            sheets.
 */
#ifndef RING1_DEVICES_IOAPIC_H
#define RING1_DEVICES_IOAPIC_H

#include "devices/apicbus.h"
#include "devices/device.h"

#define IOAPIC_PINS 24
#define IOAPIC_BASE 0xfec00000u

struct ioapic {
    uint8_t select; /* IOREGSEL */
    uint8_t id;
    uint32_t pins; /* bit n: pin n is asserted */
    uint64_t entry[IOAPIC_PINS];
    uint64_t coalesced; /* edges that found their vector still requested */
    char wires_begin[1];
    struct apic_bus *bus;
};

extern const struct dev_ops ioapic_ops;

/* A wire target: sets the level of one pin. */
void ioapic_pin(void *ioapic, unsigned pin, bool level);
/* Is the pin unmasked, so that what it does matters to somebody? */
bool ioapic_pin_open(const struct ioapic *io, unsigned pin);
/* Is no interrupt of this pin requested at its destination, because the CPU took the last one? */
bool ioapic_pin_taken(const struct ioapic *io, unsigned pin);
/* Bit n: a rising pin n is an NMI at `cpu`. */
uint32_t ioapic_nmi_pins(const struct ioapic *io, unsigned cpu);
/* Called when a level-triggered interrupt with this vector ended: held pins send again. */
void ioapic_eoi(struct ioapic *io, uint8_t vector);

#endif
