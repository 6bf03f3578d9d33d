/* SPDX-License-Identifier: MIT */
/*
 * i8254.c - the 82C54 timer. See i8254.h.
 *
 * No counter is ever stepped. A channel remembers the tick at which its counting element held the
 * full count; the present count and the level of OUT follow from the ticks elapsed since. Only
 * counter 0's rising edges of OUT are events; they are counted in closed form, so a jump in time
 * costs the same as a single tick.
 */
#include "devices/i8254.h"

#include "include/ring1/mem.h"

#define TICK_NEVER      UINT64_MAX
#define POLL_NS         100000ull  /* how soon to ask again whether a late tick may go out */
#define POLL_CREDIT_NS  1000000ull /* longest time that one unsuccessful poll counts for */
#define DEAF_NS         NS_PER_SEC /* the guest ignored ticks for that long: stop saving them */
#define BACKLOG_SECONDS 10u
#define FASTEST_NS      50000ull /* shortest distance of two deadlines */

#define RW_LATCH 0
#define RW_LOW   1
#define RW_HIGH  2

static uint64_t ticks_of_ns(ns_t ns)
{
    return ns / NS_PER_SEC * I8254_HZ + ns % NS_PER_SEC * I8254_HZ / NS_PER_SEC;
}

/* First nanosecond at which ticks_of_ns() has reached `tick`. */
static ns_t ns_of_ticks(uint64_t tick)
{
    uint64_t seconds = tick / I8254_HZ, rest = tick % I8254_HZ;

    if (seconds >= NS_NEVER / NS_PER_SEC)
        return NS_NEVER;
    return seconds * NS_PER_SEC + (rest * NS_PER_SEC + I8254_HZ - 1) / I8254_HZ;
}

static bool is_bcd(const struct i8254_channel *c)
{
    return c->control & 1;
}

static unsigned rw_of(const struct i8254_channel *c)
{
    return (c->control >> 4) & 3;
}

static bool is_periodic(const struct i8254_channel *c)
{
    return c->mode == 2 || c->mode == 3;
}

static bool is_triggered(const struct i8254_channel *c)
{
    return c->mode == 1 || c->mode == 5;
}

static uint32_t count_of_bytes(const struct i8254_channel *c, uint16_t raw)
{
    uint32_t n = raw;

    if (is_bcd(c)) {
        n = (raw >> 12) * 1000u + ((raw >> 8) & 15) * 100u + ((raw >> 4) & 15) * 10u + (raw & 15);
        return n == 0 || n > 10000 ? 10000 : n;
    }
    return n == 0 ? 65536 : n;
}

static uint16_t bytes_of_count(const struct i8254_channel *c, uint32_t n)
{
    if (!is_bcd(c))
        return (uint16_t)n;
    n %= 10000;
    return (uint16_t)(n / 1000 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10);
}

static uint64_t elapsed(const struct i8254_channel *c, uint64_t t)
{
    if (c->held)
        return c->held_elapsed;
    return (int64_t)(t - c->start) > 0 ? t - c->start : 0;
}

static bool started(const struct i8254_channel *c, uint64_t t)
{
    return c->active && (int64_t)(t - c->start) >= 0;
}

/* Ticks for which mode 3 holds OUT high in a period of n. */
static uint32_t high_part(uint32_t n)
{
    return (n + 1) / 2;
}

/* Takes over a count that waited for the end of a (half) period, and clears the null count flag. */
static void channel_settle(struct i8254_channel *c, uint64_t t)
{
    if (c->next_at != TICK_NEVER && t >= c->next_at) {
        bool at_rise = (c->next_at - c->start) % c->count == 0;

        /* In the middle of mode 3's period the new count governs the low half. */
        c->start = at_rise ? c->next_at : c->next_at - high_part(c->next_count);
        c->count = c->next_count;
        c->next_at = TICK_NEVER;
        c->null_count = false;
    } else if (c->next_at == TICK_NEVER && !is_triggered(c) && started(c, t)) {
        c->null_count = false;
    }
}

