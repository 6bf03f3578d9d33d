/* SPDX-License-Identifier: MIT */
/*
 * ioapic.c - see ioapic.h.
 */
#include "devices/ioapic.h"

#define IOAPIC_VERSION 0x20u

/* Redirection entry (data sheet, section 3.2.4). */
#define RE_MODE(e)    ((unsigned)((e) >> 8) & 7)
#define RE_LOGICAL    (1ull << 11)
#define RE_STATUS     (1ull << 12)
#define RE_REMOTE_IRR (1ull << 14)
#define RE_LEVEL      (1ull << 15)
#define RE_MASKED     (1ull << 16)
#define RE_WRITABLE   0xff0000000001afffull

enum { MMIO_SELECT = 0x00, MMIO_WINDOW = 0x10, MMIO_EOI = 0x40 };
enum { REG_ID = 0, REG_VERSION = 1, REG_ARBITRATION = 2, REG_ENTRY = 0x10 };

/* Only fixed and lowest-priority interrupts have a level-triggered form. */
static bool is_level(uint64_t e)
{
    return (e & RE_LEVEL) && RE_MODE(e) <= APIC_LOWEST;
}

static void pin_send(struct ioapic *io, unsigned pin)
{
    uint64_t *e = &io->entry[pin];
    struct apic_msg m = {
        .dest = (uint8_t)(*e >> 56),
        .logical = (*e & RE_LOGICAL) != 0,
        .mode = (uint8_t)RE_MODE(*e),
        .vector = (uint8_t)*e,
        .level = is_level(*e),
    };
    enum apic_result r = apic_bus_send(io->bus, &m);

    if (m.level && r != APIC_REFUSED)
        *e |= RE_REMOTE_IRR;
    if (!m.level && r == APIC_COALESCED)
        io->coalesced++;
}

/* Sends for a level pin that is held, unmasked and not in service. */
static void level_evaluate(struct ioapic *io, unsigned pin)
{
    uint64_t e = io->entry[pin];

    if ((io->pins >> pin & 1) && is_level(e) && !(e & (RE_MASKED | RE_REMOTE_IRR)))
        pin_send(io, pin);
}

void ioapic_pin(void *ioapic, unsigned pin, bool level)
{
    struct ioapic *io = ioapic;
    bool was;

    if (pin >= IOAPIC_PINS)
        return;
    was = io->pins >> pin & 1;
    io->pins = (io->pins & ~(1u << pin)) | (uint32_t)level << pin;
    if (!level || was)
        return;
    if (is_level(io->entry[pin]))
        level_evaluate(io, pin);
    else if (!(io->entry[pin] & RE_MASKED))
        pin_send(io, pin);
}

void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t *e = &io->entry[pin];
        if ((*e & RE_REMOTE_IRR) && (uint8_t)*e == vector) {
            *e &= ~RE_REMOTE_IRR;
            level_evaluate(io, pin);
        }
    }
}

bool ioapic_pin_open(const struct ioapic *io, unsigned pin)
{
    return pin < IOAPIC_PINS && !(io->entry[pin] & RE_MASKED);
}

bool ioapic_pin_taken(const struct ioapic *io, unsigned pin)
{
    uint64_t e = io->entry[pin % IOAPIC_PINS];

    return !apic_bus_requested(io->bus, (uint8_t)(e >> 56), (e & RE_LOGICAL) != 0, (uint8_t)e);
}

uint32_t ioapic_nmi_pins(const struct ioapic *io, unsigned cpu)
{
    uint32_t pins = 0;

    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t e = io->entry[pin];
        if (!(e & RE_MASKED) && RE_MODE(e) == APIC_NMI &&
            apic_bus_reaches(io->bus, cpu, (uint8_t)(e >> 56), (e & RE_LOGICAL) != 0))
            pins |= 1u << pin;
    }
    return pins;
}

static uint32_t register_read(const struct ioapic *io)
{
    unsigned n = io->select;

    if (n == REG_ID || n == REG_ARBITRATION)
        return (uint32_t)io->id << 24;
    if (n == REG_VERSION)
        return IOAPIC_VERSION | (IOAPIC_PINS - 1) << 16;
    if (n >= REG_ENTRY && n < REG_ENTRY + 2 * IOAPIC_PINS)
        return (uint32_t)(io->entry[(n - REG_ENTRY) / 2] >> (n & 1) * 32);
    return UINT32_MAX;
}

static void entry_write(struct ioapic *io, unsigned n, uint32_t val)
{
    unsigned pin = n / 2, shift = (n & 1) * 32;
    uint64_t *e = &io->entry[pin];
    uint64_t writable = RE_WRITABLE & (uint64_t)UINT32_MAX << shift;

    *e = (*e & ~writable) | ((uint64_t)val << shift & writable);
    if (!(*e & RE_LEVEL)) /* an edge has no remote IRR; guests use this to clear a stuck one */
        *e &= ~RE_REMOTE_IRR;
    level_evaluate(io, pin);
}

static void register_write(struct ioapic *io, uint32_t val)
{
    unsigned n = io->select;

    if (n == REG_ID)
        io->id = val >> 24 & 0xf;
    else if (n >= REG_ENTRY && n < REG_ENTRY + 2 * IOAPIC_PINS)
        entry_write(io, n - REG_ENTRY, val);
}

static uint32_t ioapic_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    const struct ioapic *io = dev;
    uint32_t val = 0;

    (void)now;
    if ((off & 0xf) + size > 4)
        return 0;
    if ((off & ~3u) == MMIO_SELECT)
        val = io->select;
    else if ((off & ~3u) == MMIO_WINDOW)
        val = register_read(io);
    return val >> (off & 3) * 8;
}

/* IOREGSEL takes any width, the window whole dwords only. */
static void ioapic_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct ioapic *io = dev;

    (void)now;
    if (off == MMIO_SELECT)
        io->select = (uint8_t)val;
    else if (off == MMIO_WINDOW && size == 4)
        register_write(io, val);
    else if (off == MMIO_EOI)
        ioapic_eoi(io, (uint8_t)val);
}

static void ioapic_reset(void *dev)
{
    struct ioapic *io = dev;

    io->select = 0;
    io->id = 0;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        io->entry[pin] = RE_MASKED;
}

const struct dev_ops ioapic_ops = {
    .name = "ioapic",
    .state_size = offsetof(struct ioapic, wires_begin),
    .min_size = 1,
    .max_size = 4,
    .read = ioapic_read,
    .write = ioapic_write,
    .reset = ioapic_reset,
};
