/* SPDX-License-Identifier: MIT */
/*
 * ide_channel.c - see ide.h: the task file of two drives on a cable, who of them answers, resets,
 * the interrupt line.
 *
 * Both drives get each write to the command block (T13/1410D, section 7.1). A drive that is not
 * there has registers, which its neighbour would show, and the status 00h (section 9.16.1).
 */
#include "devices/ide_priv.h"
#include "include/ring1/mem.h"

#define CMD_DEVICE_RESET 0x08u
#define CMD_DIAGNOSTIC   0x90u
#define ERR_PASSED       0x01u /* diagnostic code (section 8.9) */

static bool is_there(const struct ide_channel *ch, unsigned n)
{
    return ch->drive[n].kind != DRIVE_NONE;
}

static bool is_empty(const struct ide_channel *ch)
{
    return !is_there(ch, 0) && !is_there(ch, 1);
}

/* ---- the interrupt line ---- */

/* Sections 5.2.9 and 7.8.3: INTRQ is the selected drive's, while nIEN is 0. Its rise is seen by
 * BMISX. */
void ide_irq_update(struct ide_channel *ch)
{
    bool level = ch->drive[ch->selected].irq && !(ch->control & CTL_NIEN);

    if (level == ch->intrq)
        return;
    ch->intrq = level;
    if (level)
        ch->bmis |= BMIS_INTR;
    wire_set(&ch->irq, level);
}

void ide_irq_raise(struct ide_channel *ch)
{
    ide_active(ch)->irq = true;
    ide_irq_update(ch);
}

static void irq_clear(struct ide_channel *ch)
{
    ch->drive[ch->selected].irq = false;
    ide_irq_update(ch);
}

/* ---- resets ---- */

void ide_signature(struct ide_drive *d)
{
    bool cd = d->kind == DRIVE_CD;

    d->reg[0][IDE_COUNT] = d->reg[0][IDE_LBA_LOW] = 1;
    d->reg[0][IDE_LBA_MID] = cd ? 0x14 : 0;
    d->reg[0][IDE_LBA_HIGH] = cd ? 0xeb : 0;
}

static void drive_restart(struct ide_drive *d, unsigned n)
{
    d->irq = false;
    if (d->kind == DRIVE_NONE)
        return;
    ide_signature(d);
    d->error = ERR_PASSED;
    d->status = d->kind == DRIVE_CD ? 0 : ST_DRDY | ST_DSC;
    d->reg[0][IDE_DEVICE] = (uint8_t)(DEV_ONES | (n ? DEV_DEV : 0));
}

void ide_reset_try_end(struct ide_channel *ch)
{
    if (ch->phase == PHASE_RESET && !ch->host.pending && !(ch->control & CTL_SRST))
        ch->phase = PHASE_IDLE;
}

void ide_reset_drives(struct ide_channel *ch, unsigned drives)
{
    for (unsigned n = 0; n < 2; n++)
        if (drives >> n & 1)
            drive_restart(&ch->drive[n], n);
    if (drives >> ch->active & 1) {
        ch->host.forgotten = ch->host.pending;
        ch->job = JOB_NONE;
        ch->phase = PHASE_RESET;
        ide_reset_try_end(ch);
    }
    ide_irq_update(ch);
}

static void software_reset(struct ide_channel *ch)
{
    ch->selected = ch->active = 0;
    ide_reset_drives(ch, 3);
    ch->phase = PHASE_RESET;
}

/* Section 8.9: both drives do it, device 0 reports. */
static void diagnostic(struct ide_channel *ch)
{
    ch->selected = ch->active = 0;
    ide_reset_drives(ch, 3);
    ide_irq_raise(ch);
}

static void channel_reset(void *dev)
{
    struct ide_channel *ch = dev;

    ch->control = ch->hob = 0;
    ch->bmic = ch->bmis = 0;
    ch->bmidtp = 0;
    software_reset(ch);
    for (unsigned n = 0; n < 2; n++) {
        memset(ch->drive[n].reg[1], 0, sizeof ch->drive[n].reg[1]);
        if (ch->drive[n].kind == DRIVE_DISK)
            ata_reset(&ch->drive[n], &ch->config[n]);
        ch->drive[n].mode = 0;
        ch->drive[n].cd.key = SENSE_NONE;
        if (ch->drive[n].cd.locked && ch->config[n].block.lock)
            ch->config[n].block.lock(ch->config[n].block.opaque, false);
        ch->drive[n].cd.locked = false;
    }
    ide_reset_try_end(ch);
}

