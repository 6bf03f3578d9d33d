/* SPDX-License-Identifier: MIT */
/*
 * firmware.h - the BIOS and the graphics card's BIOS: other people's programs (SeaBIOS), found in
 * files when the machine is made.
 *
 * Promises   The ROM ends at 4 GiB, where the CPU starts, and its last 128 KiB are seen below 1 MiB
 *            too, as PAM shows them (devices/i440fx.h). The card's BIOS is a file of fw_cfg.
 * Search     A name with a slash is a path. Other names are looked for in the -L directories, in
 *            their order, then where Debian's packages put them.
 * Not here   What the board does for firmware (devices/pc_tables.c).
 */
#ifndef RING1_HOST_LINUX_FIRMWARE_H
#define RING1_HOST_LINUX_FIRMWARE_H

#include "devices/pc.h"
#include "host/linux/config.h"
#include "host/linux/file.h"
#include "host/linux/guest_ram.h"
#include "monitor/memory/region.h"

#define FIRMWARE_FILES 1u

struct firmware {
    struct file bios, vga;
    char bios_path[4096], vga_path[4096];
    struct pc_file file[FIRMWARE_FILES];
    unsigned file_count;
    struct region rom[2], twin[2]; /* twin: lockstep's */
    uint8_t *page[4];
};

/* Finds and reads the files. 0, or -1 with *e. *f is zeroed; firmware_close() in both cases. */
int firmware_open(struct firmware *f, const struct config *cfg, struct error *e);

/* The ROMs are memory of *vm, and where they belong. After the RAM exists, before the VM runs. 0,
 * or -1 with *e. */
int firmware_place(struct firmware *f, struct guest_ram *ram, struct vm *vm, struct error *e);

void firmware_close(struct firmware *f);

#endif
