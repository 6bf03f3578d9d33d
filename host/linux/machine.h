/* SPDX-License-Identifier: MIT */
/*
 * machine.h - one virtual machine of this process: RAM, CPU, board, consoles, drives and boot
 * files, wired together.
 */
#ifndef RING1_HOST_LINUX_MACHINE_H
#define RING1_HOST_LINUX_MACHINE_H

#include "boot/build.h"
#include "devices/pc.h"
#include "host/linux/block.h"
#include "host/linux/boot_files.h"
#include "host/linux/config.h"
#include "host/linux/console.h"
#include "host/linux/firmware.h"
#include "host/linux/guest_ram.h"
#include "host/linux/vm_host.h"
#include "host/linux/waker.h"
#include "monitor/cpu/vm.h"
#include "monitor/run/lockstep.h"

#define CONSOLES (MAX_SERIAL + 1) /* the last one is the debug port's */

struct machine {
    const struct config *cfg;
    struct linux_host host;
    struct guest_ram ram;
    struct vm vm;
    struct vcpu *vcpu; /* NULL until it exists; the TLB makes it big */
    struct pc *pc;
    struct machine_video *video; /* NULL: there is no graphics card, or the next has its memory */
    uint8_t *video_by_bus;       /* VGA_MEMORY bytes that no window shows; NULL: none */
    struct console console[CONSOLES];
    unsigned console_count;                /* opened so far, in the order of the array */
    struct block_drive *drive[IDE_DRIVES]; /* 2 * bus + unit; NULL: no drive there */
    struct waker waker;                    /* of the vCPU's thread, for what ends beside it */
    struct boot_files boot;
    struct firmware firmware; /* used without a kernel */
    void *interp_memory;
    uint8_t *page;   /* the kinds of the pages of RAM: vm.page */
    void *bt_memory; /* NULL: everything is interpreted */
    size_t bt_memory_size;
    void *window_memory;       /* NULL: no windows */
    struct lockstep *lockstep; /* NULL: not -exec lockstep */
    struct lockstep_config shadow;
    uint64_t exits[EXIT_COUNT]; /* how often vcpu_run() came back, by reason; for --stats */
};

/* Builds everything and puts the guest's kernel in place. The consoles are open afterwards, the
 * terminal still as it was. Returns 0, or -1 with *e; call machine_destroy() in both cases. *m is
 * zeroed memory; cfg stays the caller's. */
int machine_create(struct machine *m, const struct config *cfg, struct error *e);
void machine_destroy(struct machine *m);

/* Like the reset button (boot_start()). Returns 0, or -1 with *e. */
int machine_reset(struct machine *m, struct error *e);

/* For the signal handler of a dying process: writes out what is buffered. */
void machine_last_words(struct machine *m);
/* For a signal handler, before _exit(): removes what we made in the file system (sockets). */
void machine_abandon(struct machine *m);

#endif
