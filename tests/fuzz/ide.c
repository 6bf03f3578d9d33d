/* SPDX-License-Identifier: MIT */
/*
 * ide.c - random accesses to an IDE function with a disk and a CD-ROM drive: registers, tables that
 * point anywhere, a host that answers late and with errors, resets, new media. No bytes outside of
 * the media and of guest memory, no mapping that is kept, no endless command.
 */
#include "devices/ide_priv.h"
#include "devices/snapshot.h"
#include "include/ring1/mem.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rig/backends.h"

#define RAM_BYTES  (1u << 20)
#define DISK_BYTES (96u << 10)
#define CD_BYTES   (128u << 10)
#define TABLES     0x8000u
#define BM_PORT    0x8000u
#define SAVE_BYTES (64u << 10)

static uint8_t ram[RAM_BYTES];
static struct memory_disk disk, cd;
static struct completion_queue queue;
static struct ide_channel channel[2];
static struct ide ide;
static struct bus mem, port;
static struct pci_host pci;
static unsigned maps;
static ns_t now;

/* ---- guest memory, with a hole in its middle ---- */

static uint32_t there(gpa_t gpa, uint32_t len)
{
    uint64_t end = gpa < RAM_BYTES / 2 ? RAM_BYTES / 2 : RAM_BYTES;

    if (gpa >= RAM_BYTES || (gpa >= RAM_BYTES / 2 && gpa < RAM_BYTES / 2 + 0x1000))
        return 0;
    return end - gpa < len ? (uint32_t)(end - gpa) : len;
}

static bool on_read(void *o, gpa_t gpa, void *to, uint32_t len)
{
    uint32_t n = there(gpa, len);

    (void)o;
    memset(to, 0xff, len);
    memcpy(to, ram + (n ? gpa : 0), n);
    return n == len;
}

static bool on_write(void *o, gpa_t gpa, const void *from, uint32_t len)
{
    uint32_t n = there(gpa, len);

    (void)o;
    memcpy(ram + (n ? gpa : 0), from, n);
    return n == len;
}

static uint32_t on_map(void *o, gpa_t gpa, uint32_t len, bool write, struct dma_map *m)
{
    uint32_t n = there(gpa, len);

    (void)o;
    *m = (struct dma_map){n ? ram + gpa : NULL, gpa, n, write, NULL};
    maps += n != 0;
    return n;
}

static void on_unmap(void *o, struct dma_map *m, uint32_t written)
{
    (void)o;
    FUZZ_CHECK(maps && m->bytes && written <= m->len);
    maps--;
}

static const struct dma dma = {NULL, on_read, on_write, on_map, on_unmap};

/* ---- what a guest does ---- */

static uint16_t some_port(void)
{
    static const uint16_t base[] = {0x1f0, 0x1f0, 0x170, 0x170};

    switch (rnd(8)) {
    case 0:
        return rnd(2) ? 0x3f6 : 0x376;
    case 1:
        return (uint16_t)(BM_PORT + rnd(16));
    default:
        return (uint16_t)(PICK(base) + rnd(8));
    }
}

static void wild_access(void)
{
    unsigned size = 1u << rnd(3);

    if (rnd(2))
        bus_write(&port, some_port(), size, rnd32(), now);
    else
        bus_read(&port, some_port(), size, now);
}

static void make_table(void)
{
    for (unsigned n = 0; n < 64; n++) {
        uint32_t at = chance(90) ? rnd(RAM_BYTES) : rnd32();
        uint32_t len = chance(30) ? 2 * rnd(32) : 512 * rnd(40);
        uint32_t entry[2] = {at, (len & 0xffff) | (chance(10) ? 0x80000000u : 0)};

        memcpy(ram + TABLES + 8 * n, entry, 8);
    }
}

static void start_dma(void)
{
    uint16_t bm = (uint16_t)(BM_PORT + 8 * rnd(2));

    make_table();
    bus_write(&port, bm, 1, 0, now);
    bus_write(&port, bm + 4u, 4, chance(95) ? TABLES + 8 * rnd(60) : rnd32(), now);
    bus_write(&port, bm, 1, 1 | rnd(16), now);
}

static void put_registers(uint16_t base, uint8_t device)
{
    bus_write(&port, base + 6u, 1, device, now);
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned n = 1; n < 6; n++)
            bus_write(&port, base + n, 1, chance(60) ? rnd(4) : rnd32(), now);
}

static void disk_command(void)
{
    static const uint8_t code[] = {0x06, 0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39,
                                   0x3d, 0x40, 0x42, 0x70, 0x91, 0xb0, 0xc4, 0xc5, 0xc6,
                                   0xc8, 0xca, 0xce, 0xe7, 0xec, 0xef, 0xf8, 0x90, 0x08};

    put_registers(0x1f0, rnd(4) ? 0xe0 : (uint8_t)rnd32());
    bus_write(&port, 0x1f7, 1, chance(95) ? PICK(code) : rnd32(), now);
}

static void cd_command(void)
{
    static const uint8_t code[] = {0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x2b,
                                   0x43, 0x46, 0x4a, 0x51, 0x5a, 0xa8, 0xbb, 0xbd, 0xbe};
    uint8_t packet[12];

    put_registers(0x170, 0xa0);
    bus_write(&port, 0x177, 1, chance(90) ? 0xa0 : 0xa1, now);
    for (unsigned n = 0; n < 12; n++)
        packet[n] = chance(50) ? 0 : chance(70) ? (uint8_t)rnd(64) : (uint8_t)rnd32();
    packet[0] = chance(95) ? PICK(code) : (uint8_t)rnd32();
    for (unsigned n = 0; n < 12; n += 4) {
        uint32_t word;

        memcpy(&word, packet + n, 4);
        bus_write(&port, 0x170, 4, word, now);
    }
}

