/* SPDX-License-Identifier: MIT */
/* uses: devices/ (all) */
/*
 * dev_board.c - the board as a whole: who is where, CMOS and firmware state, resets, bad
 * configurations, and random accesses to everything.
 */
#define _GNU_SOURCE
#include "tests/rig/pc_fixture.h"

Test(board, map)
{
    struct machine *m = machine_new(1);
    static const uint16_t ports[] = {0x20,  0xa1,  0x43,  0x60,  0x61,  0x64,   0x70,
                                     0x80,  0x92,  0xb2,  0xf0,  0x2e8, 0x2f8,  0x3e8,
                                     0x3f8, 0x4d1, 0x510, 0xcf8, 0xcff, 0xb004, 0xb100,
                                     0x1ce, 0x1d0, 0x3c0, 0x3d4, 0x3da};
    static const uint16_t nobody[] = {0x1f0, 0x3f6, 0x170, 0x220, 0x378,
                                      0x388, 0x3b4, 0x3d0, 0x3f4, 0xa79};

    for (unsigned i = 0; i < ARRAY_LEN(ports); i++)
        cr_expect(bus_find(&m->port, ports[i]), "port 0x%x", ports[i]);
    for (unsigned i = 0; i < ARRAY_LEN(nobody); i++)
        cr_expect_eq(in(m, nobody[i], 1), 0xff, "port 0x%x", nobody[i]);
    for (unsigned i = 1; i < m->port.count; i++)
        cr_expect_lt(m->port.range[i - 1].last, m->port.range[i].first);
    cr_expect_eq(mmio_read(m, 0xfed00000), UINT32_MAX, "no HPET");
    cr_expect(m->a20);
    machine_free(m);
}

/* Without a graphics card nothing answers where it was, and no table names it. */
Test(board, without_vga)
{
    struct machine *with = machine_new(1), *m = calloc(1, sizeof *m);
    struct pc_config cfg;

    m->ram = calloc(1, 64u << 20);
    m->pc = calloc(1, pc_size());
    cfg = machine_config(m, 1);
    cr_assert(!cfg.vga_memory && pc_init(m->pc, &cfg, NULL) == 0);
    for (unsigned i = 0; i < 2; i++) {
        struct machine *it = i ? with : m;
        cr_assert(pc_build_tables(it->pc));
        const uint8_t *fadt = memmem(it->ram + 0xf0000, 0x4000, "FACP", 4);
        cr_expect_eq(fadt[109] >> 2 & 1, !i, "IA-PC boot flags: no VGA");
        cr_expect_eq(it->ram[0x449], i ? 3 : 0, "mode");
        cr_expect_eq(it->ram[0x44a], i ? 80 : 0, "columns");
        cr_expect_eq(it->ram[0x463], i ? 0xd4 : 0, "CRT controller");
        cr_expect_eq(pci_get(it, PCI_DEVFN(2, 0), 0, 4), i ? 0x11111234 : UINT32_MAX);
        cr_expect_eq(in(it, 0x3cc, 1), i ? 0x67 : 0xff);
        cr_expect_eq(mmio_read(it, 0xb8000), i ? 0x07200720 : UINT32_MAX);
        cr_expect_eq(mmio_read(it, 0xfd000000), i ? 0x00000720 : UINT32_MAX);
        cr_expect_eq(!pc_vga(it->pc), !i);
    }
    machine_free(with);
    machine_free(m);
}

Test(board, firmware_state)
{
    struct machine *m = machine_new(1);
    static const struct {
        uint8_t at, value;
    } cmos[] = {
        {0x0b, 0x02}, {0x15, 0x80}, {0x16, 0x02}, {0x17, 0x00},
        {0x18, 0xfc}, {0x34, 0x00}, {0x35, 0x03},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cmos); i++) {
        out(m, 0x70, 1, cmos[i].at);
        cr_expect_eq(in(m, 0x71, 1), cmos[i].value, "CMOS 0x%x", cmos[i].at);
    }
    static const uint16_t uart[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    for (unsigned n = 0; n < ARRAY_LEN(uart); n++) {
        cr_expect_eq(in(m, (uint16_t)(uart[n] + 1), 1), 0, "IER");
        cr_expect_eq(in(m, (uint16_t)(uart[n] + 3), 1), 0x03, "LCR: 8N1");
        cr_expect_eq(in(m, (uint16_t)(uart[n] + 4), 1), 0x08, "MCR: OUT2");
        out(m, (uint16_t)(uart[n] + 3), 1, 0x83);
        cr_expect_eq(in(m, uart[n], 1), 12, "9600 baud");
        out(m, (uint16_t)(uart[n] + 3), 1, 0x03);
    }
    cr_expect_eq(in(m, 0xa1, 1), 0xff);
    cr_expect_eq(in(m, 0x4d0, 2), 0x0e00);
    cr_expect_eq(pci_get(m, PCI_DEVFN(1, 0), 0x60, 4), 0x0b0a0b0a);
    machine_free(m);
}