static bool channel_out(const struct i8254_channel *c, uint64_t t)
{
    uint64_t e = elapsed(c, t);

    if (!c->active)
        return c->mode != 0;
    switch (c->mode) {
    case 0:
        return e >= c->count;
    case 1:
        return !started(c, t) || e >= c->count;
    case 2:
        return !c->gate || c->count < 2 || e % c->count != c->count - 1;
    case 3:
        return !c->gate || c->count < 2 || e % c->count < high_part(c->count);
    default:
        return e != c->count;
    }
}

/* What the counting element shows. */
static uint16_t channel_count(const struct i8254_channel *c, uint64_t t)
{
    uint64_t e = elapsed(c, t);
    uint32_t modulus = is_bcd(c) ? 10000 : 65536, n = c->count, phase;

    if (!c->active && !c->held)
        return bytes_of_count(c, c->loaded ? c->next_count : c->count);
    if (n == 0)
        return 0;
    switch (c->mode) {
    case 2:
        return bytes_of_count(c, n - (uint32_t)(e % n));
    case 3:
        phase = (uint32_t)(e % n);
        if (phase >= high_part(n))
            phase -= high_part(n);
        return bytes_of_count(c, (n & ~1u) - 2 * phase);
    default:
        return bytes_of_count(c, (n + modulus - (uint32_t)(e % modulus)) % modulus);
    }
}

/* The next tick after `t` at which OUT rises, if nothing is written until then. */
static uint64_t channel_next_rise(const struct i8254_channel *c, uint64_t t)
{
    uint64_t at = c->start + c->count;

    if (!c->active || c->held)
        return TICK_NEVER;
    if (is_periodic(c)) {
        if (c->count < 2)
            return TICK_NEVER;
        return c->start + (elapsed(c, t) / c->count + 1) * c->count;
    }
    if (c->mode >= 4)
        at++;
    return (int64_t)(at - t) > 0 ? at : TICK_NEVER;
}

static void channel_hold(struct i8254_channel *c, uint64_t t)
{
    if (c->held)
        return;
    c->held_elapsed = elapsed(c, t);
    c->held = true;
}

/* The counting element is loaded with the next clock pulse. */
static void channel_load(struct i8254_channel *c, uint64_t t)
{
    c->count = c->next_count;
    c->start = t + 1;
    c->active = true;
    c->next_at = TICK_NEVER;
    c->held = !c->gate && !is_triggered(c);
    c->held_elapsed = 0;
}

/* A whole count was written. */
static void channel_set_count(struct i8254_channel *c, uint16_t raw, uint64_t t)
{
    bool running = c->loaded && c->active && is_periodic(c) && !c->held && c->count >= 2;

    c->next_count = count_of_bytes(c, raw);
    c->loaded = true;
    c->null_count = true;
    if (is_triggered(c))
        return; /* waits for the gate */
    if (!running || (int64_t)(t - c->start) < 0) {
        channel_load(c, t);
        return;
    }
    /* Mode 2 changes at the end of the period, mode 3 at the end of the half period. */
    c->next_at = c->start + (elapsed(c, t) / c->count + 1) * c->count;
    if (c->mode == 3 && elapsed(c, t) % c->count < high_part(c->count))
        c->next_at -= c->count - high_part(c->count);
}

static void channel_control(struct i8254_channel *c, uint8_t val)
{
    c->control = val & 0x3f;
    c->mode = (val >> 1) & 7;
    if (c->mode > 5)
        c->mode -= 4;
    c->loaded = c->active = c->held = false;
    c->null_count = true;
    c->write_high = c->read_high = false;
    c->count_latched = c->status_latched = false;
    c->next_at = TICK_NEVER;
}

