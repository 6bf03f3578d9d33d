/* SPDX-License-Identifier: MIT */
/*
 * ide.h - function 1 of the 82371SB (8086:7010): two IDE channels with bus-master DMA, and the
 * drives on their cables.
 *
 * Files      piix3_ide.c: the PCI function. ide_bm.c: bus-master registers, PRD tables.
 *            ide_channel.c: task file, selection, reset, interrupt. ide_transfer.c: who waits for
 *            whom. ata*.c: a disk. atapi*.c: a CD-ROM drive. ide_priv.h is theirs.
 * Promises   No drive waits for the host: its channel is busy (BSY) until the back end's completion
 *            comes. Each call does a bounded amount of work, whatever the guest wrote: at most one
 *            buffer of IDE_BUFFER bytes is copied, and one table entry read per two bytes of it.
 * Deviations A channel without drives reads as zeroes, as QEMU's does; real ones float. The channel
 *            runs one command at a time, and takes no register writes while BSY or DRQ is set,
 *            but for Device Control and DEVICE RESET. Overlap and queuing are not announced.
 * Windows    ide_ops: 0x1f0-0x1f7 or 0x170-0x177 -> offset 0-7, 0x3f6 or 0x376 -> offset 8.
 * Source     Intel 82371FB/82371SB data sheet 290550-002, sections 2.3 and 2.7; T13/1410D (ATA/
 *            ATAPI-6); Programming Interface for Bus Master IDE Controller 1.0.
 */
#ifndef RING1_DEVICES_IDE_H
#define RING1_DEVICES_IDE_H

#include "devices/dma.h"
#include "devices/drive.h"
#include "devices/pci.h"

#define IDE_SECTOR       512u
#define IDE_MULTIPLE_MAX 16u
#define IDE_BUFFER       (IDE_MULTIPLE_MAX * IDE_SECTOR)

#define PIIX3_IDETIM    0x40  /* two words, one a channel */
#define PIIX3_IDETIM_ON 0x80u /* in a word's upper byte: the channel's ports are decoded */

/* Registers of the command block (T13/1410D, section 7). */
enum ide_reg {
    IDE_DATA,
    IDE_FEATURE, /* read: error */
    IDE_COUNT,   /* packet commands: interrupt reason */
    IDE_LBA_LOW,
    IDE_LBA_MID,
    IDE_LBA_HIGH,
    IDE_DEVICE,
    IDE_COMMAND, /* read: status */
    IDE_CONTROL, /* read: alternate status */
};

struct ide_disk {
    uint64_t sectors;         /* capacity */
    uint8_t heads, per_track; /* of the translation in force */
    uint16_t cylinders;
    uint8_t multiple; /* sectors of a block of READ MULTIPLE, 0: off */
    bool write_cache, look_ahead, smart;
};

struct ide_cd {
    uint8_t key, asc, ascq; /* what REQUEST SENSE will say */
    bool tray_open, locked;
    uint8_t changed; /* 1: the guest shall see an empty drive first, 2: then a new medium */
    bool new_media, eject_wanted; /* events */
};

struct ide_drive {
    uint8_t kind;      /* enum drive_kind */
    uint8_t status;    /* when its channel does nothing for it */
    uint8_t error;     /* the error register */
    uint8_t reg[2][8]; /* [0]: what was written last, [1]: before that (HOB) */
    uint8_t mode;      /* transfer mode, as SET FEATURES got it */
    bool irq;          /* INTRQ is pending */
    struct ide_disk disk;
    struct ide_cd cd;
};

/* One channel: its two drives share the data buffer, of which one command at a time makes use. */
struct ide_channel {
    struct ide_drive drive[2];
    uint8_t control;  /* Device Control, without HOB */
    uint8_t hob;      /* read the previous contents */
    uint8_t selected; /* drive whose registers answer */
    uint8_t active;   /* drive that executes a command */
    uint8_t phase;    /* enum ide_phase */
    uint8_t job;      /* enum ide_job */
    bool intrq;       /* level of the channel's interrupt line */

    /* The command: */
    uint64_t lba;        /* the next sector, or frame of a CD */
    uint32_t left;       /* sectors or frames to go */
    uint32_t block;      /* PIO: most bytes of one DRQ */
    uint32_t step;       /* bytes of the request or the buffer's run at work */
    uint16_t frame;      /* CD: bytes of a frame to the guest */
    bool ext, flush_end; /* 48-bit registers; what was written goes to stable storage */
    bool by_dma;         /* the packet's data */
    /* The buffer: [at, block_end) is what DRQ offers, [at, filled) what there is. */
    uint32_t at, block_end, filled;

    /* Bus master: */
    uint8_t bmic, bmis;
    uint32_t bmidtp;
    uint32_t prd_next; /* address of the next table entry */
    uint32_t prd_at, prd_left;
    bool prd_last; /* prd_at, prd_left are of the last entry */

    uint8_t buffer[IDE_BUFFER];

    char wires_begin[1];
    bool decoded, master; /* as the PCI function's registers say */
    const struct dma *dma;
    struct completion_queue *queue;
    struct pc_drive config[2];
    struct ide_door {
        struct ide_channel *channel;
        unsigned n;
    } door[2];      /* a sink's opaque */
    uint8_t number; /* 0: primary, 1: secondary */
    struct wire irq;
    /* The request in the back end's hands, which outlives resets. */
    struct {
        bool pending;
        bool forgotten; /* by a reset: nobody wants to know how it ended */
        bool bounced;   /* through the buffer, for the guest's table */
        struct block_request r;
        struct dma_map map[BLOCK_PIECES];
        unsigned maps;
    } host;
};

struct ide {
    struct pci_cfg cfg;
    char wires_begin[1];
    struct pci_fn fn;
    struct dma dma;
    struct ide_channel *channel; /* two */
};

/* A channel is a chip for the ports, the function is one for PCI. */
extern const struct dev_ops ide_function_ops, ide_ops, ide_bm_ops;

/* Wires them: drive[n] is on channel n / 2, its device n % 2. 0, or -1: a drive has a geometry or a
 * size that cannot be. Call it before the first reset. */
int ide_init(struct ide *d, struct ide_channel channel[2], const struct pc_drive drive[4],
             const struct dma *dma, struct completion_queue *q, const struct wire irq[2]);
/* What firmware leaves: both channels decoded, bus mastering on, BMIBA at `base`. */
void ide_firmware_setup(struct ide *d, uint16_t base);
/* Device n's door for the host, n 0 or 1: for a CD-ROM drive. Calls for others do nothing. */
struct blockdev_sink ide_sink(struct ide_channel *ch, unsigned n);
/* Will a completion come, and may it raise the interrupt line? */
bool ide_waits(const struct ide_channel *ch);

#endif