/* ---- registers ---- */

static uint8_t status(const struct ide_channel *ch)
{
    static const uint8_t of_phase[PHASES] = {
        [PHASE_IN] = ST_DRDY | ST_DSC | ST_DRQ,
        [PHASE_OUT] = ST_DRDY | ST_DSC | ST_DRQ,
        [PHASE_DMA] = ST_DRDY | ST_DSC | ST_DRQ,
        [PHASE_HOST] = ST_DRDY | ST_BSY,
        [PHASE_RESET] = ST_BSY,
    };

    if (!is_there(ch, ch->selected))
        return 0;
    if (ch->phase == PHASE_RESET || (ch->phase != PHASE_IDLE && ch->active == ch->selected))
        return of_phase[ch->phase];
    return ch->drive[ch->selected].status;
}

static uint8_t read_byte(struct ide_channel *ch, uint32_t off)
{
    const struct ide_drive *d = &ch->drive[ch->selected];
    uint8_t val;

    if (is_empty(ch))
        return 0;
    switch (off) {
    case IDE_FEATURE:
        return d->error;
    case IDE_COUNT:
    case IDE_LBA_LOW:
    case IDE_LBA_MID:
    case IDE_LBA_HIGH:
    case IDE_DEVICE:
        return d->reg[ch->hob && off != IDE_DEVICE][off];
    case IDE_COMMAND:
        val = status(ch);
        irq_clear(ch);
        return val;
    case IDE_CONTROL:
        return status(ch);
    default:
        return 0xff;
    }
}

static uint32_t channel_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct ide_channel *ch = dev;
    uint32_t val = 0;

    (void)now;
    if (!ch->decoded)
        return UINT32_MAX;
    if (off == IDE_DATA)
        return ide_data_read(ch, size);
    for (unsigned n = 0; n < size; n++)
        val |= (uint32_t)read_byte(ch, off + n) << 8 * n;
    return val;
}

static void write_register(struct ide_channel *ch, uint32_t off, uint8_t val)
{
    ch->hob = 0;
    for (unsigned n = 0; n < 2; n++) {
        struct ide_drive *d = &ch->drive[n];

        d->reg[1][off] = d->reg[0][off];
        d->reg[0][off] = val;
        if (off == IDE_DEVICE)
            d->reg[0][off] = (uint8_t)((val & ~DEV_DEV) | DEV_ONES | (val & DEV_DEV));
    }
    if (off == IDE_DEVICE) {
        ch->selected = val & DEV_DEV ? 1 : 0;
        ide_irq_update(ch);
    }
}

static void write_command(struct ide_channel *ch, uint8_t code)
{
    struct ide_drive *d = &ch->drive[ch->selected];

    ch->hob = 0;
    if (code == CMD_DEVICE_RESET && d->kind == DRIVE_CD && !(ch->control & CTL_SRST)) {
        ide_reset_drives(ch, 1u << ch->selected);
        return;
    }
    if (ch->phase != PHASE_IDLE)
        return;
    if (code == CMD_DIAGNOSTIC && !is_empty(ch)) {
        diagnostic(ch);
        return;
    }
    if (!is_there(ch, ch->selected))
        return;
    irq_clear(ch);
    ch->active = ch->selected;
    ch->ext = ch->flush_end = false;
    d->error = 0;
    if (d->kind == DRIVE_DISK)
        ata_command(ch, code);
    else
        atapi_command(ch, code);
}

static void write_control(struct ide_channel *ch, uint8_t val)
{
    uint8_t old = ch->control;

    ch->control = val & (CTL_NIEN | CTL_SRST);
    ch->hob = val & CTL_HOB ? 1 : 0;
    if (!(old & CTL_SRST) && (val & CTL_SRST))
        software_reset(ch);
    ide_reset_try_end(ch);
    ide_irq_update(ch);
}

static void write_byte(struct ide_channel *ch, uint32_t off, uint8_t val)
{
    if (off == IDE_CONTROL)
        write_control(ch, val);
    else if (off == IDE_COMMAND)
        write_command(ch, val);
    else if (off >= IDE_FEATURE && off <= IDE_DEVICE && ch->phase == PHASE_IDLE)
        write_register(ch, off, val);
}

