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
 * screen.c   the guest's screen
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
    bool each; /* guests=each: every module is a guest's kernel, and they run one after the other */
    bool debugcon;               /* debugcon=on: what a guest writes to port 0xe9 comes on COM1 */
    ns_t limit;                  /* limit=SECONDS: no guest runs longer; 0: no limit */
    const struct cpu_model *cpu; /* cpu=MODEL; NULL: the default one */
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

/* When the guest's screen was looked at, and what was there. */
struct metal_screen {
    ns_t look_at, show_at; /* the next times */
    uint64_t writes;       /* to device memory */
    unsigned cursor;
};

struct metal {
    struct metal_config cfg;
    unsigned guest;     /* number of the module that is its kernel */
    uint64_t heap_next; /* bytes of HEAP (layout.h) that are given */
    struct vmm_host host;
    struct vcpu_host cpu;
    struct vm vm;
    struct vcpu *vcpu;
    struct pc *pc;
    uint64_t ram; /* physical address of the guest's RAM; NO_FRAME: it has none */
    struct boot boot;
    uint64_t direct_ticks[2]; /* of the time-stamp counter in direct code: kernel, user; count=on */
    uint64_t idle_ticks;      /* waiting for an interrupt, the guest being halted */
    struct metal_screen screen;
    struct metal_port port[METAL_PORTS];
    ns_t asked; /* the time that SERVICE_ARM was told last */
};

/* At CPL 1. Zeroed memory of whole pages, which comes as it is touched; NULL when there is no room
 * for its books. */
void *metal_alloc(struct metal *m, uint64_t size);
/* Set up the host's and the machine's parts of *m. They return 0, or -1 with a sentence in *why. */
int metal_host_init(struct metal *m, const char **why);
int metal_machine_init(struct metal *m, const char **why);
/* Runs the guest to its end. */
struct ending_verdict;
void metal_loop(struct metal *m, struct ending_verdict *d);
void metal_port_flush(struct metal_port *p);
/* Shows the guest's screen text on the machine's screen: when it is time, or now. Returns when it
 * must be called again even if the guest does nothing; NS_NEVER. */
ns_t metal_screen(struct metal *m, bool now);
/* Makes a VM without a kernel: RAM and a board. Returns 0, or -1 with a sentence in *why. */
int metal_machine_bare(struct metal *m, const char **why);
/* Prints a line to the console, by fmt.h's conversions. */
void metal_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The monitor's main function, from the loader's modules to the machine's power-off. */
_Noreturn void monitor_run(void);

#endif
