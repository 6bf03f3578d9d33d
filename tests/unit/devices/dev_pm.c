/* SPDX-License-Identifier: MIT */
/* uses: devices/ (all) */
/*
 * dev_pm.c - PM timer, SCI, soft-off, APM port, SMBus, and every way to reset the machine.
 */
#include "tests/rig/pc_fixture.h"

#define PM PCI_DEVFN(1, 3)
enum {
    BASE = 0xb000,
    STS = BASE,
    EN = BASE + 2,
    CNT = BASE + 4,
    TMR = BASE + 8,
    GPSTS = BASE + 12,
    SMB = 0xb100
};

Test(pm, timer_rate)
{
    struct machine *m = machine_new(1);
    static const struct {
        ns_t now;
        uint64_t ticks;
    } rows[] = {
        {0, 0},
        {279, 0},
        {280, 1},
        {NS_PER_SEC, 3579545},
        {NS_PER_SEC - 1, 3579544},
        {4 * NS_PER_SEC, 14318180},
        {5 * NS_PER_SEC, 17897725},
        {600 * NS_PER_SEC, 2147727000},
        {86400ull * 365 * NS_PER_SEC, 3579545ull * 86400 * 365},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        m->now = rows[i].now;
        cr_expect_eq(in(m, TMR, 4), rows[i].ticks & 0xffffff, "row %u", i);
    }
    out(m, TMR, 4, 0); /* read-only */
    cr_expect_eq(in(m, TMR, 2), rows[ARRAY_LEN(rows) - 1].ticks & 0xffff);
    machine_free(m);
}

Test(pm, timer_overflow_raises_sci)
{
    struct machine *m = machine_new(1);
    ns_t due;

    ioapic_route(m, 9, 0x8039, 0);
    out(m, 0xb2, 1, 0xf1);
    cr_expect_eq(in(m, CNT, 2) & 1, 1, "ACPI_ENABLE sets SCI_EN");
    out(m, EN, 2, 1);
    due = pc_run_until(m->pc, m->now);
    cr_expect(due <= 2343484089u, "%llu", (unsigned long long)due); /* 2^23 / 3579545 s */
    m->now = 2343484000u;
    pc_run_until(m->pc, m->now);
    cr_expect_eq(in(m, STS, 2) & 1, 0);
    m->now += 1000;
    pc_run_until(m->pc, m->now);
    cr_expect(m->intr[0]);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x39);
    cr_expect_eq(in(m, STS, 2), 1);
    out(m, STS, 2, 1);
    lapic_put(m, 0xb0, 0);
    cr_expect_not(m->intr[0], "acknowledged");
    m->now += 2343484089u; /* the other direction counts too */
    pc_run_until(m->pc, m->now);
    cr_expect(m->intr[0]);
    out(m, 0xb2, 1, 0xf0);
    cr_expect_eq(in(m, CNT, 2) & 1, 0);
    machine_free(m);
}

Test(pm, power_button_and_s5)
{
    struct machine *m = machine_new(1);

    out(m, 0xb2, 1, 0xf1);
    out(m, EN, 2, 0x100);
    out(m, 0xa1, 1, 0xfd); /* through the 8259: line 9 */
    pc_power_button(m->pc, m->now);
    cr_expect_eq(in(m, STS, 2), 0x100);
    cr_expect(m->intr[0]);
    cr_expect_eq(pc_intr_ack(m->pc, 0), 0x71);
    out(m, STS, 2, 0x100);
    cr_expect_eq(in(m, STS, 2), 0);
    out(m, CNT, 2, 0x3400 | 1); /* SLP_TYP 5: not offered */
    cr_expect_eq(m->requests, 0);
    out(m, CNT, 2, 0x0001); /* SLP_TYP 0 without SLP_EN */
    cr_expect_eq(m->requests, 0);
    out(m, CNT, 2, 0x2001);
    cr_expect_eq(m->requests, 1);
    cr_expect_eq(m->request, PC_POWEROFF);
    machine_free(m);
}

Test(pm, ranges_move)
{
    struct machine *m = machine_new(1);

    pci_put(m, PM, 0x80, 1, 0);
    cr_expect_eq(in(m, CNT, 2), 0xffff, "disabled");
    pci_put(m, PM, 0x40, 4, 0x600);
    cr_expect_eq(pci_get(m, PM, 0x40, 4), 0x601);
    pci_put(m, PM, 0x80, 1, 1);
    cr_expect_eq(in(m, 0x604, 2), 0);
    pci_put(m, PM, 0x40, 4, 0x3c0); /* collides with COM1 and COM3: silent */
    cr_expect_eq(in(m, 0x604, 2), 0xffff);
    pci_put(m, PM, 0x40, 4, 0xb000);
    cr_expect_eq(in(m, CNT, 2), 0);
    machine_free(m);
}

Test(pm, smbus_has_no_devices)
{
    struct machine *m = machine_new(1);

    cr_expect_eq(in(m, SMB, 1), 0, "idle");
    out(m, SMB + 4, 1, 0xa1);
    out(m, SMB + 2, 1, 0x48);
    cr_expect_eq(in(m, SMB, 1), 0x04, "nobody acknowledged");
    cr_expect_eq(in(m, SMB + 2, 1), 0x08, "START reads 0");
    out(m, SMB, 1, 0xff);
    cr_expect_eq(in(m, SMB, 1), 0);
    machine_free(m);
}

Test(pm, reset_ports)
{
    struct machine *m = machine_new(1);

    out(m, 0xcf9, 1, 0x02);
    cr_expect_eq(m->requests, 0);
    cr_expect_eq(in(m, 0xcf9, 1), 0x02);
    out(m, 0xcf9, 1, 0x06);
    cr_expect_eq(m->requests, 1, "0xcf9");
    out(m, 0x64, 1, 0xfe);
    cr_expect_eq(m->requests, 2, "i8042");
    out(m, 0x92, 1, 0x02);
    out(m, 0x92, 1, 0x03);
    cr_expect_eq(m->requests, 3, "port 92h");
    cr_expect_eq(m->request, PC_RESET);
    out(m, 0xf4, 4, 0x10);
    cr_expect_eq(m->request, PC_DEBUG_EXIT);
    cr_expect_eq(m->request_code, 0x21);
    machine_free(m);
}
