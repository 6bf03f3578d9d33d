/* SPDX-License-Identifier: MIT */
/*
 * monitor.h - the monitor at CPL 1: one machine for one guest, from the loader's modules to the
 * report at its end.
 *
 * Promises   The guest gets no other memory than its RAM, and no device of the real machine. What
 *            is wrong with the command line or a module is one sentence, and the machine turns off.
 * Not here   Anything privileged: the nucleus does it (nucleus/service.h).
 *
 * config.c   the command line
 * vm_host.c  struct vmm_host (include/ring1/host.h)
 * machine.c  the VM's parts
 * loop.c     running it
 * lab.c      or running micro-guests (lab.h)
 */
#ifndef RING1_HOST_METAL_MONITOR_H
#define RING1_HOST_METAL_MONITOR_H

#include "boot/boot.h"
#include "devices/pc.h"
#include "include/ring1/host.h"
#include "include/ring1/vcpu_host.h"
#include "monitor/cpu/vm.h"

struct bootinfo;

/* What the loader told; constant. */
const struct bootinfo *metal_bootinfo(void);

/* What the words of the command line (NAME=VALUE) ask for. */
struct metal_config {
    uint64_t memory;    /* of the guest, in bytes */
    bool direct_user;   /* user=direct; else user=translate */
    bool direct_kernel; /* kernel=direct; else kernel=translate */
    bool interpret;     /* exec=interpret; else exec=translate */
    uint64_t cache;     /* bytes */
    bool no_reboot;
    bool count;          /* count=on: the report says where the machine's time went */
    bool lab, lab_naive; /* lab=run, lab=naive (lab.h) */
};

/* Fills in *c from the command line. Returns a sentence about what is wrong (static), or NULL. */
const char *metal_config_read(struct metal_config *c, const char *cmdline);

#define METAL_OUT   256u
#define METAL_PORTS 2u /* serial ports of the guest */

/* What a serial port of the guest sent and the real one has not. */
struct metal_port {
    unsigned number; /* 0: COM1 */
    unsigned len;
    uint8_t out[METAL_OUT];
};

struct metal {
    struct metal_config cfg;
    struct vmm_host host;
    struct vcpu_host cpu;
    struct vm vm;
    struct vcpu *vcpu;
    struct pc *pc;
    uint64_t ram; /* physical address of the guest's RAM */
    struct boot boot;
    uint64_t direct_ticks[2]; /* of the time-stamp counter in direct code: kernel, user; count=on */
    struct metal_port port[METAL_PORTS];
    ns_t asked; /* the time that SERVICE_ARM was told last */
};

/* At CPL 1. Zeroed memory of whole pages, which comes as it is touched; NULL when there is no room
 * for its books. */
void *metal_alloc(uint64_t size);
/* Set up the host's and the machine's parts of *m. They return 0, or -1 with a sentence in *why. */
int metal_host_init(struct metal *m, const char **why);
int metal_machine_init(struct metal *m, const char **why);
/* Runs the guest to its end. */
void metal_loop(struct metal *m);
void metal_port_flush(struct metal_port *p);
/* Makes a VM without a kernel: RAM and a board. Returns 0, or -1 with a sentence in *why. */
int metal_machine_bare(struct metal *m, const char **why);
/* Prints a line to the console, by fmt.h's conversions. */
void metal_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The monitor's main function, from the loader's modules to the machine's power-off. */
_Noreturn void monitor_run(void);

#endif