static void move_data(void)
{
    uint16_t base = rnd(2) ? 0x1f0 : 0x170;

    for (unsigned n = rnd(3000); n--;)
        if (rnd(2))
            bus_read(&port, base, 1u << rnd(3), now);
        else
            bus_write(&port, base, 1u << rnd(3), rnd32(), now);
}

static void reset(void)
{
    bus_write(&port, rnd(2) ? 0x3f6 : 0x376, 1, rnd(2) ? 4 : 0, now);
    if (chance(20))
        for (unsigned n = 0; n < 2; n++)
            ide_ops.reset(&channel[n]);
    if (chance(20))
        ide_function_ops.reset(&ide);
    bus_write(&port, rnd(2) ? 0x3f6 : 0x376, 1, 0, now);
    ide_firmware_setup(&ide, BM_PORT);
}

static void host(void)
{
    static const int result[] = {BACKEND_IO, BACKEND_READ_ONLY, BACKEND_NO_MEDIUM, BACKEND_RANGE,
                                 BACKEND_NO_SPACE};
    struct memory_disk *d = rnd(2) ? &disk : &cd;

    if (chance(10))
        d->fail = PICK(result);
    memory_disk_run(d, 1);
    completion_deliver(&queue, ++now, 1 + rnd(3));
}

static void change_medium(void)
{
    struct blockdev_sink sink = ide_sink(&channel[1], 0);

    cd.info.size = rnd(3) ? 512 * rnd(CD_BYTES / 512 + 1) : 0;
    sink.medium_changed(sink.opaque, now);
    if (rnd(2))
        sink.eject_wanted(sink.opaque, now);
}

/* A state from a file that an enemy made: taken or not, it does no harm. */
static void load_forged(void)
{
    static uint8_t bytes[SAVE_BYTES];
    static struct ide_channel before;
    struct snapshot s = {.bytes = bytes, .size = sizeof bytes};
    unsigned n = rnd(2);

    if (channel[n].host.pending)
        return;
    before = channel[n];
    snapshot_put_device(&s, &ide_ops, &channel[n]);
    FUZZ_CHECK(!s.error);
    for (unsigned k = rnd(6); k--;)
        bytes[36 + rnd((uint32_t)offsetof(struct ide_channel, buffer))] = (uint8_t)rnd32();
    s.size = s.at;
    s.at = 0;
    if (!snapshot_get_device(&s, &ide_ops, &channel[n]) || !ide_ops.loaded(&channel[n], now))
        channel[n] = before;
}

/* Whatever was begun comes to its end when the host answers. */
static void check_end(void)
{
    for (unsigned n = 0; n < 200000 && (disk.count || cd.count || completion_pending(&queue));
         n++) {
        memory_disk_run(&disk, 1);
        memory_disk_run(&cd, 1);
        completion_deliver(&queue, ++now, 4);
    }
    FUZZ_CHECK(!maps && !completion_pending(&queue));
    for (unsigned n = 0; n < 2; n++)
        FUZZ_CHECK(channel[n].phase != PHASE_HOST && !channel[n].host.pending &&
                   channel[n].at <= channel[n].block_end && channel[n].filled <= IDE_BUFFER);
}

/* A medium of bytes that lie still: nothing is allocated for each seed. */
static struct blockdev medium(struct memory_disk *d, uint8_t *bytes, uint64_t size)
{
    struct blockdev b = memory_disk(d, 1);

    free(d->bytes);
    d->bytes = bytes;
    d->info.size = size;
    return b;
}

static void build(void)
{
    static uint8_t disk_bytes[DISK_BYTES], cd_bytes[CD_BYTES];

    struct pc_drive drive[4] = {{.kind = DRIVE_DISK}, {0}, {.kind = DRIVE_CD}};
    const struct wire irq[2] = {{0}};

    drive[0].block = medium(&disk, disk_bytes, DISK_BYTES);
    drive[2].block = medium(&cd, cd_bytes, CD_BYTES);
    cd.info.removable = cd.info.read_only = true;
    memset(channel, 0, sizeof channel);
    memset(&ide, 0, sizeof ide);
    memset(&pci, 0, sizeof pci);
    memset(&port, 0, sizeof port);
    memset(&queue, 0, sizeof queue);
    memset(ram, 0, sizeof ram);
    pci_host_init(&pci, &mem, &port);
    FUZZ_CHECK(!ide_init(&ide, channel, drive, &dma, &queue, irq));
    FUZZ_CHECK(!pci_add(&pci, &ide.fn, PCI_DEVFN(1, 1)));
    for (unsigned n = 0; n < 2; n++) {
        ide_ops.reset(&channel[n]);
        FUZZ_CHECK(!bus_add(&port, n ? 0x170 : 0x1f0, n ? 0x177 : 0x1f7, &ide_ops, &channel[n], 0));
        FUZZ_CHECK(!bus_add(&port, n ? 0x376 : 0x3f6, n ? 0x376 : 0x3f6, &ide_ops, &channel[n], 8));
    }
    ide_function_ops.reset(&ide);
    ide_firmware_setup(&ide, BM_PORT);
}

static void one(void)
{
    static void (*const act[])(void) = {
        wild_access, wild_access, start_dma, disk_command, cd_command, move_data, host, host, host};

    build();
    for (unsigned n = 0; n < 300; n++) {
        act[rnd(9)]();
        if (chance(4))
            reset();
        if (chance(4))
            change_medium();
        if (chance(4))
            load_forged();
    }
    check_end();
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, one);
}
