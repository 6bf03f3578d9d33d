/* SPDX-License-Identifier: MIT */
/*
 * mc146818.c - the real-time clock. See mc146818.h.
 *
 * The divider chain counts 32768 Hz ticks; each 32768th ends an update cycle, each (32768 / rate)th
 * sets the periodic flag.
 * Nothing runs while nobody looks and no interrupt is enabled.
 */
#include "devices/mc146818.h"

#include "include/ring1/mem.h"

#define CLOCK_HZ 32768u
/* Update in progress: 244 us of warning, then 1984 us of update. */
#define UIP_NS          2228000u
#define CATCH_UP_NS     50000u
#define BACKLOG_SECONDS 10u

enum reg {
    R_SEC,
    R_SEC_ALARM,
    R_MIN,
    R_MIN_ALARM,
    R_HOUR,
    R_HOUR_ALARM,
    R_WEEKDAY,
    R_DAY,
    R_MONTH,
    R_YEAR,
    R_A,
    R_B,
    R_C,
    R_D,
    R_CENTURY = 0x32,
};

#define A_UIP      0x80
#define A_DV       0x70
#define A_DV_RESET 0x60
#define A_RS       0x0f
#define B_SET      0x80
#define B_PIE      0x40
#define B_AIE      0x20
#define B_UIE      0x10
#define B_SQWE     0x08
#define B_BINARY   0x04
#define B_24H      0x02
#define C_IRQF     0x80
#define C_PF       0x40
#define C_AF       0x20
#define C_UF       0x10
#define D_VRT      0x80
#define HOUR_PM    0x80
#define ALARM_ANY  0xc0

#define DAY_SECONDS 86400
#define NO_ALARM    (2 * DAY_SECONDS)

/*
 * Days are counted from -0400-03-01 of the proleptic Gregorian calendar: a leap day then ends a
 * year, and no date that the registers can show is negative. Month 1-12.
 */
static int64_t days_of_date(int64_t year, unsigned month, unsigned day)
{
    unsigned from_march = (month + 9) % 12;

    if (month <= 2)
        year--;
    year += 400;
    return year * 365 + year / 4 - year / 100 + year / 400 + (from_march * 153 + 2) / 5 +
           (int64_t)day - 1;
}

#define DAYS_TO_YEAR_0 146097
#define DAYS_TO_1970   865565 /* days_of_date(1970, 1, 1) */

static void date_of_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t d = days, y;
    unsigned from_march, rest;

    /* A first guess that is never too small, then at most a few steps down. */
    y = d / 365;
    while (y * 365 + y / 4 - y / 100 + y / 400 > d)
        y -= (y * 365 + y / 4 - y / 100 + y / 400 - d + 365) / 366;
    rest = (unsigned)(d - (y * 365 + y / 4 - y / 100 + y / 400));
    from_march = (rest * 5 + 2) / 153;
    *day = rest - (from_march * 153 + 2) / 5 + 1;
    *month = from_march < 10 ? from_march + 3 : from_march - 9;
    *year = y - 400 + (*month <= 2);
}

static unsigned decode(const struct mc146818 *rtc, uint8_t raw)
{
    return rtc->ram[R_B] & B_BINARY ? raw : (raw >> 4) * 10u + (raw & 15u);
}

