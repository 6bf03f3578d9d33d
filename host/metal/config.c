/* SPDX-License-Identifier: MIT */
/* config.c - the command line that the boot loader gave; see monitor.h. */
#include "host/metal/monitor.h"
#include "host/metal/nucleus/bootinfo.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/cpuid.h"

#define MIB         (1ull << 20)
#define MEMORY_MIN  (4 * MIB)
#define MEMORY_MOST (2048 * MIB)
#define MEMORY      (128 * MIB)
#define CACHE       (32 * MIB)
#define CACHE_LEAST (1 * MIB)
#define CACHE_MOST  (512 * MIB)

#define LIMIT_MOST 86400u

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* 64M, 1G, 4096K; bytes without a letter. */
static bool parse_size(const char *s, uint64_t *out)
{
    uint64_t v = 0;

    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9' && v < 1ull << 40; s++)
        v = v * 10 + (uint64_t)(*s - '0');
    unsigned shift = *s == 'K' || *s == 'k'   ? 10
                     : *s == 'M' || *s == 'm' ? 20
                     : *s == 'G' || *s == 'g' ? 30
                                              : 0;
    *out = v << shift;
    return !s[shift ? 1 : 0];
}

/* NAME=direct or NAME=translate; *direct stays without it. */
static bool read_mode(const char *cmdline, const char *name, bool *direct)
{
    char text[32];

    if (!bootinfo_option(cmdline, name, text, sizeof text))
        return true;
    *direct = same(text, "direct");
    return *direct || same(text, "translate");
}

/* NAME=on or NAME=off; *on stays without it. */
static bool read_switch(const char *cmdline, const char *name, bool *on)
{
    char text[32];

    if (!bootinfo_option(cmdline, name, text, sizeof text))
        return true;
    *on = same(text, "on");
    return *on || same(text, "off");
}

/* The words that are for tests of guests. */
static const char *read_trial(struct metal_config *c, const char *cmdline)
{
    char text[32];
    uint64_t seconds;

    if (bootinfo_option(cmdline, "guests", text, sizeof text)) {
        c->each = same(text, "each");
        if (!c->each && !same(text, "one"))
            return "guests= wants one or each";
    }
    if (bootinfo_option(cmdline, "limit", text, sizeof text)) {
        if (!parse_size(text, &seconds) || !seconds || seconds > LIMIT_MOST)
            return "limit= wants seconds, at most 86400";
        c->limit = seconds * NS_PER_SEC;
    }
    if (bootinfo_option(cmdline, "cpu", text, sizeof text)) {
        c->cpu = cpu_model_find(text);
        if (!c->cpu)
            return "cpu= names no CPU model; 'ring1 run -cpu help' lists them";
    }
    return read_switch(cmdline, "debugcon", &c->debugcon) ? NULL : "debugcon= wants on or off";
}

const char *metal_config_read(struct metal_config *c, const char *cmdline)
{
    char text[32];

    *c = (struct metal_config){.direct_user = true, .memory = MEMORY, .cache = CACHE};
    if (bootinfo_option(cmdline, "memory", text, sizeof text) &&
        (!parse_size(text, &c->memory) || c->memory < MEMORY_MIN || c->memory > MEMORY_MOST))
        return "memory= wants a size from 4M to 2G, as in memory=128M";
    if (bootinfo_option(cmdline, "cache-size", text, sizeof text) &&
        (!parse_size(text, &c->cache) || c->cache < CACHE_LEAST || c->cache > CACHE_MOST))
        return "cache-size= wants a size from 1M to 512M, as in cache-size=32M";
    if (bootinfo_option(cmdline, "exec", text, sizeof text)) {
        c->interpret = same(text, "interpret");
        if (!c->interpret && !same(text, "translate"))
            return "exec= wants interpret or translate";
    }
    if (!read_mode(cmdline, "user", &c->direct_user))
        return "user= wants direct or translate";
    if (!read_mode(cmdline, "kernel", &c->direct_kernel))
        return "kernel= wants direct or translate";
    bool reboot = true;
    if (!read_switch(cmdline, "reboot", &reboot))
        return "reboot= wants on or off";
    c->no_reboot = !reboot;
    if (!read_switch(cmdline, "count", &c->count))
        return "count= wants on or off";
    if (bootinfo_option(cmdline, "lab", text, sizeof text)) {
        c->lab = true;
        c->lab_naive = same(text, "naive");
        if ((!c->lab_naive && !same(text, "run")) || c->interpret)
            return "lab= wants naive or run, and exec=translate";
    }
    c->memory = (c->memory + 2 * MIB - 1) & ~(2 * MIB - 1);
    return read_trial(c, cmdline);
}
