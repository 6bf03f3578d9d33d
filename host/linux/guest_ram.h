/* SPDX-License-Identifier: MIT */
/*
 * guest_ram.h - guest RAM: one memfd, mapped linearly. Costs host memory only where the guest
 * touched it.
 */
#ifndef RING1_HOST_LINUX_GUEST_RAM_H
#define RING1_HOST_LINUX_GUEST_RAM_H

#include <stddef.h>
#include <stdint.h>

#include "host/linux/error.h"

#define GUEST_RAM_MORE 8u

struct guest_ram {
    int fd;
    uint8_t *base;
    uint64_t size;
    struct { /* after it in the memfd: memory of regions (monitor/memory/region.h) */
        uint8_t *base;
        uint64_t size;
    } more[GUEST_RAM_MORE];
    unsigned more_count;
};

int guest_ram_create(struct guest_ram *r, uint64_t size, struct error *e);
void guest_ram_destroy(struct guest_ram *r);

/* Adds `size` zeroed bytes, whole pages, to the memfd and returns where they are mapped; *at is
 * their offset in the memfd. NULL with errno: the host gives none. To be called before
 * sandbox_enter(). */
uint8_t *guest_ram_add(struct guest_ram *r, uint64_t size, uint64_t *at);

/* Zeroed anonymous memory for the monitor's own big tables, untouched until used; NULL when there
 * is none. */
void *zeroed_alloc(size_t size);

/* Makes [p, p+len) zero. Whole pages of a big range are given back to the host instead of being
 * written. */
void memory_clear(uint8_t *p, uint64_t len);

#endif
