/* SPDX-License-Identifier: MIT */
/*
 * atapi.c - a CD-ROM drive (see ide.h): the PACKET protocol, and how data goes to the guest by PIO
 * with its byte count limit, or by DMA. Commands are in atapi_cmd.c.
 *
 * Source     T13/1410D, sections 8.16 (IDENTIFY PACKET DEVICE), 8.23 (PACKET), 9.8, 9.9; SFF-8020i;
 *            MMC-3.
 */
#include "devices/ide_priv.h"
#include "include/ring1/mem.h"

#define PACKET_LEN 12u
#define LIMIT_MAX  0xfffeu
#define MODEL      "RING1 CD-ROM"
#define FIRMWARE   "1.0"

/* Interrupt reason, in the count register (section 7.11). */
#define REASON_COMMAND 1u /* C/D 1, I/O 0 */
#define REASON_DATA_IN 2u
#define REASON_STATUS  3u

#define FEATURE_DMA     0x01u
#define FEATURE_OVERLAP 0x02u

/* READ CD: 12 bytes of synchronization and 4 of header lie before the user's data. */
#define RAW_HEAD   16u
#define SUBHEADERS 4u

void atapi_init(struct ide_drive *d)
{
    d->cd = (struct ide_cd){0};
}

static void reason(struct ide_channel *ch, uint8_t what)
{
    ide_active(ch)->reg[0][IDE_COUNT] = what;
}

/* ---- the end ---- */

void atapi_end(struct ide_channel *ch)
{
    reason(ch, REASON_STATUS);
    ide_end(ch);
}

void atapi_fail(struct ide_channel *ch, uint8_t key, uint16_t asc_ascq)
{
    struct ide_cd *cd = &ide_active(ch)->cd;

    cd->key = key;
    cd->asc = (uint8_t)(asc_ascq >> 8);
    cd->ascq = (uint8_t)asc_ascq;
    reason(ch, REASON_STATUS);
    ide_fail(ch, (uint8_t)(key << 4 | ERR_ABRT));
}

static void host_error(struct ide_channel *ch, int result)
{
    if (result == BACKEND_NO_MEDIUM)
        atapi_fail(ch, SENSE_NOT_READY, ASC_NO_MEDIUM);
    else if (result == BACKEND_RANGE)
        atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
    else
        atapi_fail(ch, SENSE_MEDIUM_ERROR, ASC_UNRECOVERED_READ);
}

/* ---- PIO ---- */

/* The next bytes of what is filled, at most the guest's limit; an odd limit ends only the last
 * block (section 8.23.6). */
static void offer(struct ide_channel *ch)
{
    struct ide_drive *d = ide_active(ch);
    uint32_t rest = ch->filled - ch->at;
    uint32_t n = rest <= ch->block ? rest : ch->block & ~1u;

    d->reg[0][IDE_LBA_MID] = (uint8_t)n;
    d->reg[0][IDE_LBA_HIGH] = (uint8_t)(n >> 8);
    reason(ch, REASON_DATA_IN);
    ide_offer(ch, PHASE_IN, n);
    ide_irq_raise(ch);
}

void atapi_block_reply(struct ide_channel *ch)
{
    if (ch->at < ch->filled)
        offer(ch);
    else
        atapi_end(ch);
}

void atapi_reply(struct ide_channel *ch, uint32_t len, uint32_t room)
{
    ch->at = 0;
    ch->filled = len < room ? len : room;
    if (!ch->filled) {
        atapi_end(ch);
    } else if (ch->by_dma) {
        ch->job = JOB_CD_DMA_REPLY;
        reason(ch, REASON_DATA_IN);
        ide_bm_wait(ch);
    } else if (ch->block < 2 && ch->block < ch->filled) {
        ide_fail(ch, ERR_ABRT); /* a limit that lets nothing through */
    } else {
        ch->job = JOB_CD_REPLY;
        offer(ch);
    }
}

