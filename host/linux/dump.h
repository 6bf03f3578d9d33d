/* SPDX-License-Identifier: MIT */
/* dump.h - the guest CPU's registers as text, for reports. */
#ifndef RING1_HOST_LINUX_DUMP_H
#define RING1_HOST_LINUX_DUMP_H

#include <stddef.h>

struct vcpu;

/* Writes lines ending in "\r\n" into out[0..cap), always terminated; returns the length. Reads only
 * *v, no guest memory, and allocates nothing, so that it works in a signal handler. */
size_t dump_registers(const struct vcpu *v, char *out, size_t cap);

/* Writes n bytes in hexadecimal, "0f 0b ...", into out[0..cap), always terminated; returns the
 * length. */
size_t dump_bytes(const unsigned char *bytes, size_t n, char *out, size_t cap);

#endif