static void channel_latch_count(struct i8254_channel *c, uint64_t t)
{
    if (c->count_latched)
        return;
    c->latch = channel_count(c, t);
    c->count_latched = true;
    c->read_high = false;
}

static void channel_latch_status(struct i8254_channel *c, uint64_t t)
{
    if (c->status_latched)
        return;
    c->status = (uint8_t)(c->control | (c->null_count ? 0x40 : 0) | (channel_out(c, t) ? 0x80 : 0));
    c->status_latched = true;
}

static void channel_write(struct i8254_channel *c, uint8_t val, uint64_t t)
{
    switch (rw_of(c)) {
    case RW_LOW:
        channel_set_count(c, val, t);
        break;
    case RW_HIGH:
        channel_set_count(c, (uint16_t)(val << 8), t);
        break;
    default:
        if (!c->write_high) {
            c->write_low = val;
            c->write_high = true;
            if (c->mode == 0) { /* the first byte stops counting and lowers OUT */
                channel_hold(c, t);
                c->active = false;
            }
            break;
        }
        c->write_high = false;
        channel_set_count(c, (uint16_t)(val << 8 | c->write_low), t);
        break;
    }
}

static uint8_t channel_read(struct i8254_channel *c, uint64_t t)
{
    bool high = rw_of(c) == RW_HIGH || (rw_of(c) != RW_LOW && c->read_high);
    uint16_t val;

    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    val = c->count_latched ? c->latch : channel_count(c, t);
    if (rw_of(c) == RW_LOW || rw_of(c) == RW_HIGH) {
        c->count_latched = false;
    } else {
        c->read_high = !high;
        if (high)
            c->count_latched = false;
    }
    return (uint8_t)(high ? val >> 8 : val);
}

static void channel_set_gate(struct i8254_channel *c, bool level, uint64_t t)
{
    if (c->gate == level)
        return;
    c->gate = level;
    if (!c->loaded)
        return;
    if (is_triggered(c)) {
        if (level) {
            channel_load(c, t);
            c->null_count = false;
        }
    } else if (!level) {
        if (c->active)
            channel_hold(c, t);
    } else if (is_periodic(c)) {
        channel_load(c, t);
    } else if (c->active && c->held) {
        c->start = t - c->held_elapsed;
        c->held = false;
    }
}

static void pit_pulse(struct i8254 *pit)
{
    /* The input stays high until the next tick: the interrupt controller wants it so. */
    wire_set(&pit->irq0, false);
    wire_set(&pit->irq0, true);
    pit->irq_level = true;
    pit->ticks_delivered++;
}

static void pit_level(struct i8254 *pit, bool level)
{
    if (pit->irq_level == level)
        return;
    pit->irq_level = level;
    wire_set(&pit->irq0, level);
}

/* Hands out one waiting tick if the guest took the one before. */
static void pit_deliver(struct i8254 *pit, ns_t now)
{
    ns_t waited = now - pit->last_poll;

    if (pit->backlog == 0 || (pit->poll_at != NS_NEVER && now < pit->poll_at))
        return;
    if (!pit->irq_taken || pit->irq_taken(pit->irq_taken_ctx)) {
        pit->deaf = false;
        pit->starved = 0;
        pit->backlog--;
        pit_pulse(pit);
    } else if (!pit->deaf) {
        pit->starved += waited < POLL_CREDIT_NS ? waited : POLL_CREDIT_NS;
        pit->deaf = pit->starved >= DEAF_NS;
    }
    if (pit->deaf) {
        pit->ticks_dropped += pit->backlog - 1;
        pit->backlog = 0;
        pit->starved = 0;
        pit_pulse(pit);
    }
    pit->last_poll = now;
    pit->poll_at = pit->backlog ? now + POLL_NS : NS_NEVER;
}

