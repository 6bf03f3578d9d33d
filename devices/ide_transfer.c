/* SPDX-License-Identifier: MIT */
/*
 * ide_transfer.c - see ide.h: who waits for whom, and what goes on then. A command is a job: it
 * waits for the guest (its data, its bus master) or for the back end, and each arrival calls a
 * function of its row.
 */
#include "devices/ide_priv.h"
#include "include/ring1/mem.h"

#define IN(phase) (1u << (phase))

const struct ide_job_ops ide_jobs[JOBS] = {
    [JOB_REPLY] = {DRIVE_NONE, IN(PHASE_IN), .block = ide_end_quietly},
    [JOB_ATA_READ] = {DRIVE_DISK, IN(PHASE_IN), .block = ata_block_read, .done = ata_done_read},
    [JOB_ATA_WRITE] = {DRIVE_DISK, IN(PHASE_OUT), .block = ata_block_write, .done = ata_done_write},
    [JOB_ATA_DMA_READ] = {DRIVE_DISK, IN(PHASE_DMA), .master = ata_master_rw, .done = ata_done_dma},
    [JOB_ATA_DMA_WRITE] = {DRIVE_DISK, IN(PHASE_DMA), .master = ata_master_rw,
                           .done = ata_done_dma},
    [JOB_ATA_VERIFY] = {DRIVE_DISK, 0, .done = ata_done_verify},
    [JOB_ATA_FLUSH] = {DRIVE_DISK, 0, .done = ata_done_flush},
    [JOB_ATA_TRIM] = {DRIVE_DISK, IN(PHASE_DMA), .master = ata_master_trim, .done = ata_done_trim},
    [JOB_PACKET] = {DRIVE_CD, IN(PHASE_OUT), .block = atapi_block_packet},
    [JOB_CD_REPLY] = {DRIVE_CD, IN(PHASE_IN), .block = atapi_block_reply},
    [JOB_CD_DMA_REPLY] = {DRIVE_CD, IN(PHASE_DMA), .master = atapi_master_reply},
    [JOB_CD_READ] = {DRIVE_CD, IN(PHASE_IN), .block = atapi_block_read, .done = atapi_done_read},
    [JOB_CD_DMA_READ] = {DRIVE_CD, IN(PHASE_DMA), .master = atapi_master_read,
                         .done = atapi_done_dma},
};

/* ---- the end of a command ---- */

static void end_with(struct ide_channel *ch, uint8_t bits)
{
    ide_active(ch)->status = ST_DRDY | ST_DSC | bits;
    ch->job = JOB_NONE;
    ch->phase = PHASE_IDLE;
}

void ide_end_quietly(struct ide_channel *ch)
{
    end_with(ch, 0);
}

void ide_end(struct ide_channel *ch)
{
    end_with(ch, 0);
    ide_irq_raise(ch);
}

void ide_fail(struct ide_channel *ch, uint8_t error)
{
    ide_active(ch)->error = error;
    end_with(ch, ST_ERR);
    ide_irq_raise(ch);
}

/* ---- the data register ---- */

void ide_offer(struct ide_channel *ch, enum ide_phase phase, uint32_t len)
{
    ch->phase = (uint8_t)phase;
    ch->block_end = len < IDE_BUFFER - ch->at ? ch->at + len : IDE_BUFFER;
    if (phase == PHASE_OUT)
        ch->filled = ch->block_end;
    else if (ch->block_end > ch->filled)
        ch->block_end = ch->filled;
}

/* How many bytes of an access the block still has; 0: it is none of the guest's business now. */
static uint32_t share(const struct ide_channel *ch, enum ide_phase phase, unsigned size)
{
    if (ch->phase != phase || ch->selected != ch->active)
        return 0;
    return ch->block_end - ch->at < size ? ch->block_end - ch->at : size;
}

uint32_t ide_data_read(struct ide_channel *ch, unsigned size)
{
    uint32_t val = 0, n = share(ch, PHASE_IN, size);

    memcpy(&val, ch->buffer + ch->at, n);
    ch->at += n;
    if (n && ch->at == ch->block_end)
        ide_jobs[ch->job].block(ch);
    return val;
}

void ide_data_write(struct ide_channel *ch, unsigned size, uint32_t val)
{
    uint32_t n = share(ch, PHASE_OUT, size);

    memcpy(ch->buffer + ch->at, &val, n);
    ch->at += n;
    if (n && ch->at == ch->block_end)
        ide_jobs[ch->job].block(ch);
}

/* ---- the back end ---- */

static void host_done(void *opaque, int result, ns_t now)
{
    struct ide_channel *ch = opaque;

    (void)now;
    ch->host.pending = false;
    if (ch->host.forgotten) {
        ch->host.forgotten = false;
        ide_bm_drop(ch);
        ide_reset_try_end(ch);
        return;
    }
    ide_jobs[ch->job].done(ch, result);
}

bool ide_waits(const struct ide_channel *ch)
{
    return ch->host.pending;
}

void ide_submit(struct ide_channel *ch)
{
    struct block_request *r = &ch->host.r;

    r->completion = (struct completion){.done = host_done, .opaque = ch};
    ch->host.pending = true;
    ch->phase = PHASE_HOST;
    blockdev_submit(ide_back(ch), ch->queue, r);
}

void ide_submit_range(struct ide_channel *ch, enum block_op op, uint64_t offset, uint64_t len)
{
    struct block_request *r = &ch->host.r;

    r->op = op;
    r->offset = offset;
    r->len = len;
    r->pieces = 0;
    ide_submit(ch);
}

void ide_submit_buffer(struct ide_channel *ch, enum block_op op, uint64_t offset, uint32_t len)
{
    struct block_request *r = &ch->host.r;

    r->op = op;
    r->offset = offset;
    r->len = len;
    r->pieces = 1;
    r->piece[0] = (struct block_piece){ch->buffer, len};
    ch->step = len;
    ch->at = ch->block_end = 0;
    ch->filled = len;
    ide_submit(ch);
}
