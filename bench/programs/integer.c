/* SPDX-License-Identifier: MIT */
/* integer.c - integer and branch rows. */
#include <string.h>

#include "bench32.h"

static uint32_t words[4096];
static uint8_t bytes[8192];
static uint32_t crc_table[256];
static uint32_t digest_constant[64];

static void fill(void)
{
    uint32_t seed = 0x2545f491;

    for (unsigned i = 0; i < 4096; i++)
        words[i] = bench_random(&seed);
    for (unsigned i = 0; i < 8192; i++)
        bytes[i] = (uint8_t)(bench_random(&seed) >> 7);
    for (unsigned i = 0; i < 64; i++)
        digest_constant[i] = bench_random(&seed);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        crc_table[i] = c;
    }
}

static uint32_t sieve(void)
{
    static uint8_t composite[8192];
    uint32_t primes = 0;

    memset(composite, 0, sizeof composite);
    for (uint32_t i = 2; i < 8192; i++) {
        if (composite[i])
            continue;
        primes++;
        for (uint32_t k = i * 2; k < 8192; k += i)
            composite[k] = 1;
    }
    return primes;
}

/* Strings of 1 to 16 bytes into a table with open addressing. */
static uint32_t hash(void)
{
    static uint32_t table[1024];
    uint32_t probes = 0;

    memset(table, 0, sizeof table);
    for (uint32_t at = 0; at + 16 < 8192; at += (bytes[at] & 15) + 1) {
        uint32_t h = 2166136261u, slot;
        for (uint32_t i = 0; i <= (bytes[at] & 15u); i++)
            h = (h ^ bytes[at + i]) * 16777619u;
        for (slot = h & 1023; table[slot] && table[slot] != h && probes < 100000; probes++)
            slot = (slot + 1) & 1023;
        if ((probes + at) % 3)
            table[slot] = h;
        else
            table[slot] = 0;
    }
    return probes * 7919 + table[17];
}

static uint32_t rotate(uint32_t x, unsigned by)
{
    return x << by | x >> (32 - by);
}

/* Four phases of 16 steps, as in the MD family, with constants of our own. */
static void digest_block(uint32_t s[4], const uint32_t *m)
{
    static const uint8_t shift[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t a = s[0], b = s[1], c = s[2], d = s[3];

    for (unsigned i = 0; i < 64; i++) {
        uint32_t f, g;
        if (i < 16) {
            f = (b & c) | (~b & d);
            g = i;
        } else if (i < 32) {
            f = (d & b) | (~d & c);
            g = 5 * i + 1;
        } else if (i < 48) {
            f = b ^ c ^ d;
            g = 3 * i + 5;
        } else {
            f = c ^ (b | ~d);
            g = 7 * i;
        }
        f += a + digest_constant[i] + m[g & 15];
        a = d;
        d = c;
        c = b;
        b += rotate(f, shift[i / 16][i % 4]);
    }
    s[0] += a;
    s[1] += b;
    s[2] += c;
    s[3] += d;
}

static uint32_t digest(void)
{
    uint32_t s[4] = {1, 2, 3, 4};

    for (unsigned i = 0; i < 4096; i += 16)
        digest_block(s, words + i);
    return s[0] ^ s[1] ^ s[2] ^ s[3];
}

static uint32_t crc(void)
{
    uint32_t c = 0xffffffff;

    for (unsigned i = 0; i < 8192; i++)
        c = crc_table[(c ^ bytes[i]) & 255] ^ c >> 8;
    return ~c;
}

static void quick(uint32_t *low, uint32_t *high)
{
    while (high - low > 8) {
        uint32_t pivot = low[(high - low) / 2], *i = low, *k = high;
        for (;;) {
            while (*i < pivot)
                i++;
            while (*k > pivot)
                k--;
            if (i >= k)
                break;
            uint32_t t = *i;
            *i++ = *k;
            *k-- = t;
        }
        quick(low, k);
        low = k + 1;
    }
    for (uint32_t *i = low + 1; i <= high; i++)
        for (uint32_t *k = i; k > low && k[-1] > *k; k--) {
            uint32_t t = *k;
            *k = k[-1];
            k[-1] = t;
        }
}

static uint32_t quicksort(void)
{
    static uint32_t copy[2048];
    uint32_t sum = 0;

    for (unsigned i = 0; i < 2048; i++)
        copy[i] = words[i];
    quick(copy, copy + 2047);
    for (unsigned i = 0; i < 2048; i++)
        sum = sum * 31 + copy[i];
    return sum;
}

static uint32_t bitops(void)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < 4096; i++) {
        uint32_t x = words[i], n = x, r = x;
        n -= n >> 1 & 0x55555555;
        n = (n & 0x33333333) + (n >> 2 & 0x33333333);
        n = (n + (n >> 4)) & 0x0f0f0f0f;
        r = (r >> 1 & 0x55555555) | (r & 0x55555555) << 1;
        r = (r >> 2 & 0x33333333) | (r & 0x33333333) << 2;
        r = (r >> 4 & 0x0f0f0f0f) | (r & 0x0f0f0f0f) << 4;
        sum += (n * 0x01010101 >> 24) + __builtin_bswap32(r);
        sum ^= (uint32_t)__builtin_clz(x | 1) + (uint32_t)__builtin_ctz(x | 0x80000000);
    }
    return sum;
}