static uint8_t encode(const struct mc146818 *rtc, unsigned value)
{
    return (uint8_t)(rtc->ram[R_B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static unsigned decode_hour(const struct mc146818 *rtc, uint8_t raw)
{
    if (rtc->ram[R_B] & B_24H)
        return decode(rtc, raw);
    return decode(rtc, raw & 0x7f) % 12 + (raw & HOUR_PM ? 12 : 0);
}

static uint8_t encode_hour(const struct mc146818 *rtc, unsigned hour)
{
    if (rtc->ram[R_B] & B_24H)
        return encode(rtc, hour);
    return (uint8_t)(encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0));
}

/* Seconds since -0400-03-01 that the registers show; values out of range carry over. */
static int64_t clock_get(const struct mc146818 *rtc)
{
    const uint8_t *ram = rtc->ram;
    unsigned month = decode(rtc, ram[R_MONTH]);
    int64_t year = decode(rtc, ram[R_CENTURY]) % 100 * 100 + decode(rtc, ram[R_YEAR]) % 100;

    month = month ? month - 1 : 0;
    return days_of_date(year + month / 12, month % 12 + 1, decode(rtc, ram[R_DAY])) * DAY_SECONDS +
           decode_hour(rtc, ram[R_HOUR]) * 3600 + decode(rtc, ram[R_MIN]) * 60 +
           decode(rtc, ram[R_SEC]);
}

/* Shows `seconds` since -0400-03-01, except for the day of the week. */
static void clock_set(struct mc146818 *rtc, int64_t seconds)
{
    unsigned in_day = (unsigned)(seconds % DAY_SECONDS), month, day;
    uint8_t *ram = rtc->ram;
    int64_t year;

    date_of_days(seconds / DAY_SECONDS, &year, &month, &day);
    ram[R_SEC] = encode(rtc, in_day % 60);
    ram[R_MIN] = encode(rtc, in_day / 60 % 60);
    ram[R_HOUR] = encode_hour(rtc, in_day / 3600);
    ram[R_DAY] = encode(rtc, day);
    ram[R_MONTH] = encode(rtc, month);
    ram[R_YEAR] = encode(rtc, (unsigned)(year % 100));
    ram[R_CENTURY] = encode(rtc, (unsigned)(year / 100 % 100));
}

static bool alarm_field(uint8_t alarm, uint8_t now)
{
    return (alarm & ALARM_ANY) == ALARM_ANY || alarm == now;
}

/* Seconds from `in_day` to the next second that the alarm registers match: 1..86400, or
 * NO_ALARM. */
static unsigned alarm_distance(const struct mc146818 *rtc, unsigned in_day)
{
    const uint8_t *ram = rtc->ram;
    unsigned t = in_day + 1, end = in_day + DAY_SECONDS;

    while (t <= end) {
        if (!alarm_field(ram[R_HOUR_ALARM], encode_hour(rtc, t / 3600 % 24)))
            t = (t / 3600 + 1) * 3600;
        else if (!alarm_field(ram[R_MIN_ALARM], encode(rtc, t / 60 % 60)))
            t = (t / 60 + 1) * 60;
        else if (!alarm_field(ram[R_SEC_ALARM], encode(rtc, t % 60)))
            t++;
        else
            return t - in_day;
    }
    return NO_ALARM;
}

/* `n` update cycles have ended. */
static void clock_step(struct mc146818 *rtc, uint64_t n)
{
    int64_t before = clock_get(rtc), after = before + (int64_t)n;
    int64_t days = after / DAY_SECONDS - before / DAY_SECONDS;
    unsigned weekday = decode(rtc, rtc->ram[R_WEEKDAY]);

    if (alarm_distance(rtc, (unsigned)(before % DAY_SECONDS)) <= n)
        rtc->ram[R_C] |= C_AF;
    rtc->ram[R_C] |= C_UF;
    clock_set(rtc, after);
    if (days)
        rtc->ram[R_WEEKDAY] = encode(rtc, (unsigned)((weekday + 6 + days) % 7 + 1));
}

static bool halted(const struct mc146818 *rtc)
{
    return (rtc->ram[R_A] & A_DV_RESET) == A_DV_RESET;
}

/* What the divider chain has counted by `now`. */
static uint64_t chain_ticks(const struct mc146818 *rtc, ns_t now)
{
    ns_t ns = now - rtc->divider_start;

    return rtc->half_ticks + ns / NS_PER_SEC * CLOCK_HZ + ns % NS_PER_SEC * CLOCK_HZ / NS_PER_SEC;
}

/* First moment at which chain_ticks() has reached `ticks`. */
static ns_t chain_time(const struct mc146818 *rtc, uint64_t ticks)
{
    uint64_t t = ticks > rtc->half_ticks ? ticks - rtc->half_ticks : 0;

    if (t / CLOCK_HZ >= NS_NEVER / NS_PER_SEC / 2)
        return NS_NEVER;
    return rtc->divider_start + t / CLOCK_HZ * NS_PER_SEC +
           (t % CLOCK_HZ * NS_PER_SEC + CLOCK_HZ - 1) / CLOCK_HZ;
}

/* Chain ticks between two periodic flags; 0: none. Rates 1 and 2 repeat 8 and 9. */
static uint32_t period_ticks(const struct mc146818 *rtc)
{
    unsigned rs = rtc->ram[R_A] & A_RS;

    if (rs == 0)
        return 0;
    return 1u << (rs <= 2 ? rs + 6 : rs - 1);
}

static void irq_update(struct mc146818 *rtc)
{
    uint8_t *c = &rtc->ram[R_C];
    bool level = (*c & rtc->ram[R_B] & (C_PF | C_AF | C_UF)) != 0;

    *c = (uint8_t)((*c & ~C_IRQF) | (level ? C_IRQF : 0));
    if (level == rtc->irq_level)
        return;
    rtc->irq_level = level;
    wire_set(&rtc->irq8, level);
}

static void periodic_step(struct mc146818 *rtc, uint64_t n, uint32_t period)
{
    uint64_t most = (uint64_t)BACKLOG_SECONDS * CLOCK_HZ / period;

    if (!(rtc->ram[R_B] & B_PIE)) {
        if (n)
            rtc->ram[R_C] |= C_PF;
        return;
    }
    rtc->backlog += n;
    if (rtc->backlog > most) {
        rtc->periodic_dropped += rtc->backlog - most;
        rtc->backlog = most;
    }
    /* Reading register C is the acknowledgement; a tick that waited goes out a little later. */
    if (rtc->backlog && !(rtc->ram[R_C] & C_PF) && rtc->now >= rtc->poll_at) {
        rtc->backlog--;
        rtc->ram[R_C] |= C_PF;
    }
}

static void rtc_advance(struct mc146818 *rtc, ns_t now)
{
    uint32_t period = period_ticks(rtc);
    uint64_t chain, n;

    if (now > rtc->now)
        rtc->now = now;
    if (halted(rtc))
        return;
    chain = chain_ticks(rtc, rtc->now);
    n = chain / CLOCK_HZ - rtc->seconds;
    rtc->seconds += n;
    if (n && !(rtc->ram[R_B] & B_SET))
        clock_step(rtc, n);
    if (period) {
        n = chain / period - rtc->periods;
        rtc->periods += n;
        periodic_step(rtc, n, period);
    }
    irq_update(rtc);
}

/* The rate or the divider changed: periodic edges count from here. */
static void periodic_restart(struct mc146818 *rtc)
{
    uint32_t period = period_ticks(rtc);

    rtc->periods = period && !halted(rtc) ? chain_ticks(rtc, rtc->now) / period : 0;
    rtc->backlog = 0;
    rtc->poll_at = 0;
}

static void write_a(struct mc146818 *rtc, uint8_t val)
{
    bool was_halted = halted(rtc);

    rtc->ram[R_A] = val & (uint8_t)~A_UIP;
    if (was_halted && !halted(rtc)) {
        /* The first update comes half a second after the divider starts. */
        rtc->divider_start = rtc->now;
        rtc->half_ticks = CLOCK_HZ / 2;
        rtc->seconds = 0;
    }
    periodic_restart(rtc);
}

static void write_b(struct mc146818 *rtc, uint8_t val)
{
    uint8_t changed = rtc->ram[R_B] ^ val;

    if (val & B_SET)
        val &= (uint8_t)~B_UIE;
    rtc->ram[R_B] = val;
    if (changed & B_PIE)
        periodic_restart(rtc);
}

static void cmos_write(struct mc146818 *rtc, uint8_t at, uint8_t val)
{
    switch (at) {
    case R_A:
        write_a(rtc, val);
        break;
    case R_B:
        write_b(rtc, val);
        break;
    case R_C:
    case R_D:
        return;
    default:
        rtc->ram[at] = val;
        break;
    }
    if (at <= R_B) {
        irq_update(rtc);
        wire_set(&rtc->kick, true);
    }
}

static uint8_t read_c(struct mc146818 *rtc)
{
    uint8_t val = rtc->ram[R_C];

    rtc->ram[R_C] = 0;
    irq_update(rtc);
    rtc->poll_at = rtc->backlog ? rtc->now + CATCH_UP_NS : 0;
    if (rtc->ram[R_B] & (B_PIE | B_AIE | B_UIE))
        wire_set(&rtc->kick, true);
    return val;
}

static uint8_t cmos_read(struct mc146818 *rtc, uint8_t at)
{
    ns_t due;

    switch (at) {
    case R_A:
        due = chain_time(rtc, (rtc->seconds + 1) * CLOCK_HZ);
        if (!halted(rtc) && !(rtc->ram[R_B] & B_SET) && due - rtc->now <= UIP_NS)
            return rtc->ram[R_A] | A_UIP;
        return rtc->ram[R_A];
    case R_C:
        return read_c(rtc);
    case R_D:
        return D_VRT;
    default:
        return rtc->ram[at];
    }
}

static void rtc_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct mc146818 *rtc = dev;

    (void)size;
    switch (off & 3) {
    case 0:
        rtc->index = val & 0x7f;
        rtc->nmi_masked = (val & 0x80) != 0;
        break;
    case 1:
        rtc_advance(rtc, now);
        cmos_write(rtc, rtc->index, (uint8_t)val);
        break;
    case 2:
        rtc->index_high = val & 0x7f;
        break;
    default:
        rtc->ram[0x80 | rtc->index_high] = (uint8_t)val;
        break;
    }
}

static uint32_t rtc_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct mc146818 *rtc = dev;

    (void)size;
    switch (off & 3) {
    case 1:
        rtc_advance(rtc, now);
        return cmos_read(rtc, rtc->index);
    case 3:
        return rtc->ram[0x80 | rtc->index_high];
    default:
        return 0xff; /* the index registers are write-only */
    }
}

