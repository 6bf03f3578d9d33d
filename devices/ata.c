/* SPDX-License-Identifier: MIT */
/*
 * ata.c - a disk (see ide.h): its commands as a table, and those that move no data.
 *
 * A code that is not in the table is aborted (T13/1410D, section 6.3), as are those of features
 * that IDENTIFY DEVICE does not announce.
 */
#include "devices/ide_priv.h"
#include "include/ring1/mem.h"

#define HEADS_DEFAULT     16u
#define PER_TRACK_DEFAULT 63u
#define CYLINDERS_MAX     16383u
#define LBA28_END         0x10000000u

/* ---- geometry ---- */

static uint16_t cylinders_of(uint64_t sectors, uint32_t heads, uint32_t per_track, uint32_t most)
{
    uint64_t n = sectors / (heads * per_track);

    return (uint16_t)(n > most ? most : n ? n : 1);
}

void ata_geometry(struct ide_drive *d, const struct pc_drive *c)
{
    d->disk.heads = c->cylinders ? c->heads : HEADS_DEFAULT;
    d->disk.per_track = c->cylinders ? c->sectors : PER_TRACK_DEFAULT;
    d->disk.cylinders = c->cylinders ? c->cylinders
                                     : cylinders_of(d->disk.sectors, HEADS_DEFAULT,
                                                    PER_TRACK_DEFAULT, CYLINDERS_MAX);
}

void ata_init(struct ide_drive *d, const struct pc_drive *c)
{
    struct blockdev_info info;

    blockdev_info(&c->block, &info);
    d->disk.sectors = info.size / IDE_SECTOR;
}

void ata_reset(struct ide_drive *d, const struct pc_drive *c)
{
    ata_geometry(d, c);
    d->disk.multiple = IDE_MULTIPLE_MAX; /* also for who does not set it: fewer interrupts */
    d->disk.write_cache = d->disk.look_ahead = d->disk.smart = true;
}

/* T13/1410D, section 6.2: CHS is counted by the translation in force. */
bool ata_get_lba(const struct ide_drive *d, bool ext, uint64_t *lba)
{
    const uint8_t *r = d->reg[0], *before = d->reg[1];
    uint32_t low = (uint32_t)r[IDE_LBA_HIGH] << 16 | (uint32_t)r[IDE_LBA_MID] << 8 | r[IDE_LBA_LOW];
    uint32_t high = (uint32_t)before[IDE_LBA_HIGH] << 16 | (uint32_t)before[IDE_LBA_MID] << 8 |
                    before[IDE_LBA_LOW];
    uint32_t head = r[IDE_DEVICE] & 15, sector = r[IDE_LBA_LOW];

    *lba = low | (uint64_t)(ext ? high : head) << 24;
    if (ext || (r[IDE_DEVICE] & DEV_LBA))
        return true;
    if (!sector || sector > d->disk.per_track || head >= d->disk.heads)
        return false;
    *lba = ((uint64_t)(low >> 8) * d->disk.heads + head) * d->disk.per_track + sector - 1;
    return true;
}

void ata_set_lba(struct ide_drive *d, bool ext, uint64_t lba)
{
    uint8_t *r = d->reg[0], *before = d->reg[1];
    uint64_t low = lba & 0xffffff;
    uint32_t head = (uint32_t)(lba >> 24) & 15;

    if (!ext && !(r[IDE_DEVICE] & DEV_LBA)) {
        uint64_t track = d->disk.per_track ? lba / d->disk.per_track : 0;

        head = d->disk.heads ? (uint32_t)(track % d->disk.heads) : 0;
        low = (d->disk.heads ? track / d->disk.heads : 0) << 8 |
              (d->disk.per_track ? lba % d->disk.per_track + 1 : 1);
    }
    r[IDE_LBA_LOW] = (uint8_t)low;
    r[IDE_LBA_MID] = (uint8_t)(low >> 8);
    r[IDE_LBA_HIGH] = (uint8_t)(low >> 16);
    if (ext) {
        before[IDE_LBA_LOW] = (uint8_t)(lba >> 24);
        before[IDE_LBA_MID] = (uint8_t)(lba >> 32);
        before[IDE_LBA_HIGH] = (uint8_t)(lba >> 40);
    } else {
        r[IDE_DEVICE] = (uint8_t)((r[IDE_DEVICE] & 0xf0) | head);
    }
}

/* ---- commands without data ---- */

static void ata_nothing(struct ide_channel *ch, const struct ata_command *c)
{
    (void)c;
    ide_end(ch);
}

/* INITIALIZE DEVICE PARAMETERS (ATA-5, section 8.16): the translation that the host wants. */
static void ata_parameters(struct ide_channel *ch, const struct ata_command *c)
{
    struct ide_drive *d = ide_active(ch);

    (void)c;
    if (!d->reg[0][IDE_COUNT]) {
        ide_fail(ch, ERR_ABRT);
        return;
    }
    d->disk.heads = (uint8_t)((d->reg[0][IDE_DEVICE] & 15) + 1);
    d->disk.per_track = d->reg[0][IDE_COUNT];
    d->disk.cylinders = cylinders_of(d->disk.sectors, d->disk.heads, d->disk.per_track, UINT16_MAX);
    ide_end(ch);
}

