/* SPDX-License-Identifier: MIT */
/*
 * fmt.h - text for trace lines and reports, without libc.
 *
 * Promises   Always terminates `out` (when cap > 0), never writes beyond cap, and understands
 *            %x %u %d %s %c %% with an optional 0, a width, and ll (64-bit) for the number
 *            conversions. %s takes a width (padded on the right) and NULL (shown as "(null)").
 * Not here   Floating point, precision, %p, %n.
 */
#ifndef RING1_FMT_H
#define RING1_FMT_H

#include <stdarg.h>
#include <stddef.h>

/* Formats into out[0..cap) and returns the length of the text stored there, without its
 * terminator. */
size_t fmt_line(char *out, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
size_t fmt_vline(char *out, size_t cap, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

#endif
