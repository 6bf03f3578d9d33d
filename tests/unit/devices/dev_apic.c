/* SPDX-License-Identifier: MIT */
/* uses: devices/ (all) */
/*
 * dev_apic.c - local APIC and I/O APIC on the board: priorities, EOI, timer, IPIs, level
 * re-trigger, virtual wire.
 */
#include "tests/rig/pc_fixture.h"

enum {
    ID = 0x20,
    VERSION = 0x30,
    TPR = 0x80,
    PPR = 0xa0,
    EOI = 0xb0,
    LDR = 0xd0,
    DFR = 0xe0,
    SVR = 0xf0,
    ISR = 0x100,
    TMR = 0x180,
    IRR = 0x200,
    ESR = 0x280,
    ICR = 0x300,
    ICR2 = 0x310,
    LVTT = 0x320,
    LINT0 = 0x350,
    LVTERR = 0x370,
    TMICT = 0x380,
    TMCCT = 0x390,
    TDCR = 0x3e0,
};

static void self_ipi(struct machine *m, unsigned vector)
{
    lapic_put(m, ICR, 0x44000u | vector);
}

static uint32_t bit_of(struct machine *m, unsigned set, unsigned vector)
{
    return lapic_get(m, set + vector / 32 * 16) >> (vector % 32) & 1;
}

Test(lapic, registers)
{
    struct machine *m = machine_new(1);

    cr_expect_eq(lapic_get(m, VERSION), 0x00050014);
    cr_expect_eq(lapic_get(m, SVR), 0x1ff);
    cr_expect_eq(lapic_get(m, LINT0), 0x700, "virtual wire");
    cr_expect_eq(lapic_get(m, 0x360), 0x400, "LINT1 is NMI");
    cr_expect_eq(lapic_get(m, LVTT), 0x10000);
    cr_expect_eq(lapic_get(m, DFR), UINT32_MAX);
    lapic_put(m, DFR, 0);
    cr_expect_eq(lapic_get(m, DFR), 0x0fffffff);
    lapic_put(m, LDR, UINT32_MAX);
    cr_expect_eq(lapic_get(m, LDR), 0xff000000);
    lapic_put(m, TPR, 0x1ff);
    cr_expect_eq(lapic_get(m, TPR), 0xff);
    lapic_put(m, VERSION, 0);
    cr_expect_eq(lapic_get(m, VERSION), 0x00050014);
    cr_expect_eq(mmio_read(m, LAPIC_DEFAULT_BASE + VERSION + 4), 0, "between the registers");

    lapic_put(m, SVR, 0xff); /* software-disabled: every LVT entry is masked and stays so */
    cr_expect_eq(lapic_get(m, LINT0), 0x10700);
    lapic_put(m, LINT0, 0x700);
    cr_expect_eq(lapic_get(m, LINT0), 0x10700);
    self_ipi(m, 0x40);
    cr_expect_eq(bit_of(m, IRR, 0x40), 0, "refused while disabled");
    machine_free(m);
}

Test(lapic, priority_and_eoi)
{
    struct machine *m = machine_new(1);

    self_ipi(m, 0x41);
    cr_expect(m->intr[0]);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x41);
    cr_expect_not(m->intr[0]);
    cr_expect_eq(lapic_get(m, PPR), 0x40);
    self_ipi(m, 0x4f); /* same class: has to wait */
    cr_expect_not(m->intr[0]);
    cr_expect_eq(pc_intr_ack(m->pc, 0), -1);
    self_ipi(m, 0x50); /* a higher one nests */
    cr_expect(m->intr[0]);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x50);
    cr_expect_eq(bit_of(m, ISR, 0x50), 1);
    lapic_put(m, EOI, 0);
    cr_expect_eq(bit_of(m, ISR, 0x50), 0);
    cr_expect_eq(bit_of(m, ISR, 0x41), 1);
    lapic_put(m, EOI, 0);
    cr_expect(m->intr[0], "0x4f is next");
    lapic_put(m, TPR, 0x4f);
    cr_expect_not(m->intr[0], "TPR holds class 4 off");
    cr_expect_eq(lapic_get(m, PPR), 0x4f);
    lapic_put(m, TPR, 0x3f);
    cr_expect(m->intr[0]);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x4f);
    cr_expect_eq(lapic_get(m, PPR), 0x40);
    lapic_put(m, EOI, 0);
    lapic_put(m, EOI, 0); /* nothing in service: no effect */
    cr_expect_eq(lapic_get(m, PPR), 0x3f);
    machine_free(m);
}

