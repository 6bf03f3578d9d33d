/* SPDX-License-Identifier: MIT */
/* ide_priv.h - what the files of the IDE function know of each other; see ide.h. */
#ifndef RING1_DEVICES_IDE_PRIV_H
#define RING1_DEVICES_IDE_PRIV_H

#include "devices/ide.h"

/* Status (T13/1410D, section 7.15). */
#define ST_ERR  0x01u
#define ST_DRQ  0x08u
#define ST_DSC  0x10u
#define ST_DF   0x20u
#define ST_DRDY 0x40u
#define ST_BSY  0x80u

/* Error (section 7.9). */
#define ERR_ABRT 0x04u
#define ERR_IDNF 0x10u
#define ERR_UNC  0x40u

/* Device Control (section 7.8), Device (section 7.7). */
#define CTL_NIEN 0x02u
#define CTL_SRST 0x04u
#define CTL_HOB  0x80u
#define DEV_LBA  0x40u
#define DEV_DEV  0x10u
#define DEV_ONES 0xa0u /* obsolete bits: always set */

/* BMICX, BMISX (82371SB, section 2.7). */
#define BMIC_SSBM    0x01u
#define BMIC_RWCON   0x08u
#define BMIS_ACTIVE  0x01u
#define BMIS_ERROR   0x02u
#define BMIS_INTR    0x04u
#define BMIS_CAPABLE 0x60u

/* What the channel waits for. */
enum ide_phase {
    PHASE_IDLE,  /* a command */
    PHASE_IN,    /* the guest, to take the buffer's block: DRQ */
    PHASE_OUT,   /* the guest, to fill the buffer's block: DRQ */
    PHASE_DMA,   /* the guest, to start the bus master: DRQ */
    PHASE_HOST,  /* the back end: BSY */
    PHASE_RESET, /* the end of SRST, or of a request that a reset forgot: BSY */
    PHASES
};

/* What goes on when that came; a row each in ide_transfer.c. */
enum ide_job {
    JOB_NONE,
    JOB_REPLY, /* the buffer is all there is, and the command ends without an interrupt */
    JOB_ATA_READ,
    JOB_ATA_WRITE,
    JOB_ATA_DMA_READ,
    JOB_ATA_DMA_WRITE,
    JOB_ATA_VERIFY,
    JOB_ATA_FLUSH,
    JOB_ATA_TRIM, /* first its list by DMA, then each range of it */
    JOB_PACKET,   /* a command packet */
    JOB_CD_REPLY,
    JOB_CD_DMA_REPLY,
    JOB_CD_READ,
    JOB_CD_DMA_READ,
    JOBS
};

struct ide_job_ops {
    uint8_t kind;   /* enum drive_kind of its drive; DRIVE_NONE: any */
    uint8_t phases; /* bits 1 << enum ide_phase that it may be in, but for PHASE_HOST */
    /* The guest took or filled the block; the bus master runs; the back end's result came. */
    void (*block)(struct ide_channel *ch);
    void (*master)(struct ide_channel *ch);
    void (*done)(struct ide_channel *ch, int result);
};
extern const struct ide_job_ops ide_jobs[JOBS];

static inline struct ide_drive *ide_active(struct ide_channel *ch)
{
    return &ch->drive[ch->active];
}
static inline const struct blockdev *ide_back(const struct ide_channel *ch)
{
    return &ch->config[ch->active].block;
}

/* ---- ide_channel.c ---- */
/* Drives the interrupt line to what drives and registers say. */
void ide_irq_update(struct ide_channel *ch);
void ide_irq_raise(struct ide_channel *ch);
/* The active drive's registers after a reset say what it is (T13/1410D, section 9.12). */
void ide_signature(struct ide_drive *d);
/* Forgets the command; a drive that is reset by DEVICE RESET, or both: drives is a mask. Ends at
 * once unless a request is still at the back end, or SRST set. */
void ide_reset_drives(struct ide_channel *ch, unsigned drives);
void ide_reset_try_end(struct ide_channel *ch);

