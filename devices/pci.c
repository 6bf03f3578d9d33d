/* SPDX-License-Identifier: MIT */
/*
 * pci.c - see pci.h.
 */
#include "devices/pci.h"

#include "include/ring1/mem.h"

#define ADDRESS_ENABLE   0x80000000u
#define ADDRESS_WRITABLE 0x80fffffcu

struct pci_fn *pci_find(const struct pci_host *h, unsigned devfn)
{
    for (unsigned i = 0; i < h->count; i++)
        if (h->fn[i]->devfn == devfn)
            return h->fn[i];
    return NULL;
}

static uint32_t config_get(const struct pci_fn *f, unsigned off, unsigned len)
{
    uint32_t val = 0;

    for (unsigned i = 0; i < len; i++)
        val |= (uint32_t)f->cfg->byte[(off + i) & 0xff] << 8 * i;
    return val;
}

uint8_t pci_config_read8(const struct pci_fn *f, unsigned off)
{
    return f->cfg->byte[off & 0xff];
}

/* Where the registers now say that the range is; false when it is not decoded. */
static bool bar_wanted(const struct pci_fn *f, unsigned n, uint32_t *at)
{
    const struct pci_bar *b = &f->bar[n];
    uint32_t command = config_get(f, PCI_COMMAND, 2);

    *at = config_get(f, PCI_BAR0 + 4 * n, 4) & ~(b->io ? 3u : 15u);
    if (!b->size || !(command & (b->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)) || !*at)
        return false;
    return b->io ? *at <= 0x10000 - b->size : *at <= UINT32_MAX - (b->size - 1);
}

static void memory_at(const struct pci_bar *b, uint64_t at)
{
    if (b->memory)
        b->memory->place(b->memory->opaque, at);
}

/* Brings the bus in step with the registers. Two passes, so that two ranges can change places. */
static void bars_update(struct pci_fn *f)
{
    uint32_t at;

    for (unsigned n = 0; n < PCI_BARS; n++) {
        struct pci_bar *b = &f->bar[n];
        if (b->mapped && (!bar_wanted(f, n, &at) || at != b->at)) {
            bus_remove(b->io ? f->host->port : f->host->mem, b->at, b->dev);
            b->mapped = false;
            memory_at(b, DEV_MEMORY_NOWHERE);
        }
    }
    for (unsigned n = 0; n < PCI_BARS; n++) {
        struct pci_bar *b = &f->bar[n];
        struct bus *bus = b->io ? f->host->port : f->host->mem;
        if (b->mapped || !bar_wanted(f, n, &at))
            continue;
        if (bus_add(bus, at, at + (uint64_t)b->size - 1, b->ops, b->dev, 0) == 0) {
            b->mapped = true;
            b->at = at;
            memory_at(b, at);
        }
    }
}

static void intx_update(struct pci_fn *f)
{
    bool level = f->cfg->intx && !(config_get(f, PCI_COMMAND, 2) & PCI_COMMAND_NO_INTX);
    unsigned pin = f->cfg->byte[PCI_INT_PIN], pirq;

    if (!pin || level == f->cfg->intx_seen)
        return;
    f->cfg->intx_seen = level;
    pirq = pci_pirq_of(f->devfn, pin);
    f->host->pirq_sources[pirq] = (uint16_t)(f->host->pirq_sources[pirq] + (level ? 1 : -1));
    wire_set(&f->host->pirq[pirq], f->host->pirq_sources[pirq] != 0);
}

void pci_fn_intx(struct pci_fn *f, bool level)
{
    f->cfg->intx = level;
    f->cfg->byte[PCI_STATUS] = (uint8_t)((f->cfg->byte[PCI_STATUS] & ~8u) | (level ? 8u : 0u));
    intx_update(f);
}

void pci_config_write(struct pci_fn *f, unsigned off, unsigned size, uint32_t val)
{
    for (unsigned i = 0; i < size; i++) {
        unsigned at = (off + i) & 0xff;
        uint8_t byte = (uint8_t)(val >> 8 * i), w = f->writable[at];

        f->cfg->byte[at] = (uint8_t)((f->cfg->byte[at] & ~w & ~(byte & f->clear[at])) | (byte & w));
    }
    bars_update(f);
    intx_update(f);
    for (unsigned i = 0; f->changed && i < size; i++)
        f->changed(f->dev, (off + i) & 0xff);
}

