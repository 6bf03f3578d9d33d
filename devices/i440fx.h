/* SPDX-License-Identifier: MIT */
/*
 * i440fx.h - the 82441FX host bridge (8086:1237): who answers in the legacy area 0xc0000-0xfffff.
 *
 * Promises   A change of a PAM register is reported at once, one call per 16- or 64-KiB segment.
 * Deviations A segment whose reads are directed to PCI, where no ROM lies, still reads RAM
 *            (read-only). SMRAM is a register without effect; the CPU has no system management
 *            mode. DRAM timing registers only keep what is written.
 * Source     Intel 82441FX data sheet 290549-001, section 3.2.
 */
#ifndef RING1_DEVICES_I440FX_H
#define RING1_DEVICES_I440FX_H

#include "devices/pci.h"

#define I440FX_PAM   0x59
#define I440FX_SMRAM 0x72

struct i440fx {
    struct pci_cfg cfg;
    uint8_t smram; /* as last accepted; the lock bit freezes it */
    char wires_begin[1];
    struct pci_fn fn;
    uint8_t drb[8]; /* DRAM row boundaries as firmware would set them */
    void (*set_shadow)(void *target, uint64_t gpa, uint64_t len, bool read_ram, bool write_ram);
    void *target;
};

/* A chip on PCI needs no ranges of its own; the board calls nothing but reset. */
extern const struct dev_ops i440fx_ops;

void i440fx_init(struct i440fx *d, uint64_t ram_size,
                 void (*set_shadow)(void *target, uint64_t gpa, uint64_t len, bool read_ram,
                                    bool write_ram),
                 void *target);
/* Makes 0xc0000-0xfffff RAM, as firmware does before it writes there. */
void i440fx_firmware_open(struct i440fx *d);
/* Makes what firmware leaves: 0xc0000-0xfffff shadowed and read-only, 0xe0000-0xe3fff writable. */
void i440fx_firmware_setup(struct i440fx *d);

#endif
