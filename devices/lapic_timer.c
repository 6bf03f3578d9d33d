/* SPDX-License-Identifier: MIT */
/*
 * lapic_timer.c - the local APIC's timer: one-shot, periodic and TSC-deadline.
 *
 * A running count is the pair (left, base): `left` counts remained at time `base`. It is rolled
 * forward lazily, by whole periods, so its cost does not depend on how long nobody looked.
 * Source     SDM vol. 3A, sections 11.5.4 and 11.5.4.1.
 */
#include "devices/lapic.h"

enum timer_mode { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE, TIMER_RESERVED };

/* Shorter periods than this are not caught up, and the run loop is not asked to come back
 * sooner. */
#define CATCH_UP_MIN_PERIOD 20000u
#define CATCH_UP_MAX_SPAN   (60 * NS_PER_SEC)

static enum timer_mode mode_of(uint32_t lvt)
{
    return (enum timer_mode)((lvt >> 17) & 3);
}

static enum timer_mode timer_mode(const struct lapic *l)
{
    return mode_of(l->lvt[LVT_TIMER]);
}

/* Divide configuration: bits 3, 1, 0 select 2, 4, ... 128, 1. */
static unsigned divide_shift(uint32_t reg)
{
    return (((reg & 3) | ((reg >> 1) & 4)) + 1) & 7;
}

static ns_t ticks_to_ns(const struct lapic *l, uint64_t count)
{
    return count << divide_shift(l->timer.divide);
}

static bool vector_pending(const struct lapic *l)
{
    unsigned vector = l->lvt[LVT_TIMER] & 0xff;

    return l->irr[vector / 32] >> (vector % 32) & 1;
}

static void timer_fire(struct lapic *l, uint64_t ticks)
{
    struct lapic_timer *t = &l->timer;
    ns_t period = ticks_to_ns(l, t->init);
    uint64_t owed = t->missed + ticks;

    if (l->lvt[LVT_TIMER] & LVT_MASKED)
        return;
    if (!vector_pending(l)) {
        lapic_local_interrupt(l, LVT_TIMER);
        owed--;
    }
    if (timer_mode(l) != TIMER_PERIODIC || period < CATCH_UP_MIN_PERIOD)
        return;
    if (owed > CATCH_UP_MAX_SPAN / period)
        owed = CATCH_UP_MAX_SPAN / period;
    t->missed = (uint32_t)owed;
}

void lapic_timer_roll(struct lapic *l, ns_t now)
{
    struct lapic_timer *t = &l->timer;
    uint64_t ticks = 1;

    if (t->tsc_deadline && now >= t->tsc_due) {
        t->tsc_deadline = 0;
        timer_fire(l, 1);
    }
    if (!t->running || now < t->base || now - t->base < ticks_to_ns(l, t->left))
        return;
    t->base += ticks_to_ns(l, t->left);
    if (timer_mode(l) == TIMER_PERIODIC) {
        ns_t period = ticks_to_ns(l, t->init);
        uint64_t more = (now - t->base) / period;
        t->base += more * period;
        t->left = t->init;
        ticks += more;
    } else {
        t->left = 0;
        t->running = false;
    }
    timer_fire(l, ticks);
}

/* A write to the initial count register; in TSC-deadline mode it is ignored. */
void lapic_timer_start(struct lapic *l, uint32_t count, ns_t now)
{
    struct lapic_timer *t = &l->timer;

    if (timer_mode(l) == TIMER_DEADLINE)
        return;
    t->init = count;
    t->left = count;
    t->base = now;
    t->running = count != 0;
    t->missed = 0;
    wire_pulse(&l->kick);
}

uint32_t lapic_timer_count(const struct lapic *l, ns_t now)
{
    const struct lapic_timer *t = &l->timer;
    uint64_t passed;

    if (!t->running)
        return 0;
    passed = now < t->base ? 0 : (now - t->base) >> divide_shift(t->divide);
    return passed < t->left ? t->left - (uint32_t)passed : 0;
}

void lapic_timer_set_divide(struct lapic *l, uint32_t value, ns_t now)
{
    struct lapic_timer *t = &l->timer;

    t->left = lapic_timer_count(l, now);
    t->base = now;
    t->divide = value & 0xb;
    wire_pulse(&l->kick);
}

/* The timer's LVT entry was written. Entering or leaving TSC-deadline mode disarms the timer. */
void lapic_timer_mode_changed(struct lapic *l, uint32_t old_lvt)
{
    struct lapic_timer *t = &l->timer;
    uint32_t new_lvt = l->lvt[LVT_TIMER];

    if ((mode_of(old_lvt) == TIMER_DEADLINE) != (mode_of(new_lvt) == TIMER_DEADLINE)) {
        t->running = false;
        t->left = t->init = 0;
        t->tsc_deadline = 0;
    }
    if ((old_lvt ^ new_lvt) & ~LVT_MASKED || (new_lvt & LVT_MASKED))
        t->missed = 0;
    wire_pulse(&l->kick);
}

/* The guest is done with one tick; give it the next one it is owed. */
void lapic_timer_eoi(struct lapic *l, uint8_t vector)
{
    struct lapic_timer *t = &l->timer;

    if (!t->missed || vector != (l->lvt[LVT_TIMER] & 0xff) || vector_pending(l))
        return;
    t->missed--;
    lapic_local_interrupt(l, LVT_TIMER);
}

ns_t lapic_timer_deadline(const struct lapic *l, ns_t now)
{
    const struct lapic_timer *t = &l->timer;
    ns_t due = NS_NEVER;

    if (l->lvt[LVT_TIMER] & LVT_MASKED)
        return NS_NEVER;
    if (t->tsc_deadline)
        due = t->tsc_due;
    if (t->running) {
        due = t->base + ticks_to_ns(l, t->left);
        if (timer_mode(l) == TIMER_PERIODIC && due < now + CATCH_UP_MIN_PERIOD &&
            ticks_to_ns(l, t->init) < CATCH_UP_MIN_PERIOD)
            due = now + CATCH_UP_MIN_PERIOD;
    }
    return due;
}

void lapic_set_tsc_deadline(struct lapic *l, uint64_t tsc)
{
    struct lapic_timer *t = &l->timer;
    uint64_t ms = tsc / l->tsc_khz, rest = tsc % l->tsc_khz;

    if (timer_mode(l) != TIMER_DEADLINE)
        return;
    t->tsc_deadline = tsc;
    if (ms > UINT64_MAX / 1000000 - 1)
        t->tsc_due = NS_NEVER;
    else /* the first ns at which the TSC has reached the deadline */
        t->tsc_due = ms * 1000000 + (rest * 1000000 + l->tsc_khz - 1) / l->tsc_khz;
    wire_pulse(&l->kick);
}

uint64_t lapic_get_tsc_deadline(const struct lapic *l)
{
    return l->timer.tsc_deadline;
}