void atapi_master_reply(struct ide_channel *ch)
{
    uint32_t n = ide_bm_copy(ch, ch->buffer, ch->filled, true);

    if (n < ch->filled) {
        ide_bm_short(ch);
        return;
    }
    ide_bm_finish(ch);
    atapi_end(ch);
}

/* ---- frames ---- */

static uint64_t place(const struct ide_channel *ch)
{
    return ch->lba * CD_FRAME;
}

/* As many frames as the buffer holds; raw ones have room around their data. */
static void read_more(struct ide_channel *ch)
{
    struct block_request *r = &ch->host.r;
    uint32_t most = IDE_BUFFER / ch->frame, n = ch->left < most ? ch->left : most;

    r->op = BLOCK_READ;
    r->offset = place(ch);
    r->len = (uint64_t)n * CD_FRAME;
    r->pieces = n;
    for (uint32_t i = 0; i < n; i++)
        r->piece[i] = (struct block_piece){
            ch->buffer + i * ch->frame + (ch->frame == CD_FRAME ? 0 : RAW_HEAD), CD_FRAME};
    ch->step = n * ch->frame;
    ch->at = ch->block_end = 0;
    ch->filled = ch->step;
    ide_submit(ch);
}

/* Mode 1: synchronization, address, mode; the error correction behind the data is zero. */
static void wrap_frames(struct ide_channel *ch)
{
    for (uint32_t i = 0; ch->frame == CD_FRAME_RAW && i < ch->step / CD_FRAME_RAW; i++) {
        uint8_t *f = ch->buffer + i * CD_FRAME_RAW;

        memset(f, 0xff, RAW_HEAD - SUBHEADERS);
        f[0] = f[11] = 0;
        atapi_put_msf(f + 12, (uint32_t)ch->lba + i);
        f[15] = 1;
        memset(f + RAW_HEAD + CD_FRAME, 0, CD_FRAME_RAW - CD_FRAME - RAW_HEAD);
    }
}

static void progress(struct ide_channel *ch)
{
    uint32_t n = ch->step / ch->frame;

    n = n < ch->left ? n : ch->left;
    ch->lba += n;
    ch->left -= n;
}

void atapi_done_read(struct ide_channel *ch, int result)
{
    if (result < 0) {
        host_error(ch, result);
        return;
    }
    wrap_frames(ch);
    offer(ch);
}

void atapi_block_read(struct ide_channel *ch)
{
    if (ch->at < ch->filled) {
        offer(ch);
        return;
    }
    progress(ch);
    if (ch->left)
        read_more(ch);
    else
        atapi_end(ch);
}

void atapi_master_read(struct ide_channel *ch)
{
    uint32_t most = UINT32_MAX / CD_FRAME, n = ch->left < most ? ch->left : most;

    if (ch->frame == CD_FRAME)
        ide_bm_submit(ch, BLOCK_READ, place(ch), n * CD_FRAME, CD_FRAME);
    else
        read_more(ch);
}

void atapi_done_dma(struct ide_channel *ch, int result)
{
    bool raw = ch->frame != CD_FRAME, fits = raw || ide_bm_complete(ch);

    if (result < 0) {
        ide_bm_finish(ch);
        host_error(ch, result);
        return;
    }
    wrap_frames(ch);
    if (raw)
        fits = ide_bm_copy(ch, ch->buffer, ch->step, true) == ch->step;
    progress(ch);
    if (!fits) {
        ide_bm_short(ch);
    } else if (ch->left) {
        ide_bm_wait(ch);
    } else {
        ide_bm_finish(ch);
        atapi_end(ch);
    }
}

void atapi_read(struct ide_channel *ch)
{
    if (!ch->left) {
        atapi_end(ch);
    } else if (ch->by_dma) {
        ch->job = JOB_CD_DMA_READ;
        reason(ch, REASON_DATA_IN);
        ide_bm_wait(ch);
    } else if (ch->block < 2) {
        ide_fail(ch, ERR_ABRT);
    } else {
        ch->job = JOB_CD_READ;
        read_more(ch);
    }
}