/* ---- ide_transfer.c ---- */
/* The command ends: with an interrupt; with an error and one; without a word. */
void ide_end(struct ide_channel *ch);
void ide_fail(struct ide_channel *ch, uint8_t error);
void ide_end_quietly(struct ide_channel *ch);
/* Offers the next block of what is filled, or waits for one to be; the caller raises INTRQ. */
void ide_offer(struct ide_channel *ch, enum ide_phase phase, uint32_t len);
/* Requests with the buffer's first bytes (READ, WRITE), or without any (FLUSH, DISCARD). */
void ide_submit_buffer(struct ide_channel *ch, enum block_op op, uint64_t offset, uint32_t len);
void ide_submit_range(struct ide_channel *ch, enum block_op op, uint64_t offset, uint64_t len);
/* Hands ch->host.r to the back end. */
void ide_submit(struct ide_channel *ch);
uint32_t ide_data_read(struct ide_channel *ch, unsigned size);
void ide_data_write(struct ide_channel *ch, unsigned size, uint32_t val);

/* ---- ide_bm.c ---- */
/* The channel wants the bus master now, or when the guest starts it. */
void ide_bm_wait(struct ide_channel *ch);
/* PCI's bus master bit or BMIC changed. */
void ide_bm_run(struct ide_channel *ch);
/* A request of at most `want` bytes, a multiple of `unit`, between medium and the guest's table.
 * Returns how many, 0: the table has no room for a unit, ide_bm_short() said so. */
uint32_t ide_bm_submit(struct ide_channel *ch, enum block_op op, uint64_t offset, uint32_t want,
                       uint32_t unit);
/* It has ended: bytes are in the guest's memory. False: the table was too short. */
bool ide_bm_complete(struct ide_channel *ch);
/* Copies between the buffer and the guest's table. Returns how many bytes there was room for. */
uint32_t ide_bm_copy(struct ide_channel *ch, uint8_t *bytes, uint32_t len, bool to_guest);
/* The drive has no more to transfer. */
void ide_bm_finish(struct ide_channel *ch);
/* The table ended before the drive's data: the command ends without an interrupt. */
void ide_bm_short(struct ide_channel *ch);
/* Lets go of the guest's memory, whatever became of the request. */
void ide_bm_drop(struct ide_channel *ch);

/* ---- ata.c, ata_rw.c, ata_identify.c ---- */
void ata_init(struct ide_drive *d, const struct pc_drive *c);
void ata_reset(struct ide_drive *d, const struct pc_drive *c);
void ata_command(struct ide_channel *ch, uint8_t code);
/* What its own geometry is. */
void ata_geometry(struct ide_drive *d, const struct pc_drive *c);

struct ata_command {
    void (*run)(struct ide_channel *ch, const struct ata_command *c);
    uint8_t flags; /* ATA_* */
};
#define ATA_EXT      0x01u /* 48-bit registers */
#define ATA_MULTIPLE 0x02u
#define ATA_WRITE    0x04u
#define ATA_DMA      0x08u
#define ATA_FUA      0x10u
#define ATA_VERIFY   0x20u

void ata_identify(struct ide_channel *ch, const struct ata_command *c);
void ata_set_features(struct ide_channel *ch, const struct ata_command *c);
void ata_smart(struct ide_channel *ch, const struct ata_command *c);
void ata_rw(struct ide_channel *ch, const struct ata_command *c);
void ata_seek(struct ide_channel *ch, const struct ata_command *c);
void ata_flush(struct ide_channel *ch, const struct ata_command *c);
void ata_trim(struct ide_channel *ch, const struct ata_command *c);
/* Reads or writes the sector address in the registers. False: no sector can have it (CHS). */
bool ata_get_lba(const struct ide_drive *d, bool ext, uint64_t *lba);
void ata_set_lba(struct ide_drive *d, bool ext, uint64_t lba);
/* IDENTIFY's strings: bytes swapped in each word, spaces behind. */
void ata_put_string(uint8_t *to, const char *from, unsigned len);
/* Words 10-19; word 93: jumpers, the cable, and that device 0 answers for device 1 if there is
 * none. */
