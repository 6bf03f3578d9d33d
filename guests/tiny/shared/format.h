/* SPDX-License-Identifier: MIT */
/*
 * format.h - the few string functions that both the kernel and the programs are linked with.
 */
#ifndef TINY_FORMAT_H
#define TINY_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
void string_copy(char *to, const char *from, size_t size); /* cuts off; always ends `to` */

/* %s %c %d %u %x with width, left ("-") and zero padding. Cuts off at size - 1; returns the length
 * written. */
size_t format(char *to, size_t size, const char *text, va_list args);

#endif