/* Has the board anything left that may raise an NMI? */
static bool nmi_may_come(struct machine *m)
{
    pc_run_until(m->pc, m->now);
    return pc_nmi_may_come(m->pc, 0);
}

#define ROUTE_NMI   0x00400u
#define ROUTE_FIXED 0x00030u
#define MASKED      0x10000u

static void pit_start(struct machine *m, uint8_t mode, uint16_t count)
{
    out(m, 0x43, 1, mode);
    out(m, 0x40, 1, count & 0xff);
    out(m, 0x40, 1, count >> 8);
}

Test(board, nmi_by_ioapic)
{
    struct machine *m = machine_new(1);

    cr_expect(!nmi_may_come(m), "firmware routes nothing to NMI");
    ioapic_route(m, 2, ROUTE_NMI, 0);
    cr_expect(nmi_may_come(m), "the 8254 runs");
    ioapic_route(m, 2, ROUTE_NMI, 5);
    cr_expect(!nmi_may_come(m), "to a CPU that is not there");
    ioapic_route(m, 2, ROUTE_FIXED, 0);
    cr_expect(!nmi_may_come(m), "fixed");
    ioapic_route(m, 2, ROUTE_NMI | MASKED, 0);
    cr_expect(!nmi_may_come(m), "masked");
    ioapic_route(m, 2, ROUTE_NMI, 0);
    pit_start(m, 0x30, 10);
    cr_expect(nmi_may_come(m), "one shot ahead");
    m->now += NS_PER_SEC;
    pc_run_until(m->pc, m->now);
    cr_expect_eq(m->nmi[0], 1);
    cr_expect(!nmi_may_come(m), "one shot done");
    pit_start(m, 0x34, 10);
    pc_apic_base_changed(m->pc, 0, LAPIC_DEFAULT_BASE);
    cr_expect(!nmi_may_come(m), "the local APIC is off");
    machine_free(m);
}

Test(board, nmi_by_lint0)
{
    struct machine *m = machine_new(1);

    lapic_put(m, 0x350, ROUTE_NMI);
    cr_expect(!nmi_may_come(m), "the 8259 masks the timer");
    out(m, 0x21, 1, 0xfe);
    cr_expect(nmi_may_come(m), "the timer is open");
    line(m, 0, true);
    cr_expect(nmi_may_come(m), "INTR is high, and falls and rises with the timer's line");
    line(m, 0, false);
    out(m, 0x21, 1, 0xfb);
    out(m, 0xa1, 1, 0xfe);
    cr_expect(!nmi_may_come(m), "the clock has no interrupt on");
    out(m, 0x70, 1, 0x0b);
    out(m, 0x71, 1, 0x42);
    cr_expect(nmi_may_come(m), "the clock, by the slave 8259");
    m->nmi[0] = 0;
    m->now += NS_PER_SEC;
    cr_expect(!nmi_may_come(m), "its line is high until register C is read");
    cr_expect_eq(m->nmi[0], 1);
    machine_free(m);
}

Test(board, nmi_from_outside)
{
    struct machine *m = machine_new(1);

    ioapic_route(m, 4, ROUTE_NMI, 0);
    cr_expect(!nmi_may_come(m), "the UART's interrupts are off");
    out(m, 0x3fc, 1, 8);
    out(m, 0x3f9, 1, 1);
    cr_expect(nmi_may_come(m), "input");
    pc_serial_receive(m->pc, 0, (const uint8_t *)"x", 1, m->now);
    cr_expect_eq(m->nmi[0], 1);
    cr_expect(!nmi_may_come(m), "the byte must be read first");
    in(m, 0x3f8, 1);
    cr_expect(nmi_may_come(m), "input again");
    ioapic_route(m, 4, MASKED, 0);
    ioapic_route(m, 9, ROUTE_NMI, 0);
    cr_expect(!nmi_may_come(m), "ACPI is off");
    out(m, 0xb004, 2, 1);
    out(m, 0xb002, 2, 0x100);
    cr_expect(nmi_may_come(m), "the power button");
    pc_power_button(m->pc, m->now);
    cr_expect_eq(m->nmi[0], 2);
    machine_free(m);
}

