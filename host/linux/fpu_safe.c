/* SPDX-License-Identifier: MIT */
/* fpu_safe.c - see fpu_safe.h. Compile with -mgeneral-regs-only. */
#include "host/linux/fpu_safe.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <time.h>

#include "host/linux/vm_host.h"

#ifdef __SSE__
#error "compile fpu_safe.c with -mgeneral-regs-only: guest FPU registers are live in it"
#endif

static uint64_t monotonic_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

void clock_init(struct host_clock *c)
{
    c->start_ns = monotonic_ns();
    c->random_left = 0;
    c->armed = c->asked = NS_NEVER;
    c->timer = -1;
}

ns_t clock_now(void *clock)
{
    const struct host_clock *c = clock;

    return monotonic_ns() - c->start_ns;
}

ns_t clock_spent(void *clock)
{
    struct timespec t;

    (void)clock;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* getrandom() without the libc's wrapper, which could be bound lazily. */
static bool draw(void *to, size_t len)
{
    long ret = SYS_getrandom;

    __asm__ volatile("syscall"
                     : "+a"(ret)
                     : "D"(to), "S"(len), "d"(1L /* GRND_NONBLOCK */)
                     : "rcx", "r11", "memory");
    return ret == (long)len;
}

bool clock_random32(void *clock, uint32_t *out)
{
    struct host_clock *c = clock;

    if (!c->random_left) {
        if (!draw(c->random, sizeof c->random))
            return false;
        c->random_left = ARRAY_LEN(c->random);
    }
    *out = c->random[--c->random_left];
    c->random[c->random_left] = 0;
    return true;
}

static uint64_t read_tsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return (uint64_t)hi << 32 | lo;
}

int64_t clock_wall(void *clock)
{
    const struct host_clock *c = clock;
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec + c->rtc_offset;
}

static uint32_t measure_tsc(void)
{
    uint64_t t0 = monotonic_ns(), c0 = read_tsc(), t1, c1;

    do {
        t1 = monotonic_ns();
        c1 = read_tsc();
    } while (t1 - t0 < 5000000);
    return (uint32_t)((c1 - c0) * 1000000 / (t1 - t0));
}

uint32_t clock_tsc_khz(void)
{
    uint32_t a, b, c, d;
    uint64_t khz = 0;

    /* Leaf 15h: TSC = crystal (ecx Hz) * ebx / eax. A hypervisor's leaf 40000010h: eax in kHz. */
    if (__get_cpuid(0x15, &a, &b, &c, &d) && a && b && c)
        khz = (uint64_t)c * b / a / 1000;
    if (!khz && __get_cpuid(1, &a, &b, &c, &d) && (c >> 31)) {
        __cpuid(0x40000000, a, b, c, d);
        if (a >= 0x40000010 && a < 0x40010000) {
            __cpuid(0x40000010, a, b, c, d);
            khz = a;
        }
    }
    if (khz < 100000 || khz > 10000000)
        khz = measure_tsc();
    khz = (khz + 500) / 1000 * 1000;
    return khz ? (uint32_t)khz : 1000000;
}

void out_ring_put(void *ring, const uint8_t *bytes, size_t len)
{
    struct out_ring *r = ring;

    for (size_t i = 0; i < len; i++) {
        if (out_ring_used(r) == OUT_RING) {
            r->dropped += len - i;
            return;
        }
        r->bytes[r->head++ & (OUT_RING - 1)] = bytes[i];
    }
}

void out_drop(void *opaque, const uint8_t *bytes, size_t len)
{
    (void)opaque, (void)bytes, (void)len;
}

struct fpu_image {
    _Alignas(16) uint8_t bytes[512];
};

static void put_aside(struct fpu_image *to)
{
    static const uint32_t mxcsr = 0x1f80; /* after reset, and in a new process */

    __asm__ volatile("fxsave %0\n\tfninit\n\tldmxcsr %1" : "=m"(*to) : "m"(mxcsr) : "memory");
}

static void put_back(const struct fpu_image *from)
{
    __asm__ volatile("fxrstor %0" : : "m"(*from) : "memory");
}

void fpu_safe_trace(void *opaque, unsigned stage, const char *text)
{
    struct fpu_image image;

    put_aside(&image);
    vm_host_trace(opaque, stage, text);
    put_back(&image);
}
