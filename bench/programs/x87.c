/* SPDX-License-Identifier: MIT */
/* x87.c - x87 floating point. Results are rounded: its functions differ in the last bits. */
#include "float_kernels.h"

/* The CPU's own functions: the library's would be other code on other CPUs. */
static double x87_sin(double x)
{
    __asm__("fsin" : "+t"(x));
    return x;
}

static double x87_cos(double x)
{
    __asm__("fcos" : "+t"(x));
    return x;
}

static double x87_atan(double y, double x)
{
    __asm__("fpatan" : "+t"(x) : "u"(y) : "st(1)");
    return x;
}

static double x87_log2(double x)
{
    double y = 1;

    __asm__("fyl2x" : "+t"(x) : "u"(y) : "st(1)");
    return x;
}

static uint32_t trig(void)
{
    double sum = 0;

    for (int i = 1; i <= 100; i++) {
        double x = i * 0.015625;
        sum += x87_sin(x) * x87_cos(x) + x87_atan(x, 2.0) + x87_log2(x + 1.5);
    }
    return (uint32_t)(int32_t)(sum * 1000);
}

const struct row x87_rows[] = {
    {"x87.nbody", "steps", 100, nbody, NULL, NULL},
    {"x87.mandelbrot", "pictures", 1, mandelbrot, NULL, NULL},
    {"x87.matrix", "multiplications", 24 * 24 * 24, matrix, matrix_fill, NULL},
    {"x87.trig", "functions", 400, trig, NULL, NULL},
    {NULL, NULL, 0, NULL, NULL, NULL}};
