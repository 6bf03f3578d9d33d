/* SPDX-License-Identifier: MIT */
/*
 * lockstep.h - a second, interpreted copy of the guest that follows the translated one block by
 * block (-exec lockstep), until they differ.
 *
 * Guests     The real one (vm, its CPU) runs translated and has the devices. The shadow has RAM,
 *            CPU and interpreter of its own and no devices: what the real one read from
 *            memory-mapped devices and ports is handed to it in the same order, what it writes
 *            there is compared with what the real one wrote. Interrupts and exceptions that the run
 *            loop delivers are delivered to both.
 * Time       Guest time is counted in executed instructions, LOCKSTEP_INSN_NS each, and accesses to
 *            devices, LOCKSTEP_ACCESS_NS each; it stands still during a block, and a halted guest's
 *            jumps to its next deadline. TSC and timers go by it, so the guest does as much
 *            between two ticks as on a CPU of that speed, however long the comparison takes.
 * Repeats    The same guest with the same options runs the same way each time: time as above,
 *            RDRAND's numbers from a fixed sequence, no host timer. What still differs is what
 *            comes from outside: input, and the date that the CMOS clock starts with (-rtc base=).
 * Compared   After each block all registers; x87 and SSE ones only if the shadow used them, and
 *            every few thousand blocks; RAM when as many blocks have run as make its size small
 *            beside them; everything at a reset and at the end.
 * Walks      What page walks and fetches read from devices is no part of that order: how often they
 *            do depends on TLBs and caches, which are not the same. The shadow's find what the real
 *            one's found there in the same block, or else what is there now; A and D bits are only
 *            written by the real one.
 * Not here   Memory for the shadow (host/linux/lockstep.c); run.c and exception.c call in.
 */
#ifndef RING1_MONITOR_RUN_LOCKSTEP_H
#define RING1_MONITOR_RUN_LOCKSTEP_H

#include "bt/run/bt.h"
#include "monitor/arch/exception.h"
#include "monitor/cpu/vm.h"

#define LOCKSTEP_LOG      65536u
#define LOCKSTEP_IMPLICIT 64u
#define LOCKSTEP_DMA                                                                               \
    65536u /* bytes that devices write during a block; more, and nothing of it is compared */
#define LOCKSTEP_INSN_NS   5u
#define LOCKSTEP_ACCESS_NS 1000u /* as long as ISA ports take: loops that poll them count on it */
#define LOCKSTEP_TSC_KHZ   1000000u /* the host's own would differ from run to run */

enum lockstep_kind {
    LOG_MEM_READ,
    LOG_MEM_WRITE,
    LOG_PORT_READ,
    LOG_PORT_WRITE,
    LOG_RANDOM,
    LOG_A20,  /* val: on */
    LOG_KIND, /* vm_set_page_kind(): addr, val: length, size: PAGE_* */
    /* vm_region_place(), of a view vm_region_show(): addr: base, size: which, val: off */
    LOG_REGION,
    /* A device wrote to its region: addr: offset, val: length, size: which; bytes as LOG_DMA. */
    LOG_WRITTEN,
    LOG_DMA, /* a device wrote to RAM: addr, val: length; the bytes are the next of lockstep.dma */
};

struct lockstep_entry {
    uint8_t kind, size;
    uint32_t val;
    uint64_t addr;
};

/* The real CPU at a block's start. */
struct lockstep_before {
    uint32_t gpr[GPR_COUNT];
    uint32_t eip, eflags;
};

/* What the host provides for the shadow, and keeps until the VM ends. */
struct lockstep_config {
    struct vcpu *cpu; /* zeroed, 64-byte aligned */
    void *interp;     /* interp_size() bytes, zeroed */
    uint8_t *ram;     /* as large as the real RAM */
    uint8_t *page;    /* one byte for each page of it */
    struct host_code_arena stubs;
    void *opaque;
    void (*say)(void *opaque, const char *line); /* one line of the report, without a newline */
};

