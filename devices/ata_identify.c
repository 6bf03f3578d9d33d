/* SPDX-License-Identifier: MIT */
/*
 * ata_identify.c - what a disk says of itself (see ide.h): IDENTIFY DEVICE, SET FEATURES, SMART.
 * Source: T13/1410D, sections 8.15, 8.40, 8.48.
 */
#include "devices/ide_priv.h"
#include "include/ring1/mem.h"

#define FIRMWARE     "1.0"
#define MODEL        "RING1 HARDDISK"
#define LBA28_MAX    0x0fffffffu
#define SIGNATURE    0xa5u
#define MODE_KINDS   0xf8u
#define MODE_PIO     0x00u /* and 0x08: with flow control, 0-4 */
#define MODE_SWDMA   0x10u
#define MODE_MWDMA   0x20u
#define MODE_UDMA    0x40u
#define UDMA_MAX     5u
#define SMART_MID    0x4fu
#define SMART_HIGH   0xc2u
#define SMART_REVISE 0x0010u

void ata_put_string(uint8_t *to, const char *from, unsigned len)
{
    for (unsigned n = 0; n < len; n++)
        to[n ^ 1] = *from ? (uint8_t)*from++ : ' ';
}

void ata_put_serial(const struct ide_channel *ch, uint8_t *data)
{
    const struct pc_drive *config = &ch->config[ch->active];
    char serial[] = "R100001";

    serial[sizeof serial - 2] = (char)('1' + 2 * ch->number + ch->active);
    ata_put_string(data + 20, config->serial ? config->serial : serial, DRIVE_SERIAL_MAX);
}

void ata_put_reset_result(const struct ide_channel *ch, uint8_t *data)
{
    bool alone = ch->drive[1].kind == DRIVE_NONE;

    ata_put_word(data, 93, ch->active ? 0x6b00 : alone ? 0x604b : 0x600b);
}

bool ata_mode_known(uint8_t mode)
{
    unsigned n = mode & 7;

    switch (mode & MODE_KINDS) {
    case MODE_PIO: /* the default, or that without IORDY */
        return n <= 1;
    case 0x08:
        return n <= 4;
    case MODE_SWDMA:
    case MODE_MWDMA:
        return n <= 2;
    case MODE_UDMA:
        return n <= UDMA_MAX;
    default:
        return false;
    }
}

static uint32_t modes(uint8_t mode, uint32_t kind, uint32_t supported)
{
    return supported | ((mode & MODE_KINDS) == kind ? 0x100u << (mode & 7) : 0);
}

void ata_put_modes(uint8_t *data, uint8_t mode)
{
    ata_put_word(data, 62, modes(mode, MODE_SWDMA, 7));
    ata_put_word(data, 63, modes(mode, MODE_MWDMA, 7));
    ata_put_word(data, 88, modes(mode, MODE_UDMA, (2u << UDMA_MAX) - 1));
}

static void put_long(uint8_t *data, unsigned word, uint64_t value, unsigned words)
{
    for (unsigned n = 0; n < words; n++)
        ata_put_word(data, word + n, (uint32_t)(value >> 16 * n) & 0xffff);
}

/* Words whose value never changes. */
static const struct {
    uint8_t word;
    uint16_t value;
} fixed_words[] = {
    {0, 0x0040}, /* not removable */
    {5, 512},    /* bytes of a sector, retired */
    {20, 3},     /* a buffer of two ports that looks ahead, retired */
    {21, 16},    /* its sectors, retired */
    {22, 4},     /* ECC bytes, retired */
    {47, 0x8000 | IDE_MULTIPLE_MAX},
    {48, 1},      /* 32-bit data accesses, retired */
    {49, 0x0f00}, /* LBA, DMA, IORDY */
    {50, 0x4000},
    {51, 0x0200}, /* PIO mode 2, retired */
    {52, 0x0200},
    {53, 7},   /* words 54-58, 64-70, 88 are valid */
    {64, 3},   /* PIO modes 3, 4 */
    {65, 120}, /* ns of a cycle: multi-word DMA, recommended, PIO, PIO with IORDY */
    {66, 120},
    {67, 120},
    {68, 120},
    {80, 0x00fe}, /* ATA-1 to ATA/ATAPI-7: drivers look for word 169 from there on */
    {81, 0x0019},
    {82, 0x0061}, /* look-ahead, write cache, SMART */
    {83, 0x7400}, /* FLUSH CACHE (EXT), 48-bit addresses */
    {84, 0x4040}, /* FUA writes */
    {86, 0x3400},
    {87, 0x4040},
};

/* Words 1, 3, 6: its own geometry; 54-58: the translation in force. */
static void put_geometry(uint8_t *data, const struct ide_drive *d, const struct pc_drive *c)
{
    struct ide_drive own = *d;
    uint32_t current = (uint32_t)d->disk.cylinders * d->disk.heads * d->disk.per_track;

    ata_geometry(&own, c);
    ata_put_word(data, 1, own.disk.cylinders);
    ata_put_word(data, 3, own.disk.heads);
    ata_put_word(data, 4, own.disk.per_track * IDE_SECTOR);
    ata_put_word(data, 6, own.disk.per_track);
    ata_put_word(data, 54, d->disk.cylinders);
    ata_put_word(data, 55, d->disk.heads);
    ata_put_word(data, 56, d->disk.per_track);
    put_long(data, 57, current, 2);
}