/* The 8254 asks again while its interrupt is in service: the request waits in IRR (8259A data
 * sheet; SDM vol. 3A, section 11.8.4) and is there at the EOI, with no time passing. */
Test(board, tick_in_service)
{
    static const struct {
        uint8_t mode;
        bool ioapic;
        const char *name;
    } rows[] = {
        {0x30, false, "one shot, 8259"},
        {0x34, false, "periodic, 8259"},
        {0x30, true, "one shot, I/O APIC"},
        {0x34, true, "periodic, I/O APIC"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct machine *m = machine_new(1);

        lapic_put(m, 0xf0, 0x1ff);
        if (rows[i].ioapic)
            ioapic_route(m, 2, ROUTE_FIXED, 0);
        else
            out(m, 0x21, 1, 0xfe);
        for (unsigned n = 0; n < 2; n++) {
            if (n == 0 || rows[i].mode == 0x30)
                pit_start(m, rows[i].mode, 1193);
            m->now += 1200000;
            pc_run_until(m->pc, m->now);
            cr_expect_eq(m->intr[0], n == 0, "%s: request %u", rows[i].name, n);
            if (n == 0)
                cr_expect_geq(pc_intr_ack(m->pc, 0), 0);
        }
        cr_expect_not(m->intr[0], "%s: in service", rows[i].name);
        if (rows[i].ioapic)
            lapic_put(m, 0xb0, 0);
        else
            out(m, 0x20, 1, 0x20);
        cr_expect(m->intr[0], "%s: after the EOI", rows[i].name);
        machine_free(m);
    }
}

Test(board, rejects_bad_configurations)
{
    static const struct {
        unsigned cpus;
        int base, size;
        bool debugcon;
    } rows[] = {{0, -1, 0, false},
                {9, -1, 0, false},
                {1, 0x3f8, 4, false},
                {1, 0xfffe, 4, false},
                {1, 0xf4, 0, false},
                {1, 0xf4, 5, false},
                {1, -1, 0, true /* 0xe9 is pc-testdev's too */}};

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct machine *m = calloc(1, sizeof *m);
        struct pc_config cfg = machine_config(m, rows[i].cpus);
        const char *why = NULL;
        m->pc = calloc(1, pc_size());
        cfg.debug_exit_base = rows[i].base;
        cfg.debug_exit_size = rows[i].size;
        if (rows[i].debugcon)
            cfg.debugcon.send = on_send;
        cr_expect_eq(pc_init(m->pc, &cfg, &why), -1, "row %u", i);
        cr_expect(why && *why, "row %u says why", i);
        machine_free(m);
    }
}

/* CPUID.01H:EDX.APIC = 0: neither APIC answers, no table names one, and the 8259's INTR is the
 * CPU's. */
Test(board, without_apic)
{
    static const char *const tables[] = {"_MP_", "PCMP", "APIC"};
    struct machine *m = calloc(1, sizeof *m);
    struct pc_config cfg;
    const char *why = NULL;

    m->ram = calloc(1, 64u << 20);
    m->pc = calloc(1, pc_size());
    cfg = machine_config(m, 1);
    cfg.no_apic = true;
    cr_assert(pc_init(m->pc, &cfg, &why) == 0, "pc_init: %s", why);
    cr_expect(pc_build_tables(m->pc), "there is ACPI");
    for (unsigned i = 0; i < ARRAY_LEN(tables); i++)
        cr_expect(!memmem(m->ram + 0xe0000, 0x20000, tables[i], 4), "%s", tables[i]);
    cr_expect(memmem(m->ram + 0xe0000, 0x20000, "FACP", 4));
    for (unsigned reset = 0; reset < 2; reset++) {
        cr_expect_eq(mmio_read(m, 0xfee00030), UINT32_MAX);
        cr_expect_eq(mmio_read(m, 0xfec00000), UINT32_MAX);
        out(m, 0x21, 1, 0xfb);
        out(m, 0xa1, 1, 0xdf);
        pc_ferr(m->pc, true);
        cr_expect(m->intr[0]);
        cr_expect_eq(pc_intr_ack(m->pc, 0), 0x75);
        cr_expect_not(m->intr[0]);
        pc_reset(m->pc, 0);
    }
    machine_free(m);

    m = calloc(1, sizeof *m);
    m->pc = calloc(1, pc_size());
    cfg = machine_config(m, 2);
    cfg.no_apic = true;
    cr_expect_eq(pc_init(m->pc, &cfg, &why), -1, "two CPUs talk by APICs only");
    machine_free(m);
}

