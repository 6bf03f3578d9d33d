/* SPDX-License-Identifier: MIT */
/* sse.c - SSE2: scalar floating point, and vectors. Compiled with -msse2 -mfpmath=sse. */
#include <emmintrin.h>

#include "float_kernels.h"

static uint8_t pixels[2][4096] __attribute__((aligned(16)));
static float floats[3][1024] __attribute__((aligned(16)));
static double doubles[2][512] __attribute__((aligned(16)));

static void vectors_fill(void)
{
    uint32_t seed = 12;

    for (unsigned i = 0; i < 4096; i++) {
        pixels[0][i] = (uint8_t)bench_random(&seed);
        pixels[1][i] = (uint8_t)(bench_random(&seed) >> 3);
    }
    for (unsigned i = 0; i < 1024; i++) {
        floats[0][i] = (float)(bench_random(&seed) & 255);
        floats[1][i] = (float)(bench_random(&seed) & 255) / 4;
    }
    for (unsigned i = 0; i < 512; i++) {
        doubles[0][i] = (double)(bench_random(&seed) & 255);
        doubles[1][i] = (double)(bench_random(&seed) & 255) / 8;
    }
}

static uint32_t low_word(__m128i v)
{
    v = _mm_add_epi32(v, _mm_srli_si128(v, 8));
    return (uint32_t)_mm_cvtsi128_si32(_mm_add_epi32(v, _mm_srli_si128(v, 4)));
}

/* A blend of two pictures with saturation, as video code does it. */
static uint32_t simd_int(void)
{
    const __m128i *a = (const __m128i *)pixels[0], *b = (const __m128i *)pixels[1];
    __m128i zero = _mm_setzero_si128(), weight = _mm_set1_epi16(77), sum = zero;

    for (unsigned i = 0; i < 4096 / 16; i++) {
        __m128i x = a[i], y = b[i];
        __m128i low = _mm_mullo_epi16(_mm_unpacklo_epi8(x, zero), weight);
        __m128i high = _mm_mullo_epi16(_mm_unpackhi_epi8(x, zero), weight);
        __m128i mixed = _mm_packus_epi16(_mm_srli_epi16(low, 7), _mm_srli_epi16(high, 7));
        mixed = _mm_subs_epu8(_mm_adds_epu8(mixed, y), _mm_avg_epu8(x, y));
        sum = _mm_add_epi32(sum, _mm_sad_epu8(mixed, zero));
        sum = _mm_add_epi32(sum, _mm_madd_epi16(low, high));
    }
    return low_word(sum);
}

/* Transposes blocks of 4 x 4 words and searches bytes. */
static uint32_t simd_shuffle(void)
{
    const __m128i *a = (const __m128i *)pixels[0];
    __m128i sum = _mm_setzero_si128(), wanted = _mm_set1_epi8(42);
    uint32_t found = 0;

    for (unsigned i = 0; i < 4096 / 16; i += 4) {
        __m128i p = _mm_unpacklo_epi32(a[i], a[i + 1]), q = _mm_unpackhi_epi32(a[i], a[i + 1]);
        __m128i r = _mm_unpacklo_epi32(a[i + 2], a[i + 3]),
                s = _mm_unpackhi_epi32(a[i + 2], a[i + 3]);
        __m128i t = _mm_xor_si128(_mm_unpacklo_epi64(p, r), _mm_unpackhi_epi64(q, s));
        t = _mm_xor_si128(_mm_shuffle_epi32(t, 0x1b), _mm_slli_epi64(s, 7));
        sum = _mm_add_epi32(sum, t);
        found += (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(t, wanted));
    }
    return low_word(sum) + found;
}

static uint32_t simd_float(void)
{
    __m128 scale = _mm_set1_ps(0.5f), sum = _mm_setzero_ps(), limit = _mm_set1_ps(100.0f);
    float part[4] __attribute__((aligned(16)));

    for (unsigned i = 0; i < 1024; i += 4) {
        __m128 x = _mm_load_ps(floats[0] + i), y = _mm_load_ps(floats[1] + i);
        __m128 z = _mm_min_ps(_mm_add_ps(_mm_mul_ps(x, scale), y), limit);
        _mm_store_ps(floats[2] + i, z);
        sum = _mm_add_ps(
            sum, _mm_sqrt_ps(_mm_sub_ps(_mm_max_ps(z, y), _mm_and_ps(y, _mm_cmplt_ps(x, y)))));
    }
    _mm_store_ps(part, sum);
    return (uint32_t)(part[0] + part[1] + part[2] + part[3]);
}

static uint32_t simd_double(void)
{
    __m128d sum = _mm_setzero_pd(), one = _mm_set1_pd(1.0);
    double part[2] __attribute__((aligned(16)));

    for (unsigned i = 0; i < 512; i += 2) {
        __m128d x = _mm_load_pd(doubles[0] + i), y = _mm_load_pd(doubles[1] + i);
        sum =
            _mm_add_pd(sum, _mm_div_pd(_mm_mul_pd(x, y), _mm_add_pd(_mm_shuffle_pd(y, x, 1), one)));
    }
    _mm_store_pd(part, sum);
    return (uint32_t)(part[0] + part[1]);
}

const struct row sse_rows[] = {
    {"sse2.nbody", "steps", 100, nbody, NULL, NULL},
    {"sse2.mandelbrot", "pictures", 1, mandelbrot, NULL, NULL},
    {"sse2.matrix", "multiplications", 24 * 24 * 24, matrix, matrix_fill, NULL},
    {"simd.int", "bytes", 4096, simd_int, vectors_fill, NULL},
    {"simd.shuffle", "bytes", 4096, simd_shuffle, vectors_fill, NULL},
    {"simd.float", "floats", 1024, simd_float, vectors_fill, NULL},
    {"simd.double", "doubles", 512, simd_double, vectors_fill, NULL},
    {NULL, NULL, 0, NULL, NULL, NULL}};
