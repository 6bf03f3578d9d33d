/* SPDX-License-Identifier: MIT */
/*
 * apicbus.c - see apicbus.h.
 */
#include "devices/apicbus.h"

#include "devices/ioapic.h"
#include "devices/lapic.h"

static enum apic_result better(enum apic_result a, enum apic_result b)
{
    return a > b ? a : b;
}

/* SDM vol. 3A, 11.6.2.4: the destination with the lowest arbitration priority; the lowest number
 * decides a tie. */
static enum apic_result send_lowest(struct apic_bus *b, const struct apic_msg *m)
{
    struct lapic *best = NULL;

    for (unsigned i = 0; i < b->cpu_count; i++) {
        struct lapic *l = b->cpu[i];
        if (!lapic_matches(l, m->dest, m->logical) || !lapic_software_enabled(l))
            continue;
        if (!best || lapic_arbitration_priority(l) < lapic_arbitration_priority(best))
            best = l;
    }
    return best ? lapic_accept(best, APIC_FIXED, m->vector, m->level) : APIC_REFUSED;
}

enum apic_result apic_bus_send(struct apic_bus *b, const struct apic_msg *m)
{
    enum apic_result r = APIC_REFUSED;

    if (m->mode == APIC_LOWEST)
        return send_lowest(b, m);
    for (unsigned i = 0; i < b->cpu_count; i++)
        if (lapic_matches(b->cpu[i], m->dest, m->logical))
            r = better(r, lapic_accept(b->cpu[i], m->mode, m->vector, m->level));
    return r;
}

bool apic_bus_requested(const struct apic_bus *b, uint8_t dest, bool logical, uint8_t vector)
{
    for (unsigned i = 0; i < b->cpu_count; i++)
        if (lapic_matches(b->cpu[i], dest, logical) && lapic_vector_requested(b->cpu[i], vector))
            return true;
    return false;
}

bool apic_bus_reaches(const struct apic_bus *b, unsigned cpu, uint8_t dest, bool logical)
{
    return cpu < b->cpu_count && lapic_matches(b->cpu[cpu], dest, logical);
}

void apic_bus_eoi(struct apic_bus *b, uint8_t vector)
{
    if (b->io)
        ioapic_eoi(b->io, vector);
}
