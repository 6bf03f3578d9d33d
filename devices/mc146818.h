/* SPDX-License-Identifier: MIT */
/*
 * mc146818.h - the real-time clock and its battery-backed RAM.
 *
 * Promises   The registers are the truth, as on the chip; whole seconds that passed are added when
 *            someone looks. The calendar is exact (Gregorian, century in byte 0x32). Periodic
 *            interrupts nobody took are caught up. reset() keeps time and RAM.
 * Windows    0x70-0x71 -> offset 0; 0x72-0x73 (upper 128 bytes) -> offset 2.
 * Not here   Daylight saving (DSE is kept, has no effect), the square wave pin, the NMI mask in
 *            port 0x70 bit 7 (kept).
 * Source     Motorola MC146818A data sheet; PIIX4 data sheet 290562, section 9 (RTC).
 */
#ifndef RING1_DEVICES_MC146818_H
#define RING1_DEVICES_MC146818_H

#include "devices/device.h"

struct mc146818 {
    uint8_t ram[256];
    uint8_t index, index_high;
    bool nmi_masked;
    ns_t now;            /* latest time seen */
    ns_t divider_start;  /* when the 32768 Hz divider chain began to count */
    uint64_t seconds;    /* updates done since divider_start */
    uint64_t periods;    /* periodic edges seen since divider_start, at the present rate */
    uint64_t half_ticks; /* 32768 Hz ticks that the divider chain had counted at divider_start */
    uint64_t backlog;    /* periodic interrupts due but not raised */
    ns_t poll_at;        /* when the next one of them may go out */
    bool irq_level;
    uint64_t periodic_dropped;
    uint8_t wires_begin;
    struct wire irq8, kick;
};

extern const struct dev_ops mc146818_ops;

/* `wall_seconds`: seconds since 1970-01-01 that the clock shows at time 0. */
void mc146818_init(struct mc146818 *rtc, int64_t wall_seconds, struct wire irq8, struct wire kick);
/* Sets the memory size bytes and the equipment byte as firmware would, and the checksum. */
void mc146818_set_memory(struct mc146818 *rtc, uint64_t ram_size);
/* Writes a RAM byte without effects, for what firmware leaves there. */
static inline void mc146818_poke(struct mc146818 *rtc, uint8_t at, uint8_t value)
{
    rtc->ram[at] = value;
}

#endif
