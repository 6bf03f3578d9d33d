/* SPDX-License-Identifier: MIT */
/* float_kernels.h - the floating point rows; x87.c and sse.c compile them, each its way. */
#ifndef FLOAT_KERNELS_H
#define FLOAT_KERNELS_H

#include "bench32.h"

#define BODIES 5

struct body {
    double x[3], v[3], mass;
};

/* A sun and four planets of no known system. */
static void nbody_start(struct body *b)
{
    uint32_t seed = 99;

    for (int i = 0; i < BODIES; i++) {
        b[i].mass = i ? 0.001 * i : 40.0;
        for (int k = 0; k < 3; k++) {
            b[i].x[k] = i ? (double)(bench_random(&seed) & 1023) / 64 - 8 : 0.0;
            b[i].v[k] = i ? (double)(bench_random(&seed) & 1023) / 512 - 1 : 0.0;
        }
    }
}

static void nbody_step(struct body *b, double dt)
{
    for (int i = 0; i < BODIES; i++)
        for (int j = i + 1; j < BODIES; j++) {
            double d[3], square = 0, pull;
            for (int k = 0; k < 3; k++) {
                d[k] = b[i].x[k] - b[j].x[k];
                square += d[k] * d[k];
            }
            pull = dt / (square * __builtin_sqrt(square));
            for (int k = 0; k < 3; k++) {
                b[i].v[k] -= d[k] * b[j].mass * pull;
                b[j].v[k] += d[k] * b[i].mass * pull;
            }
        }
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < 3; k++)
            b[i].x[k] += dt * b[i].v[k];
}

static uint32_t nbody(void)
{
    struct body b[BODIES];

    nbody_start(b);
    for (int i = 0; i < 100; i++)
        nbody_step(b, 0.001);
    return (uint32_t)(int32_t)(b[1].x[0] * 1e6) ^ (uint32_t)(int32_t)(b[4].v[2] * 1e6);
}

static uint32_t mandelbrot(void)
{
    uint32_t total = 0;

    for (int i = 0; i < 12; i++)
        for (int k = 0; k < 12; k++) {
            double cr = i / 4.0 - 2.0, ci = k / 6.0 - 1.0, r = 0, m = 0;
            int n = 0;
            for (; n < 50 && r * r + m * m < 4.0; n++) {
                double t = r * r - m * m + cr;
                m = 2 * r * m + ci;
                r = t;
            }
            total += (uint32_t)n;
        }
    return total;
}

static double matrix_a[24][24], matrix_b[24][24], matrix_c[24][24];

static void matrix_fill(void)
{
    uint32_t seed = 5;

    for (int i = 0; i < 24; i++)
        for (int k = 0; k < 24; k++) {
            matrix_a[i][k] = (double)(bench_random(&seed) & 4095) / 16;
            matrix_b[i][k] = (double)(bench_random(&seed) & 4095) / 16 - 100;
        }
}

static uint32_t matrix(void)
{
    for (int i = 0; i < 24; i++)
        for (int k = 0; k < 24; k++) {
            double s = 0;
            for (int n = 0; n < 24; n++)
                s += matrix_a[i][n] * matrix_b[n][k];
            matrix_c[i][k] = s;
        }
    return (uint32_t)(int32_t)matrix_c[3][7] ^ (uint32_t)(int32_t)matrix_c[20][11];
}

#endif
