/* SPDX-License-Identifier: MIT */
/*
 * vm.h - one virtual machine: RAM, the two buses, its CPUs, and the wires between board and CPU.
 *
 * Writer     The board, which runs on CPU 0's thread, writes cover, cover_kind, a20, mem, port and
 *            next_deadline of struct vm. Every CPU's thread writes elements of page and dirty, and
 *            implicit. Whoever builds the VM writes all other members, before a CPU first runs.
 *            There is one thread today: with several, what CPUs write must become atomic, and an
 *            access to the board a message to CPU 0's thread. Signal handlers write nothing.
 */
#ifndef RING1_MONITOR_CPU_VM_H
#define RING1_MONITOR_CPU_VM_H

#include "decoder/insn.h"
#include "devices/bus.h"
#include "include/ring1/host.h"
#include "include/ring1/vcpu_host.h"
#include "monitor/cpu/vcpu.h"

/* What a physical page is; vm.page[gpa >> 12] for pages below vm.ram_size, a region's page[] where
 * one lies above, PAGE_MMIO for all others. */
#define PAGE_RAM        0x00u
#define PAGE_MMIO       0x01u /* accesses go to vm.mem */
#define PAGE_ROM        0x02u /* reads come from ram[], writes are dropped (PAM, SeaBIOS shadow) */
#define PAGE_CODE       0x04u /* holds decoded instructions: writes take the slow path */
#define PAGE_TRANSLATED 0x08u /* translated code was made from it: writes likewise */
#define PAGE_LOGGED     0x10u /* the dirty log waits for its first write: likewise (dirty.h) */
#define PAGE_OVER       0x20u /* below ram_size: a region is seen, not the RAM (region.h) */
#define PAGE_UNDER      0x40u /* with ROM and OVER: writes go to the RAM below */
#define PAGE_DIRECT     0x80u /* the CPU runs it directly, or it was found that it may not */
#define PAGE_KINDS      (PAGE_MMIO | PAGE_ROM | PAGE_OVER | PAGE_UNDER)
/* Set by watchers: page.h. */
#define PAGE_MARKS (PAGE_CODE | PAGE_TRANSLATED | PAGE_LOGGED | PAGE_DIRECT)

#define VM_CPUS    8u
#define VM_REGIONS 12u

/* What the CPU asks of the board. Any member may be NULL except where said. */
struct board_ops {
    /* Interrupt acknowledge cycle: the vector to deliver, or -1 when the request is gone.
     * Required. */
    int (*intr_ack)(void *board, unsigned cpu);
    /* Runs device timers due by now; returns the next deadline (NS_NEVER: none). Required. */
    ns_t (*run_until)(void *board, ns_t now);
    /* May an NMI still come while the CPU is halted with IF = 0? NULL: none can. */
    bool (*nmi_may_come)(void *board, unsigned cpu);
    void (*apic_base_changed)(void *board, unsigned cpu, uint64_t value);
    void (*tsc_deadline_changed)(void *board, unsigned cpu, uint64_t guest_tsc);
    void (*ferr)(void *board, bool level); /* FERR# to IRQ 13 */
    /* What happened outside (host.h). event_room() fills in how much the board takes now in *room,
     * which is zeroed; event() gives it something of that, at guest time e->at. Both NULL: nothing
     * outside concerns the board. */
    void (*event_room)(void *board, struct host_room *room);
    void (*event)(void *board, const struct host_event *e);
};

#define VM_COVERED 1u

struct page_watcher;
struct region;

/* An observer hears of each interrupt, NMI and exception before and after its delivery through the
 * IDT, but not of INT n, which is an instruction. type: enum event_type of exception.h. */
struct vm_observer {
    void (*event_begins)(void *self);
    void (*event_ends)(void *self, unsigned type, unsigned vector, uint32_t error);
};

/* May a page of this kind be written with nobody hearing of it? RAM, or what hides it and takes
 * writes. */
static inline bool page_takes_writes(uint8_t kind)
{
    return !(kind & ~PAGE_OVER);
}

struct vm {
    const struct vmm_host *host;
    uint8_t *ram;      /* linear mapping of guest RAM, physical address 0 first */
    uint64_t ram_size; /* bytes, multiple of a page, at most 0xe0000000 */
    uint8_t *page;     /* PAGE_* of each page below ram_size */
    uint64_t *dirty;   /* the dirty log's bitmap, NULL while it is off (monitor/memory/dirty.h) */
    struct region *region[VM_REGIONS]; /* monitor/memory/region.h */
    unsigned region_count;
    bool region_views; /* one of them is a view of another */
    /* The address of the page that the local APIC lies over, | VM_COVERED; 0: none. If there is
     * memory, the page's entry is PAGE_MMIO, and cover_kind keeps what it would be without the
     * APIC. */
    gpa_t cover;
    uint8_t cover_kind;
    bool a20;      /* false: physical address bit 20 reads as 0 */
    bool implicit; /* the access at hand belongs to a page walk or a fetch, of which each engine
                      makes its own number: lockstep does not compare them */
    struct bus mem, port;
    struct decoder decoder;
    const struct cpu_model *cpu_model; /* monitor/cpu/cpuid.h */
    unsigned cpu_count;
    struct vcpu *cpu[VM_CPUS];
    const struct board_ops *board_ops;
    void *board;
    ns_t next_deadline;                 /* earliest device deadline known */
    const struct vm_observer *observer; /* NULL: nobody observes */
    void *observer_self;
    struct lockstep *lockstep; /* -exec lockstep: monitor/run/lockstep.h; else NULL */
    struct {
        const struct page_watcher *ops;
        void *self;
    } watcher[3 * VM_CPUS + 1]; /* page.h */
    unsigned watcher_count;
    struct { /* monitor/memory/dma.h */
        uint64_t reads, writes;
        uint64_t missed_reads, missed_writes; /* not all of it was memory, or could be written */
        unsigned maps;                        /* live mappings */
    } dma;
};

static inline ns_t vm_now(const struct vm *vm)
{
    return vm->host->now_ns(vm->host->opaque);
}

/* The CPU time that the vCPU's thread took (vcpu_host.spent_ns), in ns. */
static inline ns_t vcpu_spent(const struct vm *vm, const struct vcpu_host *h)
{
    return h->spent_ns ? h->spent_ns(h->opaque) : vm_now(vm);
}

/* The next four write the CPU's struct vcpu. The board calls them on its thread, which is also the
 * CPU's as long as there is one CPU. */

/* Sets the level of the interrupt controller's INTR output for CPU `cpu`. */
void vm_set_intr(struct vm *vm, unsigned cpu, bool level);

/* Raises NMI at CPU `cpu`. */
void vm_raise_nmi(struct vm *vm, unsigned cpu);

/* A device deadline moved: the run loop looks again before the next instruction but one. */
void vm_deadline_changed(struct vm *vm);

/* The board asks the run loop to return to the host with `reason` (enum exit_reason) and `code`. */
void vm_request_exit(struct vm *vm, unsigned reason, uint32_t code);

#endif
