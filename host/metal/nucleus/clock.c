/* SPDX-License-Identifier: MIT */
/* clock.c - see clock.h. */
#include "host/metal/nucleus/clock.h"

#include "host/metal/nucleus/insn.h"
#include "host/metal/nucleus/layout.h"
#include "host/metal/nucleus/pages.h"
#include "host/metal/nucleus/trap.h"

#define NS_PER_SEC  1000000000ull
#define PIT_HZ      1193182ull
#define PIT_CH0     0x40
#define PIT_CH2     0x42
#define PIT_MODE    0x43
#define PORT_61     0x61
#define MEASURE_PIT 11932u /* 10 ms */
#define PIT_MOST    0xffffu

#define PIC1         0x20
#define PIC2         0xa0
#define PIC_EOI      0x20
#define PIC_READ_ISR 0x0b
#define IRQ_TIMER    0u
#define IRQ_COM1     4u
#define IRQ_SPURIOUS 7u

#define MSR_APIC_BASE  0x1bu
#define APIC_ENABLE    (1u << 11)
#define APIC_EOI       0x0b0u
#define APIC_SPURIOUS  0x0f0u
#define APIC_LVT_TIMER 0x320u
#define APIC_LVT_LINT0 0x350u
#define APIC_LVT_LINT1 0x360u
#define APIC_INITIAL   0x380u
#define APIC_CURRENT   0x390u
#define APIC_DIVIDE    0x3e0u
#define LVT_EXTINT     0x700u
#define LVT_NMI        0x400u
#define DIVIDE_16      0x3u

static struct {
    uint64_t boot, start; /* of the TSC: when the machine, and the present guest's life, began */
    uint64_t khz;
    int64_t wall;
    volatile uint32_t *apic; /* NULL: the PIT is the timer */
    uint64_t apic_hz;        /* after the divider */
} clk;

/* Without overflow for centuries, and without a 128-bit division. */
static ns_t since(uint64_t start)
{
    uint64_t t = read_tsc() - start;

    return t / clk.khz * 1000000 + t % clk.khz * 1000000 / clk.khz;
}

ns_t clock_now(void)
{
    return since(clk.start);
}

void clock_restart(void)
{
    clk.start = read_tsc();
}

uint32_t clock_tsc_khz(void)
{
    return (uint32_t)clk.khz;
}

int64_t clock_wall(void)
{
    return clk.wall + (int64_t)(since(clk.boot) / NS_PER_SEC);
}

static uint32_t apic_read(unsigned reg)
{
    return clk.apic[reg / 4];
}

static void apic_write(unsigned reg, uint32_t v)
{
    clk.apic[reg / 4] = v;
}

/* ---- the CMOS clock ---- */

static uint8_t cmos(uint8_t reg)
{
    out8(0x70, reg);
    return in8(0x71);
}

