/* SPDX-License-Identifier: MIT */
/*
 * pc_fixture.h - a whole board without a CPU, for the tests of devices: ports, memory, a clock that
 * the test moves, and counters of what the board asked of its machine.
 */
#ifndef RING1_TESTS_PC_FIXTURE_H
#define RING1_TESTS_PC_FIXTURE_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "devices/pc.h"
#include "devices/pci.h"

struct machine {
    struct bus mem, port;
    struct pc *pc;
    uint8_t *ram;
    uint8_t *vga;
    ns_t now;
    bool intr[8];
    unsigned nmi[8], init[8], sipi[8], kicks, requests, rom_calls;
    uint8_t sipi_vector;
    enum pc_request request;
    uint32_t request_code;
    bool a20;
    bool rom_f0000, rom_e0000;
};

static inline void on_intr(void *m, unsigned cpu, bool level)
{
    ((struct machine *)m)->intr[cpu] = level;
}
static inline void on_nmi(void *m, unsigned cpu)
{
    ((struct machine *)m)->nmi[cpu]++;
}
static inline void on_init(void *m, unsigned cpu)
{
    ((struct machine *)m)->init[cpu]++;
}
static inline void on_sipi(void *m, unsigned cpu, uint8_t vector)
{
    ((struct machine *)m)->sipi[cpu]++;
    ((struct machine *)m)->sipi_vector = vector;
}
static inline void on_a20(void *m, bool on)
{
    ((struct machine *)m)->a20 = on;
}
static inline void on_request(void *opaque, enum pc_request what, uint32_t code)
{
    struct machine *m = opaque;

    m->requests++;
    m->request = what;
    m->request_code = code;
}
static inline void on_kick(void *m)
{
    ((struct machine *)m)->kicks++;
}
static inline void on_shadow(void *opaque, uint64_t gpa, uint64_t len, bool read_ram,
                             bool write_ram)
{
    struct machine *m = opaque;
    bool rom = !read_ram || !write_ram;

    (void)len;
    m->rom_calls++;
    if (gpa == 0xf0000)
        m->rom_f0000 = rom;
    if (gpa == 0xe0000)
        m->rom_e0000 = rom;
}
static inline void on_send(void *opaque, const uint8_t *bytes, size_t len)
{
    (void)opaque;
    (void)bytes;
    (void)len;
}

/* Memory without PAM: what firmware writes to it is all there. */
static bool on_dma_read(void *o, gpa_t gpa, void *out, uint32_t len)
{
    const struct machine *m = o;

    if (gpa >= 64u << 20 || len > (64u << 20) - gpa)
        return false;
    memcpy(out, m->ram + gpa, len);
    return true;
}

static bool on_dma_write(void *o, gpa_t gpa, const void *in, uint32_t len)
{
    struct machine *m = o;

    if (gpa >= 64u << 20 || len > (64u << 20) - gpa)
        return false;
    memcpy(m->ram + gpa, in, len);
    return true;
}

/* A board with everything on it and `cpus` CPUs. */
static inline struct pc_config machine_config(struct machine *m, unsigned cpus)
{
    return (struct pc_config){
        .mem = &m->mem,
        .port = &m->port,
        .ram_size = 64u << 20,
        .dma = {.opaque = m, .read = on_dma_read, .write = on_dma_write},
        .cpu_count = cpus,
        .guest_tsc_khz = 2600000,
        .wall_seconds = 1700000000,
        .acpi = true,
        .debug_exit_base = 0xf4,
        .debug_exit_size = 4,
        .testdev = true,
        .vga_memory = m->vga,
        .vga_memory_size = 1u << 20,
        .serial = {{.send = on_send}, {.send = on_send}, {.send = on_send}, {.send = on_send}},
        .serial_present = {true, true, true, true},
        .opaque = m,
        .set_intr = on_intr,
        .raise_nmi = on_nmi,
        .set_a20 = on_a20,
        .request = on_request,
        .deadline_changed = on_kick,
        .set_shadow = on_shadow,
        .cpu_init = on_init,
        .cpu_sipi = on_sipi,
    };
}

static inline struct machine *machine_new(unsigned cpus)
{
    struct machine *m = calloc(1, sizeof *m);
    const char *why = NULL;
    struct pc_config cfg;

    m->ram = calloc(1, 64u << 20);
    m->vga = calloc(1, 1u << 20);
    m->pc = calloc(1, pc_size());
    cfg = machine_config(m, cpus);
    cr_assert(pc_init(m->pc, &cfg, &why) == 0, "pc_init: %s", why);
    bus_write(&m->port, 0x21, 1, 0xfb, 0); /* firmware leaves the timer interrupt on */
    return m;
}

static inline void machine_free(struct machine *m)
{
    free(m->pc);
    free(m->ram);
    free(m->vga);
    free(m);
}

static inline void out(struct machine *m, uint16_t port, unsigned size, uint32_t val)
{
    bus_write(&m->port, port, size, val, m->now);
}
static inline uint32_t in(struct machine *m, uint16_t port, unsigned size)
{
    return bus_read(&m->port, port, size, m->now);
}
static inline uint32_t mmio_read(struct machine *m, uint64_t at)
{
    return bus_read(&m->mem, at, 4, m->now);
}
static inline void mmio_write(struct machine *m, uint64_t at, uint32_t val)
{
    bus_write(&m->mem, at, 4, val, m->now);
}
static inline uint32_t lapic_get(struct machine *m, unsigned reg)
{
    return mmio_read(m, LAPIC_DEFAULT_BASE + reg);
}
static inline void lapic_put(struct machine *m, unsigned reg, uint32_t val)
{
    mmio_write(m, LAPIC_DEFAULT_BASE + reg, val);
}
static inline uint32_t ioapic_get(struct machine *m, unsigned reg)
{
    mmio_write(m, IOAPIC_BASE, reg);
    return mmio_read(m, IOAPIC_BASE + 0x10);
}
static inline void ioapic_put(struct machine *m, unsigned reg, uint32_t val)
{
    mmio_write(m, IOAPIC_BASE, reg);
    mmio_write(m, IOAPIC_BASE + 0x10, val);
}
static inline void ioapic_route(struct machine *m, unsigned pin, uint32_t low, uint8_t dest)
{
    ioapic_put(m, 0x11 + 2 * pin, (uint32_t)dest << 24);
    ioapic_put(m, 0x10 + 2 * pin, low);
}
static inline uint32_t pci_address(unsigned devfn, unsigned off)
{
    return 0x80000000u | devfn << 8 | (off & 0xfc);
}
static inline uint32_t pci_get(struct machine *m, unsigned devfn, unsigned off, unsigned size)
{
    out(m, 0xcf8, 4, pci_address(devfn, off));
    return in(m, (uint16_t)(0xcfc + (off & 3)), size);
}
static inline void pci_put(struct machine *m, unsigned devfn, unsigned off, unsigned size,
                           uint32_t val)
{
    out(m, 0xcf8, 4, pci_address(devfn, off));
    out(m, (uint16_t)(0xcfc + (off & 3)), size, val);
}
/* Drives ISA line / I/O APIC pin n through pc-testdev. */
static inline void line(struct machine *m, unsigned n, bool level)
{
    out(m, (uint16_t)(0x2000 + n), 1, level);
}

#endif
