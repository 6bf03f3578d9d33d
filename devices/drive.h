/* SPDX-License-Identifier: MIT */
/* drive.h - what a board is told of a drive that hangs on its IDE cables. */
#ifndef RING1_DEVICES_DRIVE_H
#define RING1_DEVICES_DRIVE_H

#include "devices/backend.h"

#define DRIVE_SERIAL_MAX 20u
#define DRIVE_MODEL_MAX  40u

enum drive_kind { DRIVE_NONE, DRIVE_DISK, DRIVE_CD };

struct pc_drive {
    enum drive_kind kind;
    struct blockdev block; /* its medium; a disk's has one size for ever */
    /* ASCII, at most DRIVE_*_MAX characters count; live as long as the board. NULL: a default. */
    const char *serial, *model;
    /* The geometry that a disk names as its own; cylinders 0: 16 heads, 63 sectors. Otherwise at
     * most 16383 cylinders, 16 heads, 255 sectors, each at least 1. */
    uint16_t cylinders;
    uint8_t heads, sectors;
};

#endif