void pci_fn_reg(struct pci_fn *f, unsigned off, unsigned len, uint32_t value, uint32_t writable)
{
    for (unsigned i = 0; i < len; i++) {
        f->cfg->byte[(off + i) & 0xff] = (uint8_t)(value >> 8 * i);
        f->writable[(off + i) & 0xff] = (uint8_t)(writable >> 8 * i);
    }
}

void pci_fn_init(struct pci_fn *f, struct pci_cfg *cfg, void *dev, uint16_t vendor, uint16_t device,
                 uint32_t class_code, uint8_t revision)
{
    f->cfg = cfg;
    f->dev = dev;
    pci_fn_reg(f, 0x00, 2, vendor, 0);
    pci_fn_reg(f, 0x02, 2, device, 0);
    pci_fn_reg(f, PCI_COMMAND, 2, 0, 0x0547);
    f->clear[PCI_STATUS + 1] = 0xf9;
    pci_fn_reg(f, 0x08, 1, revision, 0);
    pci_fn_reg(f, 0x09, 3, class_code, 0);
    pci_fn_reg(f, PCI_INT_LINE, 1, 0, 0xff);
}

void pci_fn_bar(struct pci_fn *f, unsigned n, bool io, uint32_t size, const struct dev_ops *ops,
                void *dev)
{
    f->bar[n] = (struct pci_bar){.size = size, .io = io, .ops = ops, .dev = dev};
    pci_fn_reg(f, PCI_BAR0 + 4 * n, 4, io ? 1 : 0, ~(size - 1));
}

void pci_fn_memory(struct pci_fn *f, unsigned n, const struct dev_memory *m)
{
    f->bar[n].memory = m;
}

void pci_fn_reset(struct pci_fn *f)
{
    pci_fn_intx(f, false);
    for (unsigned off = PCI_COMMAND; off < PCI_COMMAND + 2; off++)
        f->cfg->byte[off] &= (uint8_t)~f->writable[off];
    for (unsigned off = PCI_BAR0; off < PCI_BAR0 + 4 * PCI_BARS; off++)
        f->cfg->byte[off] &= (uint8_t)~f->writable[off];
    f->cfg->byte[PCI_INT_LINE] = 0;
    bars_update(f);
}

void pci_fn_loaded(struct pci_fn *f)
{
    bars_update(f);
}

int pci_add(struct pci_host *h, struct pci_fn *f, unsigned devfn)
{
    if (h->count == PCI_MAX_FUNCTIONS || pci_find(h, devfn))
        return -1;
    f->host = h;
    f->devfn = (uint8_t)devfn;
    h->fn[h->count++] = f;
    return 0;
}

void pci_host_init(struct pci_host *h, struct bus *mem, struct bus *port)
{
    h->mem = mem;
    h->port = port;
}

/* The function CONFIG_ADDRESS selects, or NULL. */
static struct pci_fn *selected(const struct pci_host *h)
{
    if (!(h->address & ADDRESS_ENABLE) || (h->address >> 16 & 0xff) != 0)
        return NULL;
    return pci_find(h, h->address >> 8 & 0xff);
}

/* CONFIG_ADDRESS is a dword register; narrower accesses to it belong to whoever sits there on the
 * ISA side. */
static uint32_t pci_host_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct pci_host *h = dev;
    const struct pci_fn *f;

    if (off == 0 && size == 4)
        return h->address;
    if (off < 4)
        return h->narrow_ops && size == 1 ? h->narrow_ops->read(h->narrow, off, 1, now)
                                          : UINT32_MAX;
    f = selected(h);
    return f ? config_get(f, (h->address & 0xfc) + (off & 3), size) : UINT32_MAX;
}

static void pci_host_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct pci_host *h = dev;
    struct pci_fn *f;

    if (off == 0 && size == 4) {
        h->address = val & ADDRESS_WRITABLE;
    } else if (off < 4) {
        for (unsigned i = 0; h->narrow_ops && i < size; i++)
            h->narrow_ops->write(h->narrow, off + i, 1, val >> 8 * i & 0xff, now);
    } else {
        f = selected(h);
        if (f)
            pci_config_write(f, (h->address & 0xfc) + (off & 3), size, val);
    }
}

static void pci_host_reset(void *dev)
{
    struct pci_host *h = dev;

    h->address = 0;
}

const struct dev_ops pci_host_ops = {
    .name = "pci",
    .state_size = offsetof(struct pci_host, wires_begin),
    .min_size = 1,
    .max_size = 4,
    .read = pci_host_read,
    .write = pci_host_write,
    .reset = pci_host_reset,
};
