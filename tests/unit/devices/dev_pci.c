/* SPDX-License-Identifier: MIT */
/* uses: devices/ (all) */
/*
 * dev_pci.c - configuration mechanism 1, base address registers, interrupt routing, the host and
 * ISA bridges.
 */
#include "tests/rig/pc_fixture.h"

#define HOST PCI_DEVFN(0, 0)
#define ISA  PCI_DEVFN(1, 0)
#define PM   PCI_DEVFN(1, 3)

Test(pci, configuration_access)
{
    struct machine *m = machine_new(1);
    static const struct {
        unsigned devfn, off, size;
        uint32_t value;
    } rows[] = {
        {HOST, 0x00, 4, 0x12378086},
        {HOST, 0x02, 2, 0x1237},
        {HOST, 0x0b, 1, 0x06},
        {HOST, 0x0a, 2, 0x0600},
        {ISA, 0x00, 4, 0x70008086},
        {ISA, 0x0e, 1, 0x80},
        {ISA, 0x08, 4, 0x06010000},
        {PM, 0x00, 4, 0x71138086},
        {PM, 0x08, 4, 0x06800003},
        {PM, 0x3d, 1, 1},
        {PM, 0x3c, 1, 9},
        {PCI_DEVFN(1, 1), 0, 4, UINT32_MAX},
        {PCI_DEVFN(1, 1), 0, 2, 0xffff},
        {PCI_DEVFN(31, 7), 0x3c, 1, 0xff},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        cr_expect_eq(pci_get(m, rows[i].devfn, rows[i].off, rows[i].size), rows[i].value, "row %u",
                     i);
    out(m, 0xcf8, 4, UINT32_MAX);
    cr_expect_eq(in(m, 0xcf8, 4), 0x80fffffc, "reserved bits");
    out(m, 0xcf8, 4, 0x80010000); /* bus 1 */
    cr_expect_eq(in(m, 0xcfc, 4), UINT32_MAX);
    out(m, 0xcf8, 4, 0x00000000); /* not enabled */
    cr_expect_eq(in(m, 0xcfc, 4), UINT32_MAX);
    out(m, 0xcf8, 4, 0x80000000);
    out(m, 0xcfb, 1, 0x01); /* byte access: not CONFIG_ADDRESS */
    cr_expect_eq(in(m, 0xcf8, 4), 0x80000000);
    pci_put(m, HOST, 0x00, 4, 0); /* ids are read-only */
    cr_expect_eq(pci_get(m, HOST, 0x00, 4), 0x12378086);
    machine_free(m);
}

struct toy {
    struct pci_cfg cfg;
    struct pci_fn fn;
    uint32_t written;
};

static uint32_t toy_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    (void)dev;
    (void)size;
    (void)now;
    return 0x100 + off;
}
static void toy_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    (void)off;
    (void)size;
    (void)now;
    ((struct toy *)dev)->written = val;
}
static const struct dev_ops toy_ops = {
    .name = "toy", .min_size = 1, .max_size = 4, .read = toy_read, .write = toy_write};

static unsigned pirq_level;
static void on_pirq(void *target, unsigned pin, bool level)
{
    (void)target;
    pirq_level = (pirq_level & ~(1u << pin)) | (unsigned)level << pin;
}

static void toy_init(struct toy *t, struct pci_host *h, unsigned devfn)
{
    pci_fn_init(&t->fn, &t->cfg, t, 0x1234, 0x5678, 0xff0000, 1);
    pci_fn_bar(&t->fn, 0, true, 0x20, &toy_ops, t);
    pci_fn_bar(&t->fn, 1, false, 0x1000, &toy_ops, t);
    pci_fn_reg(&t->fn, PCI_INT_PIN, 1, 1, 0);
    cr_assert_eq(pci_add(h, &t->fn, devfn), 0);
}

static uint32_t get32(const struct toy *t, unsigned off)
{
    uint32_t v;

    memcpy(&v, t->cfg.byte + off, 4);
    return v;
}

