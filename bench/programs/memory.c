/* SPDX-License-Identifier: MIT */
/*
 * memory.c - memory rows. Sizes keep clear of those at which QEMU has two speeds: small and 8 MiB
 * copies, rep movsb of 4 KiB. The library's memcpy is not used: it is other code on other CPUs.
 */
#include "bench32.h"

#define MIB      (1u << 20)
#define COPY     (256u << 10)
#define REP      (64u << 10)
#define STREAM   (16 * MIB) /* bytes per array; three arrays */
#define LINE     64u
#define CHUNK    (256u << 10) /* of them, in a round */
#define HOPS     2000u
#define ACCESSES 2000u

static uint32_t *one, *two, *three;
static uint32_t mapped; /* bytes of each of them */
static void **at;       /* the chase continues from round to round: fresh lines every time */
static uint32_t random_state;
static uint32_t streamed; /* words of the arrays */

static void map_arrays(uint32_t size)
{
    uint32_t seed = 3;

    mapped = size;
    one = bench_map(size);
    two = bench_map(size);
    three = bench_map(size);
    for (uint32_t i = 0; i < size / 4; i++) {
        one[i] = bench_random(&seed);
        two[i] = i;
    }
    for (uint32_t i = 0; i < size; i += PAGE)
        three[i / 4] = 0;
}

static void map_copy(void)
{
    map_arrays(COPY);
}

static void map_stream(void)
{
    map_arrays(STREAM);
    streamed = 0;
}

static void unmap_arrays(void)
{
    bench_unmap(one, mapped);
    bench_unmap(two, mapped);
    bench_unmap(three, mapped);
}

static uint32_t copy(void)
{
    for (uint32_t i = 0; i < COPY / 4; i += 4) {
        uint32_t a = one[i], b = one[i + 1], c = one[i + 2], d = one[i + 3];
        two[i] = a;
        two[i + 1] = b;
        two[i + 2] = c;
        two[i + 3] = d;
    }
    return two[COPY / 4 - 1];
}

static uint32_t set(void)
{
    for (uint32_t i = 0; i < COPY / 4; i += 4) {
        two[i] = 7;
        two[i + 1] = 7;
        two[i + 2] = 7;
        two[i + 3] = 7;
    }
    return two[COPY / 8];
}

/* One string instruction over REP bytes. */
#define REP_ROW(name, insn, count)                                                                 \
    static uint32_t name(void)                                                                     \
    {                                                                                              \
        void *to = two;                                                                            \
        const void *from = one;                                                                    \
        uint32_t n = (count);                                                                      \
                                                                                                   \
        __asm__ volatile("rep " insn : "+D"(to), "+S"(from), "+c"(n) : "a"(5) : "memory");         \
        return two[REP / 4 - 1];                                                                   \
    }

REP_ROW(rep_movsb, "movsb", REP)
REP_ROW(rep_movsd, "movsl", REP / 4)
REP_ROW(rep_stosb, "stosb", REP)
REP_ROW(rep_stosd, "stosl", REP / 4)

/* A stretch of the arrays, the next one every time. */
static uint32_t stream(void)
{
    uint32_t end = streamed + CHUNK / 4;

    for (uint32_t i = streamed; i < end; i++)
        three[i] = one[i] + 3 * two[i];
    streamed = end % (STREAM / 4);
    return three[end - 1] - one[end - 1] - 3 * two[end - 1];
}

/* A ring through all cache lines of the buffer, in random order. */
static void chase_make(uint32_t size)
{
    uint32_t lines = size / LINE, seed = 21, *order = bench_map(lines * 4);

    mapped = size;
    one = bench_map(size);
    for (uint32_t i = 0; i < lines; i++)
        order[i] = i;
    for (uint32_t i = lines - 1; i > 0; i--) {
        uint32_t k = bench_random(&seed) % i, t = order[i];
        order[i] = order[k];
        order[k] = t;
    }
    for (uint32_t i = 0; i < lines; i++)
        *(void **)((char *)one + order[i] * LINE) = (char *)one + order[(i + 1) % lines] * LINE;
    at = (void **)one;
    bench_unmap(order, lines * 4);
}

static void chase_small(void)
{
    chase_make(COPY);
}

static void chase_large(void)
{
    chase_make(64 * MIB);
}

static uint32_t chase(void)
{
    void **p = at;

    for (uint32_t i = 0; i < HOPS; i++)
        p = *p;
    at = p;
    return (uint32_t)((uintptr_t)p % LINE);
}

static void random_make(void)
{
    mapped = 64 * MIB;
    random_state = 1;
    one = bench_map(mapped);
    for (uint32_t i = 0; i < mapped; i += PAGE)
        one[i / 4] = 1;
}

/* Loads and stores that do not wait for each other. */
static uint32_t random_access(void)
{
    uint32_t seed = random_state, sum = 0;

    for (uint32_t i = 0; i < ACCESSES; i++) {
        uint32_t *p = one + (bench_random(&seed) >> 8);
        sum += *p & 6;
        *p |= 1;
    }
    random_state = seed;
    return sum;
}

static void unmap_one(void)
{
    bench_unmap(one, mapped);
}

const struct row memory_rows[] = {
    {"mem.copy", "bytes", COPY, copy, map_copy, unmap_arrays},
    {"mem.set", "bytes", COPY, set, map_copy, unmap_arrays},
    {"mem.rep_movsb", "bytes", REP, rep_movsb, map_copy, unmap_arrays},
    {"mem.rep_movsd", "bytes", REP, rep_movsd, map_copy, unmap_arrays},
    {"mem.rep_stosb", "bytes", REP, rep_stosb, map_copy, unmap_arrays},
    {"mem.rep_stosd", "bytes", REP, rep_stosd, map_copy, unmap_arrays},
    {"mem.stream", "bytes", 3 * CHUNK, stream, map_stream, unmap_arrays},
    {"mem.chase_256k", "loads", HOPS, chase, chase_small, unmap_one},
    {"mem.chase_64m", "loads", HOPS, chase, chase_large, unmap_one},
    {"mem.random_64m", "accesses", ACCESSES, random_access, random_make, unmap_one},
    {NULL, NULL, 0, NULL, NULL, NULL}};