/* SET MULTIPLE MODE (section 8.39). */
static void ata_set_multiple(struct ide_channel *ch, const struct ata_command *c)
{
    struct ide_drive *d = ide_active(ch);
    unsigned n = d->reg[0][IDE_COUNT];

    (void)c;
    if (n > IDE_MULTIPLE_MAX || (n & (n - 1))) {
        ide_fail(ch, ERR_ABRT);
        return;
    }
    d->disk.multiple = (uint8_t)n;
    ide_end(ch);
}

/* CHECK POWER MODE (section 8.6): always active. */
static void ata_power_mode(struct ide_channel *ch, const struct ata_command *c)
{
    (void)c;
    ide_active(ch)->reg[0][IDE_COUNT] = 0xff;
    ide_end(ch);
}

/* READ NATIVE MAX ADDRESS (EXT) (sections 8.32, 8.33). */
static void ata_native_max(struct ide_channel *ch, const struct ata_command *c)
{
    struct ide_drive *d = ide_active(ch);
    bool ext = c->flags & ATA_EXT;
    uint64_t n = d->disk.sectors;

    if (!ext && n > LBA28_END)
        n = LBA28_END;
    ata_set_lba(d, ext, n - 1);
    ide_end(ch);
}

void ata_seek(struct ide_channel *ch, const struct ata_command *c)
{
    struct ide_drive *d = ide_active(ch);
    uint64_t lba;

    (void)c;
    if (ata_get_lba(d, false, &lba) && lba < d->disk.sectors)
        ide_end(ch);
    else
        ide_fail(ch, ERR_IDNF);
}

static const struct ata_command commands[256] = {
    [0x06] = {ata_trim, ATA_EXT}, /* DATA SET MANAGEMENT */
    [0x10] = {ata_nothing, 0},    /* RECALIBRATE */
    [0x20] = {ata_rw, 0},         /* READ SECTOR(S) */
    [0x21] = {ata_rw, 0},
    [0x24] = {ata_rw, ATA_EXT},
    [0x25] = {ata_rw, ATA_EXT | ATA_DMA},      /* READ DMA EXT */
    [0x27] = {ata_native_max, ATA_EXT},        /* READ NATIVE MAX ADDRESS EXT */
    [0x29] = {ata_rw, ATA_EXT | ATA_MULTIPLE}, /* READ MULTIPLE EXT */
    [0x30] = {ata_rw, ATA_WRITE},              /* WRITE SECTOR(S) */
    [0x31] = {ata_rw, ATA_WRITE},
    [0x34] = {ata_rw, ATA_WRITE | ATA_EXT},
    [0x35] = {ata_rw, ATA_WRITE | ATA_EXT | ATA_DMA},           /* WRITE DMA EXT */
    [0x39] = {ata_rw, ATA_WRITE | ATA_EXT | ATA_MULTIPLE},      /* WRITE MULTIPLE EXT */
    [0x3d] = {ata_rw, ATA_WRITE | ATA_EXT | ATA_DMA | ATA_FUA}, /* WRITE DMA FUA EXT */
    [0x40] = {ata_rw, ATA_VERIFY},                              /* READ VERIFY SECTOR(S) */
    [0x41] = {ata_rw, ATA_VERIFY},
    [0x42] = {ata_rw, ATA_VERIFY | ATA_EXT},
    [0x70] = {ata_seek, 0},
    [0x91] = {ata_parameters, 0},
    [0x94] = {ata_nothing, 0}, /* STANDBY IMMEDIATE, IDLE IMMEDIATE, STANDBY, IDLE, */
    [0x95] = {ata_nothing, 0}, /* CHECK POWER MODE, SLEEP: codes of ATA-1 */
    [0x96] = {ata_nothing, 0},
    [0x97] = {ata_nothing, 0},
    [0x98] = {ata_power_mode, 0},
    [0x99] = {ata_nothing, 0},
    [0xb0] = {ata_smart, 0},
    [0xc4] = {ata_rw, ATA_MULTIPLE},
    [0xc5] = {ata_rw, ATA_WRITE | ATA_MULTIPLE},
    [0xc6] = {ata_set_multiple, 0},
    [0xc8] = {ata_rw, ATA_DMA},
    [0xc9] = {ata_rw, ATA_DMA},
    [0xca] = {ata_rw, ATA_WRITE | ATA_DMA},
    [0xcb] = {ata_rw, ATA_WRITE | ATA_DMA},
    [0xce] = {ata_rw, ATA_WRITE | ATA_EXT | ATA_MULTIPLE | ATA_FUA}, /* WRITE MULTIPLE FUA EXT */
    [0xe0] = {ata_nothing, 0}, /* STANDBY IMMEDIATE, IDLE IMMEDIATE, STANDBY, IDLE */
    [0xe1] = {ata_nothing, 0},
    [0xe2] = {ata_nothing, 0},
    [0xe3] = {ata_nothing, 0},
    [0xe5] = {ata_power_mode, 0},
    [0xe6] = {ata_nothing, 0}, /* SLEEP: a command wakes it as a reset would */
    [0xe7] = {ata_flush, 0},
    [0xea] = {ata_flush, ATA_EXT},
    [0xec] = {ata_identify, 0},
    [0xef] = {ata_set_features, 0},
    [0xf8] = {ata_native_max, 0},
};

void ata_command(struct ide_channel *ch, uint8_t code)
{
    /* RECALIBRATE has sixteen codes (ATA-3, section 7.16). */
    const struct ata_command *c = &commands[(code & 0xf0) == 0x10 ? 0x10 : code];

    if (c->run)
        c->run(ch, c);
    else
        ide_fail(ch, ERR_ABRT);
}
