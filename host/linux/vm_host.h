/* SPDX-License-Identifier: MIT */
/*
 * vm_host.h - struct vmm_host (include/ring1/host.h) on Linux: time, random numbers, trace; and
 * struct vcpu_host (vcpu_host.h): FPU stubs, and what translated code needs: the code cache, its
 * return stack, the timer.
 */
#ifndef RING1_HOST_LINUX_VM_HOST_H
#define RING1_HOST_LINUX_VM_HOST_H

#include "host/linux/config.h"
#include "host/linux/error.h"
#include "host/linux/fpu_safe.h"
#include "host/linux/window.h"
#include "include/ring1/host.h"
#include "include/ring1/vcpu_host.h"

struct console;
struct vcpu;

struct linux_host {
    struct host_clock clock; /* first: vmm_host.opaque is a struct host_clock to fpu_safe.c */
    struct vmm_host host;    /* opaque points to this struct */
    struct vcpu_host cpu;    /* of the one vCPU; the same */
    struct host_windows window;
    struct console *console; /* what happens there is for the guest: events.c */
    unsigned consoles;
    int trace_fd; /* -1: no trace */
    bool trace_to_terminal;
    int trace_error; /* errno of the first write that failed */
    bool trace_complained;
    size_t trace_len;
    char trace_buf[1 << 16];
};

int vm_host_init(struct linux_host *h, const struct config *cfg, struct error *e);
/* Makes what translation needs besides the code cache: return stack, jump maps, timer. *v lies in
 * memory of vcpu_memory_create(). Returns 0, or -1 with *e. */
int vm_host_init_translation(struct linux_host *h, struct vcpu *v, struct error *e);
#define NO_ADDRESS_SPACE                                                                           \
    "the host denies the 38 GiB of address space that translation takes at the least; raise "      \
    "ulimit -v, or use -exec interpret"
void vm_host_destroy(struct linux_host *h);
/* Puts a line of trace into the buffer. Only fpu_safe_trace() may call it: it uses libraries. */
void vm_host_trace(struct linux_host *h, unsigned stage, const char *text);
/* Writes out buffered trace lines. Async-signal-safe. */
void vm_host_flush_trace(struct linux_host *h);
/* The same, and tells the user once when they could not be written. */
void vm_host_serve_trace(struct linux_host *h);

#endif
