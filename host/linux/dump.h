/* SPDX-License-Identifier: MIT */
/* dump.h - the guest CPU's registers as text, for reports. */
#ifndef RING1_HOST_LINUX_DUMP_H
#define RING1_HOST_LINUX_DUMP_H

#include <stddef.h>

struct vcpu;

/* Writes lines ending in "\r\n" into out[0..cap), always terminated; returns the length. Reads only
 * *v: no guest
 * memory, no allocation, so that it works in a signal handler. */
size_t dump_registers(const struct vcpu *v, char *out, size_t cap);

/* "0f 0b ..." of n bytes. */
size_t dump_bytes(const unsigned char *bytes, size_t n, char *out, size_t cap);

#endif
