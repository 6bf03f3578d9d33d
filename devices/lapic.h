/* SPDX-License-Identifier: MIT */
/*
 * lapic.h - one local APIC in xAPIC mode: version 0x14, six LVT entries, TSC-deadline timer.
 *
 * Promises   The output `intr` is high exactly while the CPU would be interrupted if IF = 1: IRR
 *            against PPR, ExtINT from LINT0, or, when IA32_APIC_BASE disables the chip, the 8259's
 *            INTR unchanged. Timer counts are exact: the bus clock is 1 GHz, so one count is 1 ns
 *            times the divider. Periodic ticks that could not be delivered in time are delivered
 *            later, one at each EOI, not dropped.
 * Not here   x2APIC; the IA32_APIC_BASE and IA32_TSC_DEADLINE registers (monitor/arch/msr.c).
 * Source     SDM vol. 3A, chapter 11.
 */
#ifndef RING1_DEVICES_LAPIC_H
#define RING1_DEVICES_LAPIC_H

#include "devices/apicbus.h"
#include "devices/device.h"

#define LAPIC_BUS_HZ       1000000000u
#define LAPIC_DEFAULT_BASE 0xfee00000u
#define LAPIC_EXTINT       256 /* lapic_ack(): ask the 8259 for the vector */

enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

#define LVT_MASKED     (1u << 16)
#define LVT_REMOTE_IRR (1u << 14)
#define LVT_LEVEL      (1u << 15)
#define SVR_ENABLE     (1u << 8)

struct lapic_timer {
    uint32_t init;   /* initial count register */
    uint32_t left;   /* counts left at time `base`, while running */
    uint32_t divide; /* divide configuration register */
    bool running;
    ns_t base;
    uint64_t tsc_deadline; /* armed deadline in TSC ticks, 0: none */
    ns_t tsc_due;          /* the same in ns */
    uint32_t missed;       /* periodic ticks still owed to the guest */
};

struct lapic {
    bool hw_enabled; /* IA32_APIC_BASE bit 11 */
    uint8_t reset_id;
    uint32_t id, tpr, ldr, dfr, svr, esr, esr_seen;
    uint32_t icr_low, icr_high;
    uint32_t lvt[LVT_COUNT];
    uint32_t isr[8], tmr[8], irr[8];
    bool pin[2];     /* LINT0 (the 8259's INTR) and LINT1 */
    bool extint_msg; /* an ExtINT message waits for its acknowledge */
    bool intr_level; /* what `intr` was last told */
    uint32_t tsc_khz;
    struct lapic_timer timer;
    char wires_begin[1]; /* not saved from here on */
    struct apic_bus *bus;
    struct wire intr; /* to the CPU */
    struct wire nmi;  /* pulsed */
    struct wire init; /* pulsed: INIT */
    struct wire kick; /* pulsed when run_until() would now answer differently */
    void (*sipi)(void *target, unsigned cpu, uint8_t vector); /* may be NULL */
    void *sipi_target;
};

extern const struct dev_ops lapic_ops;

void lapic_setup(struct lapic *l, unsigned id, uint32_t tsc_khz, struct apic_bus *bus);
/* Makes what firmware leaves: LINT0 passes the 8259 on, LINT1 is NMI. */
void lapic_virtual_wire(struct lapic *l);
void lapic_set_hw_enabled(struct lapic *l, bool enabled);
/* A wire target: sets the level of LINT0 or LINT1 (pin 0 or 1). */
void lapic_pin(void *lapic, unsigned pin, bool level);
/* Is a rising LINT0 an NMI? */
bool lapic_lint0_is_nmi(const struct lapic *l);
/* The CPU acknowledges: returns the vector that it takes now, LAPIC_EXTINT, or -1. */
int lapic_ack(struct lapic *l);

/* The APIC bus calls these: does the destination name this APIC; is it enabled in SVR; its priority
 * for a lowest-priority message; is a vector requested; takes a message. */
bool lapic_matches(const struct lapic *l, uint8_t dest, bool logical);
bool lapic_software_enabled(const struct lapic *l);
uint8_t lapic_arbitration_priority(const struct lapic *l);
bool lapic_vector_requested(const struct lapic *l, uint8_t vector); /* its bit in IRR */
enum apic_result lapic_accept(struct lapic *l, unsigned mode, uint8_t vector, bool level);

/* Raises the interrupt of an LVT entry (performance counters, thermal). */
enum apic_result lapic_local_interrupt(struct lapic *l, enum lapic_lvt which);
/* IA32_TSC_DEADLINE: a write (in ticks of the guest's TSC without tsc_offset; 0 disarms) and its
 * present value. */
void lapic_set_tsc_deadline(struct lapic *l, uint64_t tsc);
uint64_t lapic_get_tsc_deadline(const struct lapic *l);

/* lapic_timer.c, for lapic.c only. */
void lapic_timer_roll(struct lapic *l, ns_t now);
void lapic_timer_start(struct lapic *l, uint32_t count, ns_t now);
void lapic_timer_set_divide(struct lapic *l, uint32_t value, ns_t now);
void lapic_timer_mode_changed(struct lapic *l, uint32_t old_lvt);
uint32_t lapic_timer_count(const struct lapic *l, ns_t now);
void lapic_timer_eoi(struct lapic *l, uint8_t vector);
ns_t lapic_timer_deadline(const struct lapic *l, ns_t now);

#endif