Test(lapic, errors)
{
    struct machine *m = machine_new(1);

    lapic_put(m, LVTERR, 0xe0);
    self_ipi(m, 0x0f);
    cr_expect_eq(lapic_get(m, ESR), 0, "only a write latches");
    lapic_put(m, ESR, 0);
    cr_expect_eq(lapic_get(m, ESR), 0x20, "send illegal vector");
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0xe0);
    lapic_put(m, EOI, 0);
    lapic_get(m, 0x3f0 - 0x10);
    lapic_get(m, 0x2f0); /* CMCI does not exist here */
    lapic_put(m, ESR, 0);
    cr_expect_eq(lapic_get(m, ESR), 0x80, "illegal register");
    lapic_put(m, ESR, 0);
    cr_expect_eq(lapic_get(m, ESR), 0);
    machine_free(m);
}

Test(lapic, timer)
{
    struct machine *m = machine_new(1);
    unsigned kicks = m->kicks;

    m->now = 1000;
    lapic_put(m, TDCR, 0xb); /* divide by 1: 1 count is 1 ns */
    lapic_put(m, LVTT, 0x30);
    lapic_put(m, TMICT, 1000000);
    cr_expect_gt(m->kicks, kicks);
    cr_expect(pc_run_until(m->pc, m->now) <= 1001000);
    m->now = 1000 + 400000;
    cr_expect_eq(lapic_get(m, TMCCT), 600000);
    m->now = 1000 + 999999;
    pc_run_until(m->pc, m->now);
    cr_expect_not(m->intr[0]);
    m->now++;
    pc_run_until(m->pc, m->now);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x30);
    cr_expect_eq(lapic_get(m, TMCCT), 0);
    lapic_put(m, EOI, 0);
    m->now += 5000000;
    pc_run_until(m->pc, m->now);
    cr_expect_not(m->intr[0], "one-shot");

    lapic_put(m, TDCR, 0x3); /* divide by 16 */
    lapic_put(m, LVTT, 0x20031);
    lapic_put(m, TMICT, 62500); /* 1 ms */
    m->now += 500000;
    cr_expect_eq(lapic_get(m, TMCCT), 31250);
    m->now += 5000000; /* five ticks came due: each is delivered after the EOI of the one before */
    pc_run_until(m->pc, m->now);
    for (unsigned i = 0; i < 5; i++) {
        cr_expect_eq(pc_intr_ack(m->pc, 0), 0x31, "tick %u", i);
        lapic_put(m, EOI, 0);
    }
    cr_expect_not(m->intr[0]);
    cr_expect_eq(lapic_get(m, TMCCT), 31250, "the phase is kept");
    lapic_put(m, TMICT, 0);
    cr_expect_eq(lapic_get(m, TMCCT), 0);
    machine_free(m);
}

Test(lapic, tsc_deadline)
{
    struct machine *m = machine_new(1);

    pc_tsc_deadline_changed(m->pc, 0, 2600000);
    cr_expect_eq(pc_tsc_deadline(m->pc, 0), 0, "ignored in other modes");
    lapic_put(m, LVTT, 0x40033);
    pc_tsc_deadline_changed(m->pc, 0, 2600001); /* 1 ms and one tick at 2.6 GHz */
    cr_expect_eq(pc_tsc_deadline(m->pc, 0), 2600001);
    lapic_put(m, TMICT, 5);
    cr_expect_eq(lapic_get(m, TMCCT), 0);
    m->now = 1000000;
    pc_run_until(m->pc, m->now);
    cr_expect_not(m->intr[0]);
    m->now++;
    pc_run_until(m->pc, m->now);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x33);
    cr_expect_eq(pc_tsc_deadline(m->pc, 0), 0);
    lapic_put(m, EOI, 0);
    pc_tsc_deadline_changed(m->pc, 0, UINT64_MAX);
    pc_run_until(m->pc, m->now += 1000000000);
    cr_expect_not(m->intr[0]);
    pc_tsc_deadline_changed(m->pc, 0, 1); /* in the past: at once */
    pc_run_until(m->pc, m->now);
    cr_expect(m->intr[0]);
    machine_free(m);
}