static unsigned from_bcd(uint8_t v, bool binary)
{
    return binary ? v : (v >> 4) * 10u + (v & 15);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = y / 400;
    unsigned yoe = (unsigned)(y - era * 400),
             doy = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t read_cmos(void)
{
    uint8_t r[7], b;

    for (unsigned n = 0; n < 1000000 && (cmos(0x0a) & 0x80); n++)
        continue; /* an update is under way */
    static const uint8_t regs[7] = {0, 2, 4, 7, 8, 9, 0x32};
    for (unsigned n = 0; n < 7; n++)
        r[n] = cmos(regs[n]);
    b = cmos(0x0b);
    bool binary = b & 4, pm = r[2] & 0x80;
    unsigned hour = from_bcd(r[2] & 0x7f, binary);
    if (!(b & 2))
        hour = hour % 12 + (pm ? 12 : 0);
    unsigned century = from_bcd(r[6], false);
    int64_t year = from_bcd(r[5], binary) + (century >= 19 && century < 22 ? century : 20) * 100;
    return days_of(year, from_bcd(r[4], binary), from_bcd(r[3], binary)) * 86400 + hour * 3600 +
           from_bcd(r[1], binary) * 60 + from_bcd(r[0], binary);
}

/* ---- the 8259s: IRQ n is vector VECTOR_PIC + n; only COM1 and, without APIC, the timer ---- */

static void pic_init(bool timer)
{
    out8(PIC1, 0x11), out8(PIC2, 0x11);
    out8(PIC1 + 1, VECTOR_PIC), out8(PIC2 + 1, VECTOR_PIC + 8);
    out8(PIC1 + 1, 4), out8(PIC2 + 1, 2);
    out8(PIC1 + 1, 1), out8(PIC2 + 1, 1);
    out8(PIC1 + 1, (uint8_t) ~(1u << IRQ_COM1 | (timer ? 1u << IRQ_TIMER : 0)));
    out8(PIC2 + 1, 0xff);
}

/* ---- measuring ---- */

/* The counts of TSC and APIC timer in a time that channel 2 of the PIT tells. */
static void measure(void)
{
    uint64_t t0, t1;
    uint32_t a0 = 0, a1 = 0;

    out8(PORT_61, (uint8_t)((in8(PORT_61) & ~2u) | 1)); /* gate on, speaker off */
    out8(PIT_MODE, 0xb0);                               /* channel 2, both bytes, mode 0 */
    out8(PIT_CH2, MEASURE_PIT & 0xff);
    if (clk.apic)
        apic_write(APIC_INITIAL, ~0u);
    out8(PIT_CH2, MEASURE_PIT >> 8); /* the count starts */
    t0 = read_tsc();
    if (clk.apic)
        a0 = apic_read(APIC_CURRENT);
    while (!(in8(PORT_61) & 0x20))
        continue;
    t1 = read_tsc();
    if (clk.apic) {
        a1 = apic_read(APIC_CURRENT);
        apic_write(APIC_INITIAL, 0);
        clk.apic_hz = (uint64_t)(a0 - a1) * PIT_HZ / MEASURE_PIT;
    }
    clk.khz = (t1 - t0) * PIT_HZ / MEASURE_PIT / 1000;
}

static void apic_init(void)
{
    if (!(cpuid(1, 0).d & 1u << 9))
        return;
    uint64_t base = read_msr(MSR_APIC_BASE);
    if (!(base & APIC_ENABLE))
        return;
    base &= 0xffffff000;
    if (pages_map(DIRECT_BASE + base, base, 4096, PAGES_WRITE | PAGES_UNCACHED))
        return;
    clk.apic = (volatile uint32_t *)(DIRECT_BASE + base);
    apic_write(APIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    apic_write(APIC_LVT_LINT0, LVT_EXTINT); /* the 8259s */
    apic_write(APIC_LVT_LINT1, LVT_NMI);
    apic_write(APIC_DIVIDE, DIVIDE_16);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
}

void clock_init(void)
{
    apic_init();
    pic_init(!clk.apic);
    measure();
    if (!clk.khz)
        clk.khz = 1000000;
    if (!clk.apic_hz)
        clk.apic_hz = 1;
    clk.wall = read_cmos();
    clk.boot = clk.start = read_tsc();
}

/* ---- the timer ---- */

void clock_arm(ns_t at)
{
    ns_t now = clock_now(), wait = at > now ? at - now : 0;
    uint64_t hz = clk.apic ? clk.apic_hz : PIT_HZ, most = clk.apic ? 0xffffffffu : PIT_MOST;
    uint64_t count = wait > most * NS_PER_SEC / hz ? most : wait * hz / NS_PER_SEC + 1;

    if (count > most)
        count = most;
    if (clk.apic) {
        apic_write(APIC_INITIAL, (uint32_t)count);
        return;
    }
    out8(PIT_MODE, 0x30); /* channel 0, both bytes, mode 0 */
    out8(PIT_CH0, (uint8_t)count);
    out8(PIT_CH0, (uint8_t)(count >> 8));
}

bool clock_interrupt(unsigned vector)
{
    if (vector == VECTOR_TIMER) {
        apic_write(APIC_EOI, 0);
        return true;
    }
    unsigned irq = vector - VECTOR_PIC;
    if (irq == IRQ_SPURIOUS) {
        out8(PIC1, PIC_READ_ISR);
        if (!(in8(PIC1) & 1u << IRQ_SPURIOUS))
            return false;
    }
    if (irq >= 8)
        out8(PIC2, PIC_EOI);
    out8(PIC1, PIC_EOI);
    return irq == IRQ_TIMER;
}
