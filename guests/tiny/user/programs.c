/* SPDX-License-Identifier: MIT */
/*
 * programs.c - fib, primes, sleep, spin, crash, cpu.
 */
#include "user/lib.h"

#define FIB_MAX    47u /* the last that fits 32 bits */
#define KERNEL     0x00100000u
#define HYPERVISOR (1u << 31) /* CPUID 1, ECX */

static bool argument_get(const char *who, const char *text, uint32_t max, uint32_t *value)
{
    if (number_parse(text, value) && *value <= max)
        return true;
    print("usage: %s N, with N from 0 to %u\n", who, max);
    return false;
}

static uint32_t fib(uint32_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int program_fib(const char *argument)
{
    uint32_t n, start = ticks();

    if (!argument_get("fib", argument, FIB_MAX, &n))
        return 1;
    uint32_t result = fib(n);
    print("fib(%u) = %u, in %u ticks\n", n, result, ticks() - start);
    return 0;
}

/* The sieve lies on the heap, whose pages appear as they are touched. */
int program_primes(const char *argument)
{
    uint32_t *composite = (uint32_t *)USER_HEAP;
    uint32_t n, count = 0, largest = 0, start = ticks();

    if (!argument_get("primes", argument, USER_HEAP_SIZE * 8 - 1, &n))
        return 1;
    for (uint32_t i = 2; i <= n; i++) {
        if (composite[i / 32] >> i % 32 & 1)
            continue;
        count++;
        largest = i;
        for (uint32_t j = i * i; i < 65536 && j <= n; j += i)
            composite[j / 32] |= 1u << j % 32;
    }
    print("%u primes up to %u, the largest is %u, in %u ticks\n", count, n, largest,
          ticks() - start);
    return 0;
}

int program_sleep(const char *argument)
{
    uint32_t seconds;

    if (!argument_get("sleep", argument, 1000000, &seconds))
        return 1;
    sleep(seconds * TICKS_PER_SECOND);
    return 0;
}

int program_spin(const char *argument)
{
    (void)argument;
    for (volatile uint32_t i = 0;; i++)
        ;
}

static uint32_t endless(uint32_t n)
{
    volatile uint32_t room[256];

    room[n % 256] = n;
    return (n < UINT32_MAX ? endless(n + 1) : 0) + room[n % 256];
}

static void crash_write(void)
{
    *(volatile uint32_t *)KERNEL = 0;
}

static void crash_read(void)
{
    (void)*(volatile uint32_t *)KERNEL;
}

static void crash_code(void)
{
    *(volatile uint32_t *)USER_BASE = 0;
}

static void crash_null(void)
{
    __asm__ volatile("call *%0" : : "r"(0));
}

static void crash_stack(void)
{
    endless(0);
}

static void crash_hlt(void)
{
    __asm__ volatile("hlt");
}

static void crash_cli(void)
{
    __asm__ volatile("cli");
}

static void crash_port(void)
{
    __asm__ volatile("outb %%al, $0x80" : : "a"(0));
}

static void crash_int(void)
{
    __asm__ volatile("int $0x20"); /* the timer's vector is not for ring 3 */
}

static void crash_segment(void)
{
    __asm__ volatile("mov %0, %%ds" : : "r"(0x10)); /* the kernel's data segment */
}

static void crash_division(void)
{
    __asm__ volatile("div %0" : : "r"(0), "a"(1), "d"(0));
}

static void crash_opcode(void)
{
    __asm__ volatile("ud2");
}

static void crash_fpu(void)
{
    __asm__ volatile("fninit");
}

static void crash_breakpoint(void)
{
    __asm__ volatile("int3");
}

static const struct {
    const char *name;
    void (*run)(void);
} crashes[] = {
    {"write", crash_write},       {"read", crash_read},
    {"code", crash_code},         {"null", crash_null},
    {"stack", crash_stack},       {"hlt", crash_hlt},
    {"cli", crash_cli},           {"port", crash_port},
    {"int", crash_int},           {"segment", crash_segment},
    {"division", crash_division}, {"opcode", crash_opcode},
    {"fpu", crash_fpu},           {"breakpoint", crash_breakpoint},
};

#define CRASH_COUNT (sizeof crashes / sizeof crashes[0])

/* Each way must end this process and nothing else. */
int program_crash(const char *argument)
{
    for (unsigned i = 0; i < CRASH_COUNT; i++) {
        if (strcmp(crashes[i].name, *argument ? argument : "write") == 0) {
            crashes[i].run();
            print("crash: still here after '%s'\n", crashes[i].name);
            return 1;
        }
    }
    print("usage: crash [HOW], with HOW one of");
    for (unsigned i = 0; i < CRASH_COUNT; i++)
        print(" %s", crashes[i].name);
    print("\n");
    return 1;
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(0));
    return r;
}

static void vendor_print(const char *title, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t text[4] = {a, b, c, 0};

    print("%s: %s\n", title, (const char *)text);
}

static const struct {
    bool in_ecx;
    uint8_t bit;
    const char *name;
} features[] = {
    {false, 0, "fpu"},        {false, 3, "pse"},    {false, 4, "tsc"},      {false, 5, "msr"},
    {false, 6, "pae"},        {false, 8, "cx8"},    {false, 9, "apic"},     {false, 11, "sep"},
    {false, 12, "mtrr"},      {false, 13, "pge"},   {false, 15, "cmov"},    {false, 16, "pat"},
    {false, 19, "clflush"},   {false, 23, "mmx"},   {false, 24, "fxsr"},    {false, 25, "sse"},
    {false, 26, "sse2"},      {true, 0, "sse3"},    {true, 1, "pclmulqdq"}, {true, 9, "ssse3"},
    {true, 19, "sse4.1"},     {true, 20, "sse4.2"}, {true, 22, "movbe"},    {true, 23, "popcnt"},
    {true, 25, "aes"},        {true, 26, "xsave"},  {true, 28, "avx"},      {true, 30, "rdrand"},
    {true, 31, "hypervisor"},
};

int program_cpu(const char *argument)
{
    struct cpuid zero = cpuid(0), one = cpuid(1), extended = cpuid(0x80000000);
    uint32_t family = one.eax >> 8 & 0xf, model = one.eax >> 4 & 0xf;

    (void)argument;
    vendor_print("vendor", zero.ebx, zero.edx, zero.ecx);
    if (family == 6 || family == 15)
        model |= one.eax >> 12 & 0xf0;
    if (family == 15)
        family += one.eax >> 20 & 0xff;
    print("family %u, model %u, stepping %u\n", family, model, one.eax & 0xf);
    if (extended.eax >= 0x80000004) {
        struct cpuid name[4] = {cpuid(0x80000002), cpuid(0x80000003), cpuid(0x80000004), {0}};
        print("name: %s\n", (const char *)name);
    }
    print("features:");
    for (unsigned i = 0; i < sizeof features / sizeof features[0]; i++)
        if ((features[i].in_ecx ? one.ecx : one.edx) >> features[i].bit & 1)
            print(" %s", features[i].name);
    print("\n");
    if (one.ecx & HYPERVISOR) {
        struct cpuid h = cpuid(0x40000000);
        vendor_print("hypervisor", h.ebx, h.ecx, h.edx);
    }
    return 0;
}