Test(lapic, ipis)
{
    struct machine *m = machine_new(4);
    static const struct {
        uint32_t dest, icr;
        unsigned hits; /* bit n: CPU n gets it */
    } rows[] = {
        {0x02000000, 0x04050, 0x4}, /* physical 2 */
        {0xff000000, 0x04051, 0xf}, /* physical broadcast */
        {0, 0x44052, 0x1},          /* self */
        {0, 0x84053, 0xf},          /* all */
        {0, 0xc4054, 0xe},          /* all others */
        {0x0a000000, 0x04855, 0xa}, /* logical, flat */
        {0x09000000, 0x04956, 0x1}, /* logical, lowest priority: first of equals */
        {0x07000000, 0x04057, 0x0}, /* nobody */
    };

    for (unsigned cpu = 0; cpu < 4; cpu++) {
        pc_select_cpu(m->pc, cpu);
        cr_expect_eq(lapic_get(m, ID), cpu << 24);
        lapic_put(m, SVR, 0x1ff);
        lapic_put(m, LDR, 0x01000000u << cpu);
    }
    pc_select_cpu(m->pc, 0);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        lapic_put(m, ICR2, rows[i].dest);
        lapic_put(m, ICR, rows[i].icr);
        for (unsigned cpu = 0; cpu < 4; cpu++) {
            bool hit = rows[i].hits >> cpu & 1;
            cr_expect_eq(m->intr[cpu], hit, "row %u cpu %u", i, cpu);
            cr_expect_eq(pc_intr_ack(m->pc, cpu), hit ? (int)(rows[i].icr & 0xff) : -1);
            pc_select_cpu(m->pc, cpu);
            lapic_put(m, EOI, 0);
        }
        pc_select_cpu(m->pc, 0);
    }
    lapic_put(m, ICR2, 0x03000000);
    lapic_put(m, ICR, 0x4400);
    cr_expect_eq(m->nmi[3], 1);
    lapic_put(m, ICR, 0xc500);
    lapic_put(m, ICR, 0x8500); /* de-assert: nothing */
    cr_expect_eq(m->init[3], 1);
    lapic_put(m, ICR, 0x4699);
    cr_expect_eq(m->sipi[3], 1);
    cr_expect_eq(m->sipi_vector, 0x99);
    cr_expect_eq(m->sipi[1], 0);
    machine_free(m);
}

Test(lapic, cluster_model)
{
    struct machine *m = machine_new(2);
    static const struct {
        uint8_t dest;
        unsigned hits;
    } rows[] = {{0x11, 1}, {0x12, 2}, {0x13, 3}, {0x21, 0}, {0xf3, 3}, {0x14, 0}, {0xff, 3}};

    for (unsigned cpu = 0; cpu < 2; cpu++) {
        pc_select_cpu(m->pc, cpu);
        lapic_put(m, SVR, 0x1ff);
        lapic_put(m, DFR, 0x0fffffff);
        lapic_put(m, LDR, 0x10000000u | 0x01000000u << cpu);
    }
    pc_select_cpu(m->pc, 0);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        lapic_put(m, ICR2, (uint32_t)rows[i].dest << 24);
        lapic_put(m, ICR, 0x4860);
        for (unsigned cpu = 0; cpu < 2; cpu++) {
            cr_expect_eq(m->intr[cpu], rows[i].hits >> cpu & 1, "row %u cpu %u", i, cpu);
            pc_intr_ack(m->pc, cpu);
            pc_select_cpu(m->pc, cpu);
            lapic_put(m, EOI, 0);
        }
        pc_select_cpu(m->pc, 0);
    }
    machine_free(m);
}

Test(lapic, virtual_wire_and_disable)
{
    struct machine *m = machine_new(1);

    out(m, 0x21, 1, 0xf7); /* open line 3 of the 8259 */
    line(m, 3, true);
    cr_expect(m->intr[0]);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x0b);
    out(m, 0x20, 1, 0x20);
    line(m, 3, false);
    lapic_put(m, LINT0, 0x10700);
    line(m, 3, true);
    cr_expect_not(m->intr[0], "LINT0 masked");
    lapic_put(m, LINT0, 0x700);
    cr_expect(m->intr[0], "the line is still up");
    pc_apic_base_changed(m->pc, 0, 0xfee00100); /* off: the 8259 drives the CPU directly */
    cr_expect(m->intr[0]);
    cr_expect_eq(lapic_get(m, VERSION), UINT32_MAX, "nobody home");
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x0b);
    cr_expect_not(m->intr[0]);
    pc_apic_base_changed(m->pc, 0, 0xfed00900); /* on again, elsewhere, as after power-up */
    cr_expect_eq(mmio_read(m, 0xfed00000 + SVR), 0xff);
    cr_expect_eq(lapic_get(m, VERSION), UINT32_MAX);
    machine_free(m);
}

Test(lapic, lint0_fixed_level)
{
    struct machine *m = machine_new(1);

    out(m, 0x21, 1, 0xf7);
    lapic_put(m, LINT0, 0x8060); /* fixed, level: INTR itself as an interrupt */
    line(m, 3, true);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x60);
    cr_expect_eq(lapic_get(m, LINT0), 0xc060, "remote IRR");
    cr_expect_eq(bit_of(m, TMR, 0x60), 1);
    lapic_put(m, EOI, 0);
    cr_expect(m->intr[0], "held: comes again");
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x60);
    line(m, 3, false);
    lapic_put(m, EOI, 0);
    cr_expect_not(m->intr[0]);
    machine_free(m);
}