/* Words 106 (T13/1699D), 69, 105, 169 (DATA SET MANAGEMENT). */
static void put_medium(uint8_t *data, const struct blockdev_info *info)
{
    unsigned shift = 0;

    while (shift < 15 && (uint64_t)IDE_SECTOR << shift < info->sector)
        shift++;
    if (shift)
        ata_put_word(data, 106, 0x6000 | shift);
    if (info->can_discard) {
        ata_put_word(data, 105, 1);
        ata_put_word(data, 169, 1);
    }
}

static void put_checksum(uint8_t *data, unsigned len)
{
    uint8_t sum = 0;

    for (unsigned n = 0; n < len - 1; n++)
        sum = (uint8_t)(sum + data[n]);
    data[len - 1] = (uint8_t)-sum;
}

void ata_reply(struct ide_channel *ch)
{
    ch->at = 0;
    ch->filled = IDE_SECTOR;
    ch->job = JOB_REPLY;
    ide_offer(ch, PHASE_IN, IDE_SECTOR);
    ide_irq_raise(ch);
}

void ata_identify(struct ide_channel *ch, const struct ata_command *c)
{
    const struct ide_drive *d = ide_active(ch);
    const struct pc_drive *config = &ch->config[ch->active];
    uint64_t sectors = d->disk.sectors;
    struct blockdev_info info;
    uint8_t *data = ch->buffer;

    (void)c;
    blockdev_info(&config->block, &info);
    memset(data, 0, IDE_SECTOR);
    for (unsigned n = 0; n < ARRAY_LEN(fixed_words); n++)
        ata_put_word(data, fixed_words[n].word, fixed_words[n].value);
    ata_put_serial(ch, data);
    ata_put_string(data + 46, FIRMWARE, 8);
    ata_put_string(data + 54, config->model ? config->model : MODEL, DRIVE_MODEL_MAX);
    put_geometry(data, d, config);
    ata_put_word(data, 59, d->disk.multiple ? 0x100u | d->disk.multiple : 0);
    put_long(data, 60, sectors < LBA28_MAX ? sectors : LBA28_MAX, 2);
    ata_put_modes(data, d->mode);
    ata_put_word(data, 85,
                 (d->disk.look_ahead ? 0x40u : 0) | (d->disk.write_cache ? 0x20u : 0) |
                     (d->disk.smart ? 1u : 0));
    ata_put_reset_result(ch, data);
    put_long(data, 100, sectors, 4);
    put_medium(data, &info);
    data[510] = SIGNATURE;
    put_checksum(data, IDE_SECTOR);
    ata_reply(ch);
}

/* Section 8.40. What is not announced is aborted. */
void ata_set_features(struct ide_channel *ch, const struct ata_command *c)
{
    struct ide_drive *d = ide_active(ch);
    bool known = true;

    (void)c;
    switch (d->reg[0][IDE_FEATURE]) {
    case 0x02:
        d->disk.write_cache = true;
        break;
    case 0x82: /* what it holds must not be less safe than what is written from now on */
        d->disk.write_cache = false;
        ata_flush(ch, c);
        return;
    case 0xaa:
        d->disk.look_ahead = true;
        break;
    case 0x55:
        d->disk.look_ahead = false;
        break;
    case 0x03:
        known = ata_mode_known(d->reg[0][IDE_COUNT]);
        if (known)
            d->mode = d->reg[0][IDE_COUNT];
        break;
    case 0x66: /* settings outlive a software reset: they do */
    case 0xcc:
        break;
    default:
        known = false;
    }
    if (known)
        ide_end(ch);
    else
        ide_fail(ch, ERR_ABRT);
}

/* Section 8.48: it is on or off, and the disk is well. */
void ata_smart(struct ide_channel *ch, const struct ata_command *c)
{
    struct ide_drive *d = ide_active(ch);
    uint8_t what = d->reg[0][IDE_FEATURE];
    bool ours = d->reg[0][IDE_LBA_MID] == SMART_MID && d->reg[0][IDE_LBA_HIGH] == SMART_HIGH;

    (void)c;
    if (!ours || (!d->disk.smart && what != 0xd8))
        what = 0;
    switch (what) {
    case 0xd0: /* READ DATA, READ THRESHOLDS: no attributes */
    case 0xd1:
        memset(ch->buffer, 0, IDE_SECTOR);
        ata_put_word(ch->buffer, 0, SMART_REVISE);
        put_checksum(ch->buffer, IDE_SECTOR);
        ata_reply(ch);
        break;
    case 0xd8:
    case 0xd9:
        d->disk.smart = what == 0xd8;
        ide_end(ch);
        break;
    case 0xd2: /* attribute autosave; RETURN STATUS leaves the key: no threshold was passed */
    case 0xda:
        ide_end(ch);
        break;
    default:
        ide_fail(ch, ERR_ABRT);
    }
}