Test(board, coprocessor_error)
{
    struct machine *m = machine_new(1);

    out(m, 0xa1, 1, 0xdf);
    pc_ferr(m->pc, true);
    cr_expect(m->intr[0]);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x75);
    out(m, 0xf0, 1, 0);
    out(m, 0xa0, 1, 0x20);
    out(m, 0x20, 1, 0x20);
    cr_expect_not(m->intr[0]);
    pc_ferr(m->pc, false);
    pc_ferr(m->pc, true); /* the next error */
    cr_expect(m->intr[0]);
    machine_free(m);
}

static uint32_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*state >> 32);
}

/* Random accesses to every range, random configuration writes, interrupts taken, time moving:
 * nothing may break, and a reset must give the state of a new board. */
static void fuzz(struct machine *m, uint64_t seed, unsigned rounds)
{
    static const unsigned functions[] = {PCI_DEVFN(0, 0), PCI_DEVFN(1, 0), PCI_DEVFN(1, 3),
                                         PCI_DEVFN(2, 0)};
    uint64_t s = seed;

    for (unsigned i = 0; i < rounds; i++) {
        uint32_t r = random_next(&s), val = random_next(&s);
        struct bus *bus = r & 0x100 ? &m->port : &m->mem;
        const struct bus_range *range = &bus->range[(r >> 16) % bus->count];
        uint64_t at = range->first + random_next(&s) % (range->last - range->first + 1);
        unsigned size = 1u << (r >> 12) % 3;
        switch (r & 7) {
        case 0:
            pci_put(m, functions[r >> 9 & 3], random_next(&s) & 0xff, 1, val);
            break;
        case 1:
        case 2:
            bus_read(bus, at, size, m->now);
            break;
        case 3:
            if (m->intr[0])
                pc_intr_ack(m->pc, 0);
            break;
        case 4:
            m->now += random_next(&s) % (r & 0x200 ? 100000000 : 1000);
            cr_assert(pc_run_until(m->pc, m->now) > m->now, "a deadline in the past at round %u",
                      i);
            break;
        case 5:
            pc_serial_receive(m->pc, r >> 9 & 3, (const uint8_t *)&val, 4, m->now);
            break;
        default:
            bus_write(bus, at, size, r & 0x400 ? val : val & 0xff, m->now);
            break;
        }
        if ((r & 0xfff000) == 0x123000)
            pc_apic_base_changed(m->pc, 0, (r & 0x800) | 0xfee00000);
        if ((r & 0xfff000) == 0x456000)
            pc_power_button(m->pc, m->now);
    }
}

Test(board, fuzz, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct machine *m = machine_new(2);
        unsigned ports = m->port.count, mems = m->mem.count;
        fuzz(m, seed, 20000);
        pc_reset(m->pc, m->now);
        cr_expect_eq(m->port.count, ports, "seed %u", (unsigned)seed);
        cr_expect_eq(m->mem.count, mems, "seed %u", (unsigned)seed);
        cr_expect_not(m->intr[0], "seed %u", (unsigned)seed);
        cr_expect_eq(lapic_get(m, 0xf0), 0x1ff);
        cr_expect_eq(in(m, 0x21, 1), 0xfa);
        machine_free(m);
    }
}

Test(board, reset_keeps_the_clock)
{
    struct machine *m = machine_new(1);

    out(m, 0x70, 1, 0x40);
    out(m, 0x71, 1, 0x77);
    m->now = 5 * NS_PER_SEC;
    pc_run_until(m->pc, m->now);
    pc_reset(m->pc, m->now);
    out(m, 0x70, 1, 0x40);
    cr_expect_eq(in(m, 0x71, 1), 0x77);
    out(m, 0x70, 1, 0x00);
    cr_expect_eq(in(m, 0x71, 1), 0x25, "22:13:20 UTC and 5 s");
    machine_free(m);
}
