/* SPDX-License-Identifier: MIT */
/*
 * window.h - the windows of struct vcpu_host on Linux: reserved address space in which guest RAM is
 * mapped page by page.
 *
 * Promises   Every byte of the reservation that no window_map() covers stays inaccessible, the
 *            guards between the windows always. FPU-SAFE: window.c is compiled with
 *            -mgeneral-regs-only and makes its system calls itself.
 *            When the kernel refuses so much that address space is lost after all, window_unmap()
 *            of the whole window says so.
 * Sandbox    While the guest runs: mmap (of the RAM's memfd and of inaccessible memory, both
 *            MAP_FIXED), munmap and mprotect (never executable).
 */
#ifndef RING1_HOST_LINUX_WINDOW_H
#define RING1_HOST_LINUX_WINDOW_H

#include "include/ring1/vcpu_host.h"

struct host_windows {
    uint8_t *reserved; /* NULL: none */
    size_t size;
    int ram_fd;
    int refused; /* errno of the first operation that the kernel refused; 0: none was */
    bool refused_said;
};

/* Reserves `count` windows and enters them into *h, whose opaque is the struct linux_host that
 * contains *w. h->window_count is 0 when the host denies the address space (ulimit -v,
 * vm.max_map_count). ram_fd: the memfd of guest RAM, which the caller keeps open. */
void host_windows_create(struct host_windows *w, struct vcpu_host *h, int ram_fd, unsigned count);
void host_windows_destroy(struct host_windows *w);

#endif
