/* SPDX-License-Identifier: MIT */
/* smc.c - code that changes: what a just-in-time compiler does to the CPU. */
#include <string.h>
#include <sys/mman.h>

#include "bench32.h"

#define ARENA   (64u << 10)
#define SLOT    16u
#define CALLS   50u
#define COUNTER 2048u /* offset of the datum on the page of code */

typedef uint32_t function(uint32_t);

static uint8_t *arena;
static uint32_t next;

static void arena_make(void)
{
    arena = bench_map(ARENA);
    if (mprotect(arena, ARENA, PROT_READ | PROT_WRITE | PROT_EXEC))
        bench_die("mprotect");
    next = 0;
}

static void arena_end(void)
{
    bench_unmap(arena, ARENA);
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, 4);
}

/* mov eax,VALUE; xor eax,[esp+4]; ret */
static function *emit(uint8_t *at, uint32_t value)
{
    static const uint8_t code[] = {0xb8, 0, 0, 0, 0, 0x33, 0x44, 0x24, 0x04, 0xc3};

    memcpy(at, code, sizeof code);
    put32(at + 1, value);
    __asm__ volatile("" ::: "memory");
    return (function *)(uintptr_t)at;
}

/* The same instruction with another constant. */
static uint32_t rewrite(void)
{
    function *f = emit(arena, 0);
    uint32_t sum = 0;

    for (uint32_t i = 0; i < CALLS; i++) {
        *(volatile uint8_t *)(arena + 1) = (uint8_t)i;
        __asm__ volatile("" ::: "memory");
        sum += f(i << 8);
    }
    return sum;
}

/* A function is written where none was lately, and called once. */
static uint32_t jit(void)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < CALLS; i++) {
        sum += emit(arena + next, i)(i << 8);
        next = (next + SLOT) % ARENA;
    }
    return sum;
}

/* mov ecx,[esp+4]; 1: inc dword [COUNTER of this page]; dec ecx; jnz 1b; mov eax,[COUNTER]; ret */
static void mixed_make(void)
{
    static const uint8_t code[] = {0x8b, 0x4c, 0x24, 0x04, 0xff, 0x05, 0, 0, 0,   0,
                                   0x49, 0x75, 0xf7, 0xa1, 0,    0,    0, 0, 0xc3};

    arena_make();
    memcpy(arena, code, sizeof code);
    put32(arena + 6, (uint32_t)(uintptr_t)arena + COUNTER);
    put32(arena + 14, (uint32_t)(uintptr_t)arena + COUNTER);
}

static uint32_t mixed(void)
{
    put32(arena + COUNTER, 0);
    return ((function *)(uintptr_t)arena)(2000);
}

const struct row smc_rows[] = {{"smc.rewrite", "calls", CALLS, rewrite, arena_make, arena_end},
                               {"smc.jit", "functions", CALLS, jit, arena_make, arena_end},
                               {"smc.mixed_page", "writes", 2000, mixed, mixed_make, arena_end},
                               {NULL, NULL, 0, NULL, NULL, NULL}};
