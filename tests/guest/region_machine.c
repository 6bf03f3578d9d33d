/* SPDX-License-Identifier: MIT */
/*
 * region_machine.c - a PC with a ROM and a frame buffer, for the guest test region.S: `ring1 run`
 * with a device more.
 *
 * The ROM holds `mov eax, [esp + 4]; add eax, 0x1234; ret`. Ports, 32 bits each: 0x5e0 places the
 * frame buffer at the address written (0: nowhere), 0x5e4 reads which of its pages were written
 * since the last time (one bit for each of 32), 0x5e8 takes an offset in it, 0x5ec has the device
 * write a number there, 0x5f0 places the ROM.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "host/linux/loop.h"
#include "host/linux/machine.h"
#include "monitor/run/assemble.h"
#include "monitor/run/lockstep.h"

#define PORTS    0x5e0u
#define FRAME_SZ (32u << 12)
#define ROM_SZ   (2u << 12)

static const uint8_t rom_code[] = {0x8b, 0x44, 0x24, 4, 5, 0x34, 0x12, 0, 0, 0xc3};

static struct testbed {
    struct region frame, rom, twin[2];
    struct dev_memory frame_memory, rom_memory;
    uint64_t log[1], out[1];
    uint32_t offset;
} t;

static uint32_t ports_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    (void)dev, (void)size, (void)now;
    if (off != 4)
        return 0;
    t.frame_memory.changed(t.frame_memory.opaque, t.out);
    return (uint32_t)t.out[0];
}

static uint64_t place_of(uint32_t val)
{
    return val ? val : DEV_MEMORY_NOWHERE;
}

static void ports_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct dev_memory *f = &t.frame_memory;

    (void)dev, (void)size, (void)now;
    switch (off) {
    case 0:
        f->place(f->opaque, place_of(val));
        break;
    case 8:
        t.offset = val;
        break;
    case 0xc:
        if (t.offset > FRAME_SZ - 4)
            break;
        memcpy(f->bytes + t.offset, &val, 4);
        f->written(f->opaque, t.offset, 4);
        break;
    case 0x10:
        t.rom_memory.place(t.rom_memory.opaque, place_of(val));
        break;
    }
}

static const struct dev_ops ports_ops = {
    .name = "region test", .min_size = 4, .max_size = 4, .read = ports_read, .write = ports_write};

static int add(struct machine *m, struct region *r, struct region *twin, uint64_t *log,
               struct dev_memory *out)
{
    r->host = guest_ram_add(&m->ram, r->size, &r->at);
    r->page = zeroed_alloc(r->size >> 12);
    *twin = *r;
    twin->host = zeroed_alloc(r->size);
    twin->page = zeroed_alloc(r->size >> 12);
    if (!r->host || !r->page || !twin->host || !twin->page)
        return -1;
    return vm_add_memory(&m->vm, r, m->lockstep ? twin : NULL, log, out);
}

static int add_all(struct machine *m)
{
    struct bus *port = m->lockstep ? &m->lockstep->port : &m->vm.port;

    t.frame = (struct region){.name = "frame", .kind = REGION_FRAME, .size = FRAME_SZ};
    t.rom = (struct region){.name = "rom", .kind = REGION_ROM, .size = ROM_SZ};
    if (add(m, &t.frame, &t.twin[0], t.log, &t.frame_memory) ||
        add(m, &t.rom, &t.twin[1], NULL, &t.rom_memory) ||
        bus_add(port, PORTS, PORTS + 0x13, &ports_ops, NULL, 0))
        return -1;
    memcpy(t.rom.host, rom_code, sizeof rom_code);
    if (m->lockstep)
        lockstep_sync(m->lockstep);
    return 0;
}

int main(int argc, char **argv)
{
    struct machine *m = zeroed_alloc(sizeof *m);
    struct config cfg;
    struct error e = {.text = "that asks for help"};

    if (argc < 2 || options_parse(&cfg, argc - 2, argv + 2, &e) != OPTIONS_RUN ||
        machine_create(m, &cfg, &e) || add_all(m)) {
        say("%s", e.text);
        return 1;
    }
    int status = loop_run(m);
    machine_destroy(m);
    return status;
}