static void pit_count_edges(struct i8254 *pit, uint64_t n, uint32_t period)
{
    uint64_t most = (uint64_t)BACKLOG_SECONDS * I8254_HZ / (period ? period : 1) + 1;

    pit->ticks_late += n - 1;
    pit->backlog += n;
    if (pit->backlog > most) {
        pit->ticks_dropped += pit->backlog - most;
        pit->backlog = most;
    }
}

/* Counter 0's OUT rose, in modes 2 and 3 perhaps more than once, up to `limit`. The rise of a
 * mode that makes one is at the interrupt controller from then on, whatever that did with the one
 * before. */
static void pit_edges(struct i8254 *pit, const struct i8254_channel *c, uint64_t limit)
{
    uint64_t n;

    if (!is_periodic(c)) {
        pit_pulse(pit);
        pit->next_edge = TICK_NEVER;
        return;
    }
    n = 1 + (limit - pit->next_edge) / c->count;
    pit_count_edges(pit, n, c->count);
    pit->next_edge += n * c->count;
}

/* Brings all counters to `now` and delivers what fell due. */
static void pit_advance(struct i8254 *pit, ns_t now)
{
    struct i8254_channel *c = &pit->ch[0];
    uint64_t t = ticks_of_ns(now);

    if (t < pit->tick)
        t = pit->tick;
    pit->tick = t;
    for (;;) { /* at most twice: before and after a waiting count takes over */
        uint64_t limit = c->next_at < t ? c->next_at : t;

        if (pit->next_edge <= limit)
            pit_edges(pit, c, limit);
        if (c->next_at > t)
            break;
        limit = c->next_at;
        channel_settle(c, limit);
        pit->next_edge = channel_next_rise(c, limit);
    }
    for (unsigned i = 0; i < 3; i++)
        channel_settle(&pit->ch[i], t);
    pit_deliver(pit, now);
}

/* Counter 0 was written or gated. */
static void pit_reschedule(struct i8254 *pit)
{
    pit->next_edge = channel_next_rise(&pit->ch[0], pit->tick);
    wire_set(&pit->kick, true);
}

static void pit_read_back(struct i8254 *pit, uint8_t val)
{
    for (unsigned i = 0; i < 3; i++) {
        if (!(val & (2u << i)))
            continue;
        if (!(val & 0x20))
            channel_latch_count(&pit->ch[i], pit->tick);
        if (!(val & 0x10))
            channel_latch_status(&pit->ch[i], pit->tick);
    }
}

static void pit_write_control(struct i8254 *pit, uint8_t val)
{
    unsigned n = val >> 6;

    if (n == 3) {
        pit_read_back(pit, val);
        return;
    }
    if (((val >> 4) & 3) == RW_LATCH) {
        channel_latch_count(&pit->ch[n], pit->tick);
        return;
    }
    channel_control(&pit->ch[n], val);
    if (n == 0) {
        pit->backlog = 0;
        pit->poll_at = NS_NEVER;
        pit->starved = 0;
        pit_level(pit, pit->ch[0].mode != 0);
        pit_reschedule(pit);
    }
}

static void pit_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct i8254 *pit = dev;

    (void)size;
    pit_advance(pit, now);
    if ((off & 3) == 3) {
        pit_write_control(pit, (uint8_t)val);
        return;
    }
    channel_write(&pit->ch[off & 3], (uint8_t)val, pit->tick);
    if ((off & 3) == 0) {
        if (pit->ch[0].mode == 0)
            pit_level(pit, false);
        pit_reschedule(pit);
    }
}

static uint32_t pit_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct i8254 *pit = dev;

    (void)size;
    pit_advance(pit, now);
    if ((off & 3) == 3)
        return 0xff; /* the control word register cannot be read */
    return channel_read(&pit->ch[off & 3], pit->tick);
}