static uint32_t matrix(void)
{
    static int32_t c[24][24];
    const int32_t *a = (const int32_t *)words, *b = a + 24 * 24;
    uint32_t sum = 0;

    for (int i = 0; i < 24; i++)
        for (int k = 0; k < 24; k++) {
            uint32_t s = 0;
            for (int n = 0; n < 24; n++)
                s += (uint32_t)a[i * 24 + n] * (uint32_t)b[n * 24 + k];
            c[i][k] = (int32_t)s;
        }
    for (int i = 0; i < 24; i++)
        sum ^= (uint32_t)c[i][(i * 5) % 24];
    return sum;
}

/* Records, strings and small calls, in about the mix of the Dhrystone programs. */
struct record {
    struct record *next;
    int kind, choice, number;
    char text[31];
};

static __attribute__((noinline)) int text_compare(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a - *b;
}

static __attribute__((noinline)) void text_copy(char *to, const char *from)
{
    while ((*to++ = *from++))
        ;
}

static __attribute__((noinline)) void record_update(struct record *r, int value)
{
    struct record *next = r->next;

    *next = *r;
    next->next = r;
    next->number = value;
    next->kind = value % 3 == 0 ? 1 : 2;
    next->choice = r->choice + (next->kind == 1 ? 5 : 7);
}

static __attribute__((noinline)) int array_step(int *one, int (*two)[16], int at, int value)
{
    one[at] = value;
    one[at + 1] = one[at];
    for (int i = at; i <= at + 1; i++)
        two[at & 15][i & 15] = at;
    return two[at & 15][(at + 1) & 15] / (value | 1);
}

static uint32_t dhry(void)
{
    static int one[64], two[16][16];
    struct record a = {.text = "a record with some text", .number = 3}, b = {.next = &a};
    char s1[31], s2[31];
    uint32_t sum = 0;

    a.next = &b;
    text_copy(s1, "some text, the first of two");
    for (int i = 1; i <= 200; i++) {
        text_copy(s2, "some text, the second of two");
        sum += text_compare(s1, s2) > 0 ? 3 : 8;
        record_update(&a, i * 5 - 2);
        sum += (uint32_t)array_step(one, two, i & 31, i * 7) + (uint32_t)b.choice;
        for (int k = 'A'; k <= 'C'; k++)
            sum += (uint32_t)(k == s2[4]) + (uint32_t)(b.kind == 1);
    }
    return sum;
}

/* Add, multiply, shift and divide in register pairs. */
static uint32_t int64(void)
{
    uint64_t x = 0x9e3779b97f4a7c15u, sum = 0;

    for (unsigned i = 0; i < 512; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        sum += x >> (i & 63);
        sum ^= x / (words[i] | 1u);
        sum -= (uint64_t)((int64_t)x >> 17) % ((uint64_t)words[i] << 8 | 3u);
    }
    return (uint32_t)sum ^ (uint32_t)(sum >> 32);
}

/* Taken or not by the bits of noise: half of them guessed wrong by any CPU. */
static uint32_t branch_random(void)
{
    uint32_t a = 0, b = 1;

    for (unsigned i = 0; i < 2048; i++) {
        if (words[i] & 0x400)
            a = a * 3 + b;
        else
            b ^= a >> 1;
        __asm__ volatile("" : "+r"(a), "+r"(b));
        if (words[i] & 0x20000)
            b += i;
        __asm__ volatile("" : "+r"(a), "+r"(b));
    }
    return a ^ b;
}

/* A scanner of words, numbers and blanks: short blocks, a dense switch. */
static uint32_t branch_state(void)
{
    uint32_t state = 0, tokens = 0;

    for (unsigned i = 0; i < 4096; i++) {
        uint8_t c = bytes[i & 1023] & 127;
        switch (state) {
        case 0:
            if (c >= 'a' && c <= 'z')
                state = 1;
            else if (c >= '0' && c <= '9')
                state = 2;
            else if (c == '"')
                state = 3;
            else
                tokens++;
            break;
        case 1:
            if (c < '0' || c > 'z')
                state = 0, tokens += 3;
            break;
        case 2:
            if (c == '.')
                state = 4;
            else if (c < '0' || c > '9')
                state = 0, tokens += 5;
            break;
        case 3:
            if (c == '"' || c < 32)
                state = 0, tokens += 7;
            break;
        default:
            state = c & 1 ? 2 : 0;
            tokens += 11;
            break;
        }
    }
    return tokens;
}

const struct row integer_rows[] = {
    {"int.sieve", "sieves", 1, sieve, NULL, NULL},
    {"int.hash", "bytes", 8192, hash, fill, NULL},
    {"int.digest", "bytes", 16384, digest, fill, NULL},
    {"int.crc", "bytes", 8192, crc, fill, NULL},
    {"int.quicksort", "elements", 2048, quicksort, fill, NULL},
    {"int.bitops", "words", 4096, bitops, fill, NULL},
    {"int.matrix", "multiplications", 24 * 24 * 24, matrix, fill, NULL},
    {"int.dhry", "loops", 200, dhry, NULL, NULL},
    {"int.int64", "loops", 512, int64, fill, NULL},
    {"branch.random", "branches", 4096, branch_random, fill, NULL},
    {"branch.state", "bytes", 4096, branch_state, fill, NULL},
    {NULL, NULL, 0, NULL, NULL, NULL}};
