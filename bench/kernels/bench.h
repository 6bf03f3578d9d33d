/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what a benchmark kernel is: a multiboot guest of one C file, on the start code of
 * tests/guest/lib. It defines bench_work(), whose result the host compares between monitors.
 */
#ifndef RING1_BENCH_H
#define RING1_BENCH_H

#include <stdint.h>

uint32_t bench_work(void);
void test_main(void);

static inline void debug_byte(uint8_t byte)
{
    __asm__ volatile("outb %0, $0xe9" : : "a"(byte));
}

/* Prints "ok RESULT" on the debug port; start.S ends the machine. */
void test_main(void)
{
    uint32_t result = bench_work();

    debug_byte('o');
    debug_byte('k');
    debug_byte(' ');
    for (int shift = 28; shift >= 0; shift -= 4)
        debug_byte((uint8_t) "0123456789abcdef"[result >> shift & 15]);
    debug_byte('\n');
}

#endif
