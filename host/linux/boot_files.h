/* SPDX-License-Identifier: MIT */
/*
 * boot_files.h - the files of one boot, opened and held in memory for boot/boot.h, which puts them
 * into guest RAM at each reset.
 */
#ifndef RING1_HOST_LINUX_BOOT_FILES_H
#define RING1_HOST_LINUX_BOOT_FILES_H

#include "boot/boot.h"
#include "host/linux/error.h"
#include "host/linux/file.h"

struct boot_files {
    struct boot boot; /* its images are the files' bytes */
    struct file kernel, module[BOOT_MODULES];
    char *list; /* storage of the split -initrd list */
};

/* Opens the kernel, recognises it, opens the modules. initrd and append may be NULL. Paths and
 * append are kept by reference until boot_close(). Returns 0, or -1 with *e (nothing is open then).
 */
int boot_open(struct boot_files *b, const char *kernel, const char *initrd, const char *append,
              struct error *e);
void boot_close(struct boot_files *b);

#endif