struct lockstep {
    struct vm *real;
    struct vm shadow;     /* its regions have the numbers of the real one's */
    struct vcpu *a, *b;   /* the real CPU, the shadow's */
    struct bus mem, port; /* the real devices; real->mem and real->port are recorders before them */
    const struct vmm_host *host; /* the real one, and its CPU's */
    const struct vcpu_host *cpu_host;
    struct vmm_host real_host, shadow_host;
    struct vcpu_host real_cpu_host, shadow_cpu_host;
    void *opaque;
    void (*say)(void *opaque, const char *line);
    bool running; /* the real guest executes: record */
    bool overflow, diverged, delivered;
    ns_t now;        /* the time of both guests */
    ns_t looked;     /* when the devices' timers were last asked for */
    uint64_t random; /* state of RDRAND's sequence */
    unsigned count;  /* guest instructions of the block as the translator says */
    bool faulted;    /* the real guest's block ended in `fault` */
    struct fault fault, shadow_fault;
    bool single;   /* one instruction, interpreted by both: engine_single() */
    char why[128]; /* what the shadow's devices objected to; "" nothing */
    struct lockstep_before before;
    uint64_t blocks, insns, syncs;
    uint64_t ram_compared; /* `blocks` when RAM was compared last */
    unsigned used, taken;  /* entries of log */
    unsigned implicit_used;
    struct lockstep_entry implicit[LOCKSTEP_IMPLICIT]; /* reads by page walks and fetches */
    struct lockstep_entry log[LOCKSTEP_LOG];
    unsigned dma_used, dma_taken; /* bytes of dma */
    uint8_t dma[LOCKSTEP_DMA];
};

/* Puts *ls (zeroed) between vm and its host, and makes the shadow. The devices go on ls->mem and
 * ls->port. */
void lockstep_init(struct lockstep *ls, struct vm *vm, const struct lockstep_config *cfg);

/* Makes the shadow the same as the real guest: after a reset, and whenever the host changed RAM or
 * CPU. */
void lockstep_sync(struct lockstep *ls);

/* For vm_load(), after it replaced the real guest: makes the shadow the same, and time and random
 * numbers go on from these. */
void lockstep_loaded(struct lockstep *ls, ns_t now, uint64_t random);

/* An engine that wraps the two others: executes some blocks, or one instruction, in both. At a
 * difference the CPU exits with EXIT_DIVERGED. lockstep_init() adds it. */
extern const struct engine lockstep_engine;

/* For the host, when the real guest is halted: lets time go on to its next deadline. False: it has
 * none. */
bool lockstep_wait(struct lockstep *ls);

/* For the host, when the real guest is about to be reset or to end: compares all there is. False:
 * the guests differ, which was reported. */
bool lockstep_end(struct lockstep *ls);

/* Has the events of the real guest delivered to the shadow as well. */
extern const struct vm_observer lockstep_observer;

/* For the host: what the board does to the real guest's memory map. */
void lockstep_note_a20(struct lockstep *ls, bool on);
void lockstep_note_kind(struct lockstep *ls, gpa_t gpa, uint64_t len, uint8_t kind);
/* Note that region n of the real guest was placed (a view: at byte `off` of its memory); that a
 * device changed bytes of it. */
void lockstep_note_region(struct lockstep *ls, unsigned n, gpa_t base, uint64_t off);
void lockstep_note_written(struct lockstep *ls, unsigned n, uint64_t off, uint64_t len);
/* Notes that a device wrote these bytes to the real guest's memory (vm_dma_write()). */
void lockstep_note_dma(struct lockstep *ls, gpa_t gpa, const void *bytes, uint32_t len);

/* ---- among the files ---- */

/* lockstep_world.c: forgets what was recorded. */
void lockstep_record_anew(struct lockstep *ls);
/* Does the changes of the memory map, and to memory by devices, that are next in the log. */
void lockstep_replay_map(struct lockstep *ls);

/* lockstep_compare.c: the name of something that differs, or NULL. */
const char *lockstep_difference(const struct lockstep *ls);
const char *lockstep_fpu_difference(const struct lockstep *ls);
/* Puts the first page that differs into *at; false: none does. */
bool lockstep_ram_difference(const struct lockstep *ls, gpa_t *at);
void lockstep_report(struct lockstep *ls, const char *what);

#endif
