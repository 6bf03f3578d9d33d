/* SPDX-License-Identifier: MIT */
/* fib.c - doubly recursive Fibonacci: calls, returns, pushes and pops. */
#include "bench.h"

static __attribute__((noinline, optimize("no-optimize-sibling-calls"))) uint32_t fib(uint32_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

uint32_t bench_work(void)
{
    return fib(32);
}