static ns_t pit_run_until(void *dev, ns_t now)
{
    struct i8254 *pit = dev;
    ns_t due;

    pit_advance(pit, now);
    due = pit->next_edge == TICK_NEVER ? NS_NEVER : ns_of_ticks(pit->next_edge);
    if (pit->ch[0].next_at != TICK_NEVER && ns_of_ticks(pit->ch[0].next_at) < due)
        due = ns_of_ticks(pit->ch[0].next_at);
    if (due < now + FASTEST_NS && is_periodic(&pit->ch[0]) &&
        pit->ch[0].count < FASTEST_NS * I8254_HZ / NS_PER_SEC)
        due = now + FASTEST_NS;
    return pit->poll_at < due ? pit->poll_at : due;
}

/* The chip is undefined until programmed: no counter counts, OUT is high. */
static void pit_reset(void *dev)
{
    struct i8254 *pit = dev;

    memset(pit->ch, 0, sizeof(pit->ch));
    for (unsigned i = 0; i < 3; i++) {
        channel_control(&pit->ch[i], 0x36);
        pit->ch[i].gate = i != 2;
    }
    pit->next_edge = TICK_NEVER;
    pit->backlog = 0;
    pit->poll_at = NS_NEVER;
    pit->starved = 0;
    pit->deaf = false;
    pit->irq_level = false;
    wire_set(&pit->irq0, false);
    wire_set(&pit->kick, true);
}

bool i8254_out(struct i8254 *pit, unsigned n, ns_t now)
{
    pit_advance(pit, now);
    return channel_out(&pit->ch[n % 3], pit->tick);
}

void i8254_set_gate(struct i8254 *pit, unsigned n, bool level, ns_t now)
{
    pit_advance(pit, now);
    channel_set_gate(&pit->ch[n % 3], level, pit->tick);
    if (n == 0)
        pit_reschedule(pit);
}

void i8254_init(struct i8254 *pit, struct wire irq0, struct wire kick, bool (*irq_taken)(void *ctx),
                void *ctx)
{
    memset(pit, 0, sizeof(*pit));
    pit->irq0 = irq0;
    pit->kick = kick;
    pit->irq_taken = irq_taken;
    pit->irq_taken_ctx = ctx;
    pit_reset(pit);
}

/* A counter that counts, or will, divides by its count. */
static bool pit_loaded(void *dev, ns_t now)
{
    const struct i8254 *pit = dev;

    for (unsigned n = 0; n < 3; n++) {
        const struct i8254_channel *c = &pit->ch[n];
        bool takes_over = c->next_at != TICK_NEVER;

        if (!c->count && (c->active || takes_over || (n == 0 && pit->next_edge != TICK_NEVER)))
            return false;
        if (takes_over && !c->next_count)
            return false;
    }
    return pit->tick <= ticks_of_ns(now);
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_EACH(struct i8254, ch, .mode, 0, 5),
    STATE_EACH(struct i8254, ch, .count, 0, 65536),
    STATE_EACH(struct i8254, ch, .next_count, 0, 65536),
    STATE_EACH(struct i8254, ch, .gate, 0, 1),
    STATE_EACH(struct i8254, ch, .null_count, 0, 1),
    STATE_EACH(struct i8254, ch, .loaded, 0, 1),
    STATE_EACH(struct i8254, ch, .active, 0, 1),
    STATE_EACH(struct i8254, ch, .held, 0, 1),
    STATE_EACH(struct i8254, ch, .write_high, 0, 1),
    STATE_EACH(struct i8254, ch, .read_high, 0, 1),
    STATE_EACH(struct i8254, ch, .count_latched, 0, 1),
    STATE_EACH(struct i8254, ch, .status_latched, 0, 1),
    STATE_BOOL(struct i8254, deaf),
    STATE_BOOL(struct i8254, irq_level),
};

const struct dev_ops i8254_ops = {
    .name = "i8254",
    .state_size = offsetof(struct i8254, wires_begin),
    .min_size = 1,
    .max_size = 1,
    .read = pit_read,
    .write = pit_write,
    .reset = pit_reset,
    .run_until = pit_run_until,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
    .loaded = pit_loaded,
};