Test(pci, base_address_registers)
{
    static struct bus mem, port;
    static struct pci_host h;
    static struct toy a, b;

    pci_host_init(&h, &mem, &port);
    toy_init(&a, &h, PCI_DEVFN(2, 0));
    toy_init(&b, &h, PCI_DEVFN(3, 0));
    cr_expect_eq(pci_add(&h, &b.fn, PCI_DEVFN(2, 0)), -1);
    pci_config_write(&a.fn, 0x10, 4, UINT32_MAX);
    pci_config_write(&a.fn, 0x14, 4, UINT32_MAX);
    cr_expect_eq(get32(&a, 0x10), 0xffffffe1, "I/O sizing");
    cr_expect_eq(get32(&a, 0x14), 0xfffff000, "memory sizing");
    pci_config_write(&a.fn, 0x18, 4, UINT32_MAX);
    cr_expect_eq(get32(&a, 0x18), 0, "not implemented");

    pci_config_write(&a.fn, 0x10, 4, 0xc000);
    pci_config_write(&a.fn, 0x14, 4, 0xe0000000);
    cr_expect_eq(port.count + mem.count, 0, "not decoded yet");
    pci_config_write(&a.fn, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    cr_expect_eq(bus_read(&port, 0xc004, 4, 0), 0x104);
    bus_write(&mem, 0xe0000ffc, 4, 77, 0);
    cr_expect_eq(a.written, 77);
    pci_config_write(&a.fn, 0x10, 4, 0xd000); /* moves */
    cr_expect_eq(bus_read(&port, 0xc004, 4, 0), UINT32_MAX);
    cr_expect_eq(bus_read(&port, 0xd004, 4, 0), 0x104);

    pci_config_write(&b.fn, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    pci_config_write(&b.fn, 0x10, 4, 0xd000); /* collides: the first stays */
    bus_write(&port, 0xd000, 1, 5, 0);
    cr_expect_eq(a.written, 5);
    cr_expect_not(b.fn.bar[0].mapped);
    pci_config_write(&a.fn, 0x10, 4, 0xc000);
    pci_config_write(&b.fn, 0x10, 4, 0xd000);
    cr_expect(b.fn.bar[0].mapped, "the place became free");
    pci_fn_reset(&a.fn);
    pci_fn_reset(&b.fn);
    cr_expect_eq(port.count + mem.count, 0);
}

Test(pci, intx)
{
    static struct bus mem, port;
    static struct pci_host h;
    static struct toy a, b;

    pci_host_init(&h, &mem, &port);
    for (unsigned n = 0; n < 4; n++)
        h.pirq[n] = (struct wire){on_pirq, NULL, n};
    toy_init(&a, &h, PCI_DEVFN(2, 0)); /* slot 2 INTA: PIRQB; slot 6 the same */
    toy_init(&b, &h, PCI_DEVFN(6, 0));
    pci_fn_intx(&a.fn, true);
    cr_expect_eq(pirq_level, 2);
    pci_fn_intx(&b.fn, true);
    pci_fn_intx(&a.fn, false);
    cr_expect_eq(pirq_level, 2, "shared line");
    pci_config_write(&b.fn, PCI_COMMAND, 2, PCI_COMMAND_NO_INTX);
    cr_expect_eq(pirq_level, 0, "interrupt disable");
    pci_config_write(&b.fn, PCI_COMMAND, 2, 0);
    cr_expect_eq(pirq_level, 2);
    cr_expect_eq(b.cfg.byte[PCI_STATUS] & 8, 8);
    pci_fn_reset(&b.fn);
    cr_expect_eq(pirq_level, 0);
}

static unsigned irq_level;
static void on_irq(void *target, unsigned pin, bool level)
{
    (void)target;
    irq_level = (irq_level & ~(1u << pin)) | (unsigned)level << pin;
}

#include "devices/piix3.h"

Test(pci, pirq_routing)
{
    static struct bus mem, port;
    static struct pci_host h;
    static struct piix3 d;

    pci_host_init(&h, &mem, &port);
    piix3_init(&d, (struct wire){on_irq, NULL, 0}, (struct wire){0});
    pci_add(&h, &d.fn, PCI_DEVFN(1, 0));
    piix3_ops.reset(&d);
    piix3_pirq(&d, 0, true);
    cr_expect_eq(irq_level, 0, "not routed after reset");
    pci_config_write(&d.fn, PIIX3_PIRQRC, 1, 10);
    cr_expect_eq(irq_level, 1u << 10, "follows the register");
    pci_config_write(&d.fn, PIIX3_PIRQRC + 1, 1, 10);
    piix3_pirq(&d, 1, true);
    piix3_pirq(&d, 0, false);
    cr_expect_eq(irq_level, 1u << 10, "two PIRQs on one line");
    pci_config_write(&d.fn, PIIX3_PIRQRC + 1, 1, 5);
    cr_expect_eq(irq_level, 1u << 5);
    pci_config_write(&d.fn, PIIX3_PIRQRC + 1, 1, 8);
    cr_expect_eq(irq_level, 0, "8 is reserved");
    pci_config_write(&d.fn, PIIX3_PIRQRC + 1, 1, 0x8b);
    cr_expect_eq(irq_level, 0, "disabled");
}

Test(pci, host_bridge_pam)
{
    struct machine *m = machine_new(1);

    cr_expect(m->rom_f0000);
    cr_expect_not(m->rom_e0000);
    cr_expect_eq(pci_get(m, HOST, 0x59, 1), 0x10);
    pci_put(m, HOST, 0x59, 1, 0xff);
    cr_expect_eq(pci_get(m, HOST, 0x59, 1), 0x30, "reserved bits");
    cr_expect_not(m->rom_f0000);
    pci_put(m, HOST, 0x58, 4, 0); /* PAM0-2 in one write */
    cr_expect(m->rom_f0000);
    pci_put(m, HOST, 0x72, 1, 0x5a);
    cr_expect_eq(pci_get(m, HOST, 0x72, 1), 0x1a, "locking closes");
    pci_put(m, HOST, 0x72, 1, 0x48);
    cr_expect_eq(pci_get(m, HOST, 0x72, 1), 0x1a, "locked");
    machine_free(m);
}