static void channel_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct ide_channel *ch = dev;

    (void)now;
    if (!ch->decoded)
        return;
    if (off == IDE_DATA)
        ide_data_write(ch, size, val);
    else
        for (unsigned n = 0; n < size; n++)
            write_byte(ch, off + n, (uint8_t)(val >> 8 * n));
}

/* ---- snapshots ---- */

/* A state from a file fits these drives, and what the code counts on holds. */
static bool channel_loaded(void *dev, ns_t now)
{
    const struct ide_channel *ch = dev;
    const struct ide_job_ops *job = &ide_jobs[ch->job];

    (void)now;
    if (ch->host.pending)
        return false;
    for (unsigned n = 0; n < 2; n++) {
        struct ide_drive now_is = {0};

        if (ch->drive[n].kind != (uint8_t)ch->config[n].kind)
            return false;
        if (ch->drive[n].kind != DRIVE_DISK)
            continue;
        ata_init(&now_is, &ch->config[n]);
        if (ch->drive[n].disk.sectors != now_is.disk.sectors)
            return false;
    }
    if (ch->at > ch->block_end || ch->block_end > ch->filled)
        return false;
    if (ch->phase == PHASE_IDLE || ch->phase == PHASE_RESET)
        return ch->job == JOB_NONE && (ch->phase == PHASE_RESET) == !!(ch->control & CTL_SRST);
    return (job->phases >> ch->phase & 1) && is_there(ch, ch->active) &&
           (job->kind == DRIVE_NONE || job->kind == ch->drive[ch->active].kind) &&
           (job->kind != DRIVE_CD || ch->frame == CD_FRAME || ch->frame == CD_FRAME_RAW);
}

#define DRIVE_RULES(n)                                                                             \
    STATE_RULE(struct ide_channel, drive[n].kind, 0, DRIVE_CD),                                    \
        STATE_BOOL(struct ide_channel, drive[n].irq),                                              \
        STATE_RULE(struct ide_channel, drive[n].disk.heads, 0, 16),                                \
        STATE_RULE(struct ide_channel, drive[n].disk.multiple, 0, IDE_MULTIPLE_MAX),               \
        STATE_BOOL(struct ide_channel, drive[n].disk.write_cache),                                 \
        STATE_BOOL(struct ide_channel, drive[n].disk.look_ahead),                                  \
        STATE_BOOL(struct ide_channel, drive[n].disk.smart),                                       \
        STATE_RULE(struct ide_channel, drive[n].cd.key, 0, 15),                                    \
        STATE_BOOL(struct ide_channel, drive[n].cd.tray_open),                                     \
        STATE_BOOL(struct ide_channel, drive[n].cd.locked),                                        \
        STATE_BOOL(struct ide_channel, drive[n].cd.new_media),                                     \
        STATE_BOOL(struct ide_channel, drive[n].cd.eject_wanted),                                  \
        STATE_RULE(struct ide_channel, drive[n].cd.changed, 0, 2)

static const struct state_rule rules[] = {
    DRIVE_RULES(0),
    DRIVE_RULES(1),
    STATE_RULE(struct ide_channel, hob, 0, 1),
    STATE_RULE(struct ide_channel, selected, 0, 1),
    STATE_RULE(struct ide_channel, active, 0, 1),
    STATE_RULE(struct ide_channel, phase, 0, PHASES - 1),
    STATE_RULE(struct ide_channel, job, 0, JOBS - 1),
    STATE_BOOL(struct ide_channel, intrq),
    STATE_RULE(struct ide_channel, lba, 0, 1ull << 48),
    STATE_RULE(struct ide_channel, block, 0, 0xfffe),
    STATE_RULE(struct ide_channel, step, 0, UINT32_MAX),
    STATE_RULE(struct ide_channel, frame, 0, CD_FRAME_RAW),
    STATE_BOOL(struct ide_channel, ext),
    STATE_BOOL(struct ide_channel, flush_end),
    STATE_BOOL(struct ide_channel, by_dma),
    STATE_RULE(struct ide_channel, filled, 0, IDE_BUFFER),
    STATE_BOOL(struct ide_channel, prd_last),
    STATE_RULE(struct ide_channel, prd_left, 0, 0x10000),
};

const struct dev_ops ide_ops = {
    .name = "ide channel",
    .state_size = offsetof(struct ide_channel, wires_begin),
    .min_size = 1,
    .max_size = 4,
    .read = channel_read,
    .write = channel_write,
    .reset = channel_reset,
    .version = 1,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
    .loaded = channel_loaded,
};
