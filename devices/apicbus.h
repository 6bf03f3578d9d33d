/* SPDX-License-Identifier: MIT */
/*
 * apicbus.h - interrupt messages between the I/O APIC and the local APICs.
 *
 * Promises   A message reaches every local APIC that its destination names, by physical id or by
 *            logical address; a lowest-priority message reaches exactly one of them.
 * Not here   What a local APIC does with a message (lapic.c), when a pin sends one (ioapic.c).
 * Source     SDM vol. 3A, sections 11.6 (destinations, ICR) and 11.8 (delivery); 82093AA data
 *            sheet.
 */
#ifndef RING1_DEVICES_APICBUS_H
#define RING1_DEVICES_APICBUS_H

#include "include/ring1/types.h"

#define APIC_MAX_CPUS 8

struct lapic;
struct ioapic;

/* Delivery modes as ICR, LVT and redirection entries encode them (SDM vol. 3A,
 * sections 11.5.1, 11.6.1). */
enum apic_mode {
    APIC_FIXED,
    APIC_LOWEST,
    APIC_SMI,
    APIC_MODE3,
    APIC_NMI,
    APIC_INIT,
    APIC_SIPI,
    APIC_EXTINT
};

struct apic_msg {
    uint8_t dest; /* 0xff: all */
    bool logical;
    uint8_t mode; /* enum apic_mode */
    uint8_t vector;
    bool level; /* level-triggered: the EOI is broadcast back */
};

/* What became of a message, best outcome of all destinations. */
enum apic_result {
    APIC_REFUSED,   /* nobody there, or software-disabled */
    APIC_COALESCED, /* the vector was already requested */
    APIC_ACCEPTED,
};

struct apic_bus {
    struct lapic *cpu[APIC_MAX_CPUS];
    unsigned cpu_count;
    struct ioapic *io;
};

/* Delivers *m to the local APICs that it names; returns the best outcome. */
enum apic_result apic_bus_send(struct apic_bus *b, const struct apic_msg *m);
/* Is `vector` requested, and not taken yet, at a local APIC that the destination names? (Tick
 * catch-up asks.) */
bool apic_bus_requested(const struct apic_bus *b, uint8_t dest, bool logical, uint8_t vector);
/* Does the destination name this CPU? */
bool apic_bus_reaches(const struct apic_bus *b, unsigned cpu, uint8_t dest, bool logical);
/* Tells the I/O APIC that a local APIC ended a level-triggered interrupt. */
void apic_bus_eoi(struct apic_bus *b, uint8_t vector);

#endif