/* ---- commands of the task file ---- */

void atapi_identify(struct ide_channel *ch)
{
    static const struct {
        uint8_t word;
        uint16_t value;
    } fixed_words[] = {
        {0, 0x85c0},  /* CD-ROM, removable, DRQ within 50 us, packets of 12 bytes */
        {49, 0x0f00}, /* LBA, DMA, IORDY */
        {53, 7},      {64, 3},      {65, 120},    {66, 120},
        {67, 120},    {68, 120},    {80, 0x0070}, /* ATA/ATAPI-4 to 6 */
        {81, 0x0019}, {82, 0x0210},               /* PACKET, DEVICE RESET */
        {83, 0x4000}, {84, 0x4000}, {85, 0x0210}, {87, 0x4000},
    };
    const char *model = ch->config[ch->active].model;
    uint8_t *data = ch->buffer;

    memset(data, 0, IDE_SECTOR);
    for (unsigned n = 0; n < ARRAY_LEN(fixed_words); n++)
        ata_put_word(data, fixed_words[n].word, fixed_words[n].value);
    ata_put_serial(ch, data);
    ata_put_string(data + 46, FIRMWARE, 8);
    ata_put_string(data + 54, model ? model : MODEL, DRIVE_MODEL_MAX);
    ata_put_modes(data, ide_active(ch)->mode);
    ata_put_reset_result(ch, data);
    ata_reply(ch);
}

static void packet_command(struct ide_channel *ch)
{
    const struct ide_drive *d = ide_active(ch);
    uint8_t feature = d->reg[0][IDE_FEATURE];
    uint32_t limit = (uint32_t)d->reg[0][IDE_LBA_HIGH] << 8 | d->reg[0][IDE_LBA_MID];

    if (feature & FEATURE_OVERLAP) {
        ide_fail(ch, ERR_ABRT);
        return;
    }
    ch->by_dma = feature & FEATURE_DMA;
    ch->block = limit < LIMIT_MAX ? limit : LIMIT_MAX;
    ch->at = 0;
    ch->frame = CD_FRAME;
    ch->job = JOB_PACKET;
    reason(ch, REASON_COMMAND);
    ide_offer(ch, PHASE_OUT, PACKET_LEN);
}

void atapi_block_packet(struct ide_channel *ch)
{
    atapi_packet(ch);
}

/* Section 9.12: a disk's commands are aborted, with the signature for IDENTIFY DEVICE and READ
 * SECTOR(S). */
void atapi_command(struct ide_channel *ch, uint8_t code)
{
    struct ide_drive *d = ide_active(ch);
    bool mode;

    switch (code) {
    case 0xa0:
        packet_command(ch);
        break;
    case 0xa1:
        atapi_identify(ch);
        break;
    case 0xef: /* SET FEATURES: transfer mode; settings that outlive a reset */
        mode = d->reg[0][IDE_FEATURE] == 0x03 && ata_mode_known(d->reg[0][IDE_COUNT]);
        if (mode)
            d->mode = d->reg[0][IDE_COUNT];
        if (mode || d->reg[0][IDE_FEATURE] == 0x66 || d->reg[0][IDE_FEATURE] == 0xcc)
            ide_end(ch);
        else
            ide_fail(ch, ERR_ABRT);
        break;
    case 0xe0: /* STANDBY IMMEDIATE, IDLE IMMEDIATE, SLEEP, FLUSH CACHE */
    case 0xe1:
    case 0xe6:
    case 0xe7:
        ide_end(ch);
        break;
    case 0xe5: /* CHECK POWER MODE */
        d->reg[0][IDE_COUNT] = 0xff;
        ide_end(ch);
        break;
    case 0x20:
    case 0xec:
        ide_signature(d);
        ide_fail(ch, ERR_ABRT);
        break;
    default:
        ide_fail(ch, ERR_ABRT);
    }
}