void ata_put_serial(const struct ide_channel *ch, uint8_t *data);
void ata_put_reset_result(const struct ide_channel *ch, uint8_t *data);
static inline void ata_put_word(uint8_t *data, unsigned word, uint32_t value)
{
    data[2 * word] = (uint8_t)value;
    data[2 * word + 1] = (uint8_t)(value >> 8);
}
/* Is it a transfer mode (SET FEATURES, subcommand 3)? */
bool ata_mode_known(uint8_t mode);
/* Words 62, 63, 88: modes supported and selected. */
void ata_put_modes(uint8_t *data, uint8_t mode);
/* What 512 bytes of a reply the guest takes without an interrupt behind. */
void ata_reply(struct ide_channel *ch);

void ata_block_read(struct ide_channel *ch);
void ata_done_read(struct ide_channel *ch, int result);
void ata_block_write(struct ide_channel *ch);
void ata_done_write(struct ide_channel *ch, int result);
void ata_master_rw(struct ide_channel *ch);
void ata_done_dma(struct ide_channel *ch, int result);
void ata_done_verify(struct ide_channel *ch, int result);
void ata_done_flush(struct ide_channel *ch, int result);
void ata_master_trim(struct ide_channel *ch);
void ata_done_trim(struct ide_channel *ch, int result);

/* ---- atapi.c, atapi_cmd.c, atapi_toc.c ---- */
#define CD_FRAME     2048u
#define CD_FRAME_RAW 2352u

void atapi_init(struct ide_drive *d);
/* IDENTIFY PACKET DEVICE. */
void atapi_identify(struct ide_channel *ch);
void atapi_command(struct ide_channel *ch, uint8_t code);
/* The packet that is in the buffer. */
void atapi_packet(struct ide_channel *ch);
/* Ends a packet command well, or with a sense key and code. */
void atapi_end(struct ide_channel *ch);
void atapi_fail(struct ide_channel *ch, uint8_t key, uint16_t asc_ascq);
/* Sends the buffer's first `len` bytes, or `room` if that is less. */
void atapi_reply(struct ide_channel *ch, uint32_t len, uint32_t room);
/* Sends frames from ch->lba on, ch->left of them, ch->frame bytes each. */
void atapi_read(struct ide_channel *ch);
/* Frames of the medium that is in, 0: none, or the tray is open. */
uint32_t atapi_frames(const struct ide_channel *ch);
void atapi_read_toc(struct ide_channel *ch, const uint8_t *packet);
void atapi_read_disc_information(struct ide_channel *ch, const uint8_t *packet);
void atapi_put_msf(uint8_t *to, uint32_t lba);
void atapi_put_be(uint8_t *to, uint32_t value, unsigned bytes);
uint32_t atapi_get_be(const uint8_t *from, unsigned bytes);

void atapi_block_packet(struct ide_channel *ch);
void atapi_block_reply(struct ide_channel *ch);
void atapi_master_reply(struct ide_channel *ch);
void atapi_block_read(struct ide_channel *ch);
void atapi_done_read(struct ide_channel *ch, int result);
void atapi_master_read(struct ide_channel *ch);
void atapi_done_dma(struct ide_channel *ch, int result);

#define SENSE_NONE            0x0u
#define SENSE_NOT_READY       0x2u
#define SENSE_MEDIUM_ERROR    0x3u
#define SENSE_ILLEGAL_REQUEST 0x5u
#define SENSE_UNIT_ATTENTION  0x6u

#define ASC_UNRECOVERED_READ  0x1100u
#define ASC_INVALID_COMMAND   0x2000u
#define ASC_LBA_OUT_OF_RANGE  0x2100u
#define ASC_INVALID_FIELD     0x2400u
#define ASC_MEDIUM_CHANGED    0x2800u
#define ASC_NOT_SAVED         0x3900u
#define ASC_NO_MEDIUM         0x3a00u
#define ASC_NO_MEDIUM_CLOSED  0x3a01u
#define ASC_NO_MEDIUM_OPEN    0x3a02u
#define ASC_REMOVAL_PREVENTED 0x5302u

#endif
