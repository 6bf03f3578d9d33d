/* SPDX-License-Identifier: MIT */
/*
 * lib.h - what tiny's programs have instead of a C library.
 */
#ifndef TINY_LIB_H
#define TINY_LIB_H

#include <stdbool.h>

#include "shared/abi.h"
#include "shared/format.h"

static inline int32_t system_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c)
{
    int32_t result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}

typedef int program_fn(const char *argument);

__attribute__((noreturn)) void exit(int status);
void print(const char *text, ...) __attribute__((format(printf, 1, 2)));
uint32_t ticks(void);
void sleep(uint32_t for_ticks);
void system_get(struct system_info *info);
bool line_read(const char *prompt, char *line, size_t size); /* false: given up with Ctrl-C */
bool number_parse(const char *text, uint32_t *value);

/* Programs: each runs as a process of its own. programs.c and holes.c. */
int program_fib(const char *argument);
int program_primes(const char *argument);
int program_sleep(const char *argument);
int program_spin(const char *argument);
int program_crash(const char *argument);
int program_cpu(const char *argument);
int program_holes(const char *argument);

int shell(const char *argument);

#endif