Test(ioapic, registers)
{
    struct machine *m = machine_new(1);

    cr_expect_eq(ioapic_get(m, 1), 0x00170020);
    cr_expect_eq(ioapic_get(m, 0), 0x01000000, "id set by firmware");
    ioapic_put(m, 0, UINT32_MAX);
    cr_expect_eq(ioapic_get(m, 0), 0x0f000000);
    for (unsigned pin = 0; pin < 24; pin++) {
        cr_expect_eq(ioapic_get(m, 0x10 + 2 * pin), 0x10000);
        ioapic_put(m, 0x10 + 2 * pin, UINT32_MAX);
        ioapic_put(m, 0x11 + 2 * pin, UINT32_MAX);
        cr_expect_eq(ioapic_get(m, 0x10 + 2 * pin), 0x1afff);
        cr_expect_eq(ioapic_get(m, 0x11 + 2 * pin), 0xff000000);
    }
    cr_expect_eq(ioapic_get(m, 0x40), UINT32_MAX);
    machine_free(m);
}

Test(ioapic, edge)
{
    struct machine *m = machine_new(1);

    line(m, 4, true); /* masked: lost */
    ioapic_route(m, 4, 0x34, 0);
    cr_expect_not(m->intr[0]);
    line(m, 4, false);
    line(m, 4, true);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x34);
    lapic_put(m, EOI, 0);
    cr_expect_not(m->intr[0], "an edge comes once");
    ioapic_route(m, 2, 0x38, 0);      /* line 0 arrives at pin 2 */
    for (unsigned i = 0; i < 60; i++) /* the 18.2 Hz clock ticks */
        pc_run_until(m->pc, m->now += 1000000);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x38);
    lapic_put(m, EOI, 0);
    ioapic_route(m, 20, 0x400, 0);
    line(m, 20, true);
    cr_expect_eq(m->nmi[0], 1);
    machine_free(m);
}

Test(ioapic, level)
{
    struct machine *m = machine_new(1);

    line(m, 11, true);
    ioapic_route(m, 11, 0x803b, 0);
    cr_expect(m->intr[0], "unmasking a held level pin");
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x3b);
    cr_expect_eq(ioapic_get(m, 0x10 + 22), 0xc03b, "remote IRR");
    line(m, 11, false);
    line(m, 11, true);
    cr_expect_not(m->intr[0]);
    lapic_put(m, EOI, 0);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x3b, "held at EOI: again");
    line(m, 11, false);
    lapic_put(m, EOI, 0);
    cr_expect_eq(ioapic_get(m, 0x10 + 22), 0x803b);
    cr_expect_not(m->intr[0]);
    line(m, 11, true);
    mmio_write(m, IOAPIC_BASE + 0x40, 0x3b); /* the EOI register: same as the broadcast */
    cr_expect_eq(ioapic_get(m, 0x10 + 22), 0xc03b);
    line(m, 11, false);
    mmio_write(m, IOAPIC_BASE + 0x40, 0x3b);
    cr_expect_eq(ioapic_get(m, 0x10 + 22), 0x803b);
    line(m, 11, true);
    ioapic_put(m, 0x10 + 22, 0x1003b); /* to edge: clears remote IRR */
    cr_expect_eq(ioapic_get(m, 0x10 + 22), 0x1003b);
    machine_free(m);
}

/* The clock interrupt is not lost while the guest has interrupts off, also when it comes through
 * the I/O APIC. */
Test(ioapic, pit_ticks_are_caught_up)
{
    struct machine *m = machine_new(1);
    unsigned ticks = 0;

    ioapic_route(m, 2, 0x30, 0);
    out(m, 0x43, 1, 0x34);
    out(m, 0x40, 1, 11932 & 0xff); /* 100 Hz */
    out(m, 0x40, 1, 11932 >> 8);
    m->now += 200 * 1000000ull; /* 20 ticks asleep */
    for (unsigned i = 0; i < 4000; i++) {
        pc_run_until(m->pc, m->now);
        if (m->intr[0] && pc_intr_ack(m->pc, 0) == 0x30) {
            ticks++;
            lapic_put(m, EOI, 0);
        }
        m->now += 20000;
    }
    cr_expect(ticks >= 27 && ticks <= 28, "%u ticks in 280 ms", ticks);
    machine_free(m);
}
