/* SPDX-License-Identifier: MIT */
/*
 * pci.h - PCI bus 0: configuration mechanism 1, functions with their base address registers, INTx
 * lines.
 *
 * Promises   A function that is not there reads all-ones and drops writes, as does any other bus.
 *            A base address register answers sizing, and its range is on the bus exactly while it
 *            is decoded and collides with nobody.
 * Not here   Configuration mechanism 2, bridges, MSI, bus mastering.
 * Windows    0xcf8-0xcff -> offset 0.
 * Source     PCI Local Bus Specification 2.1, sections 3.7.4.1 (mechanism 1), 6.1, 6.2.5.
 */
#ifndef RING1_DEVICES_PCI_H
#define RING1_DEVICES_PCI_H

#include "devices/bus.h"
#include "devices/memory.h"

#define PCI_DEVFN(slot, fn) ((slot) << 3 | (fn))
#define PCI_MAX_FUNCTIONS   32
#define PCI_BARS            6

#define PCI_COMMAND         0x04
#define PCI_COMMAND_IO      0x0001u
#define PCI_COMMAND_MEMORY  0x0002u
#define PCI_COMMAND_MASTER  0x0004u
#define PCI_COMMAND_NO_INTX 0x0400u
#define PCI_STATUS          0x06
#define PCI_BAR0            0x10
#define PCI_INT_LINE        0x3c
#define PCI_INT_PIN         0x3d

struct pci_host;

struct pci_bar {
    uint32_t size; /* power of two; 0: not implemented */
    bool io;
    bool mapped;
    uint32_t at; /* where it is mapped */
    const struct dev_ops *ops;
    void *dev;
    /* What the guest reaches there without asking *ops, as far as it goes; NULL: nothing. */
    const struct dev_memory *memory;
};

/* The state of one function's configuration space; lies in the part of a chip that is saved. */
struct pci_cfg {
    uint8_t byte[256];
    bool intx;      /* the function asserts its INTx# pin */
    bool intx_seen; /* ... and the host saw it (not held off by the command register) */
};

/* Describes one function's configuration space. A chip embeds it after wires_begin. When a chip's
 * state was replaced, pci_fn_loaded() brings the bus in step. */
struct pci_fn {
    struct pci_cfg *cfg;
    uint8_t devfn;
    uint8_t writable[256]; /* bits software may change */
    uint8_t clear[256];    /* bits software clears by writing 1 */
    struct pci_bar bar[PCI_BARS];
    struct pci_host *host;
    void *dev;                                /* the chip */
    void (*changed)(void *dev, unsigned off); /* byte `off` was written by software; may be NULL */
};

struct pci_host {
    uint32_t address; /* CONFIG_ADDRESS */
    uint16_t pirq_sources[4];
    char wires_begin[1];
    unsigned count;
    struct pci_fn *fn[PCI_MAX_FUNCTIONS];
    struct bus *mem, *port;
    const struct dev_ops
        *narrow_ops; /* takes byte and word accesses to 0xcf8-0xcfb (0xcf9 is PIIX3's) */
    void *narrow;
    struct wire pirq[4]; /* PIRQA#..PIRQD# */
};

extern const struct dev_ops pci_host_ops;

void pci_host_init(struct pci_host *h, struct bus *mem, struct bus *port);
/* Describes a function: ids and class (24 bits: class, subclass, interface); the command register
 * gets its usual bits. */
void pci_fn_init(struct pci_fn *f, struct pci_cfg *cfg, void *dev, uint16_t vendor, uint16_t device,
                 uint32_t class_code, uint8_t revision);
void pci_fn_bar(struct pci_fn *f, unsigned n, bool io, uint32_t size, const struct dev_ops *ops,
                void *dev);
/* The memory lies where the range does, and nowhere while that is not decoded. *m must stay. */
void pci_fn_memory(struct pci_fn *f, unsigned n, const struct dev_memory *m);
/* Sets `len` bytes of value and of writable bits, little-endian. */
void pci_fn_reg(struct pci_fn *f, unsigned off, unsigned len, uint32_t value, uint32_t writable);
/* Puts the function on the bus. Returns 0, or -1 when the place is taken or the bus full. */
int pci_add(struct pci_host *h, struct pci_fn *f, unsigned devfn);
/* Clears command, base addresses and interrupt line, unmaps; the chip's reset then restores its own
 * registers. */
void pci_fn_reset(struct pci_fn *f);
void pci_fn_loaded(struct pci_fn *f);
/* Sets the level of the function's INTx# pin. */
void pci_fn_intx(struct pci_fn *f, bool level);
/* Access configuration space as firmware does, with the effects of a guest's accesses. */
uint8_t pci_config_read8(const struct pci_fn *f, unsigned off);
void pci_config_write(struct pci_fn *f, unsigned off, unsigned size, uint32_t val);
struct pci_fn *pci_find(const struct pci_host *h, unsigned devfn);

/* The board's wiring of INTx pins (1 = INTA) to PIRQ lines: each slot is rotated by one against its
 * neighbour. */
static inline unsigned pci_pirq_of(unsigned devfn, unsigned int_pin)
{
    return ((devfn >> 3) - 1 + int_pin - 1) & 3;
}

#endif