static ns_t earlier(ns_t a, ns_t b)
{
    return a < b ? a : b;
}

static ns_t rtc_run_until(void *dev, ns_t now)
{
    struct mc146818 *rtc = dev;
    uint8_t b, c;
    uint32_t period = period_ticks(rtc);
    ns_t due = NS_NEVER;

    rtc_advance(rtc, now);
    b = rtc->ram[R_B];
    c = rtc->ram[R_C];
    if (halted(rtc))
        return NS_NEVER;
    if ((b & B_PIE) && period && !(c & C_PF))
        due = rtc->backlog ? rtc->poll_at : chain_time(rtc, (rtc->periods + 1) * period);
    if (b & B_SET)
        return due;
    if ((b & B_UIE) && !(c & C_UF))
        due = earlier(due, chain_time(rtc, (rtc->seconds + 1) * CLOCK_HZ));
    if ((b & B_AIE) && !(c & C_AF)) {
        unsigned n = alarm_distance(rtc, (unsigned)(clock_get(rtc) % DAY_SECONDS));

        if (n != NO_ALARM)
            due = earlier(due, chain_time(rtc, (rtc->seconds + n) * CLOCK_HZ));
    }
    return due;
}

/* RESET: interrupt enables and flags go, time and RAM stay. */
static void rtc_reset(void *dev)
{
    struct mc146818 *rtc = dev;

    rtc->ram[R_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    rtc->ram[R_C] = 0;
    rtc->index = rtc->index_high = 0;
    rtc->nmi_masked = false;
    rtc->backlog = 0;
    rtc->poll_at = 0;
    rtc->irq_level = false;
    wire_set(&rtc->irq8, false);
}

void mc146818_init(struct mc146818 *rtc, int64_t wall_seconds, struct wire irq8, struct wire kick)
{
    const int64_t epoch = (int64_t)DAYS_TO_1970 * DAY_SECONDS;
    const int64_t year_0 = ((int64_t)DAYS_TO_YEAR_0 - DAYS_TO_1970) * DAY_SECONDS;
    const int64_t year_10000 = 253402300800; /* two digits of century end there */
    int64_t days;

    memset(rtc, 0, sizeof(*rtc));
    rtc->irq8 = irq8;
    rtc->kick = kick;
    rtc->ram[R_A] = 0x26;
    rtc->ram[R_B] = B_24H;
    if (wall_seconds < year_0)
        wall_seconds = year_0;
    if (wall_seconds >= year_10000)
        wall_seconds = year_10000 - 1;
    clock_set(rtc, wall_seconds + epoch);
    days = (wall_seconds + epoch) / DAY_SECONDS;
    rtc->ram[R_WEEKDAY] = (uint8_t)((days + 3) % 7 + 1); /* -0400-03-01 was a Wednesday */
    rtc_reset(rtc);
}

static void put16(struct mc146818 *rtc, unsigned at, uint64_t value)
{
    if (value > 0xffff)
        value = 0xffff;
    rtc->ram[at] = (uint8_t)value;
    rtc->ram[at + 1] = (uint8_t)(value >> 8);
}

void mc146818_set_memory(struct mc146818 *rtc, uint64_t ram_size)
{
    uint64_t extended = ram_size > 0x100000 ? (ram_size - 0x100000) >> 10 : 0;
    unsigned sum = 0;

    rtc->ram[0x14] = 0x06; /* equipment: mathematics coprocessor, pointing device */
    put16(rtc, 0x15, 640);
    put16(rtc, 0x17, extended);
    put16(rtc, 0x30, extended);
    put16(rtc, 0x34, ram_size > 0x1000000 ? (ram_size - 0x1000000) >> 16 : 0);
    for (unsigned i = 0x10; i <= 0x2d; i++)
        sum += rtc->ram[i];
    rtc->ram[0x2e] = (uint8_t)(sum >> 8);
    rtc->ram[0x2f] = (uint8_t)sum;
}

/* Its past is not in the future. */
static bool rtc_loaded(void *dev, ns_t now)
{
    const struct mc146818 *rtc = dev;
    uint32_t period = period_ticks(rtc);

    if (rtc->now > now || rtc->divider_start > rtc->now)
        return false;
    uint64_t chain = chain_ticks(rtc, rtc->now);
    return halted(rtc) ||
           (rtc->seconds <= chain / CLOCK_HZ && (!period || rtc->periods <= chain / period));
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_BOOL(struct mc146818, nmi_masked),
    STATE_BOOL(struct mc146818, irq_level),
    STATE_RULE(struct mc146818, half_ticks, 0, CLOCK_HZ),
};

const struct dev_ops mc146818_ops = {
    .name = "mc146818",
    .state_size = offsetof(struct mc146818, wires_begin),
    .min_size = 1,
    .max_size = 1,
    .read = rtc_read,
    .write = rtc_write,
    .reset = rtc_reset,
    .run_until = rtc_run_until,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
    .loaded = rtc_loaded,
};
